"""``promptverdict.yaml``: what is right is read, what is wrong is said in one line that names the mend."""

from decimal import Decimal

import pytest

from engine.readers.config import read_config
from schemas.config import SlicePolicy
from schemas.errors import ConfigError

GOOD = """version: 1
models:
  haiku: {provider: anthropic, model: claude-haiku-4-5, parameters: {temperature: 0, max_tokens: 256}}
  house: {provider: openai, model: our-llama, base_url: https://llm.example.com/v1, api_key_env: HOUSE_LLM_KEY, price: {input: 0.20, output: 0.60}}
defaults: {model: haiku}
run: {max_concurrency: 64, timeout_s: 120, max_age: 72h}
budget: {per_run_usd: 2.00}
mode: enforce
comment: always
lineages:
  support-triage:
    use_case: classification
    prompt: prompts/support/triage.prompt.yml
    tests: tests/prompts/support.jsonl
    labels: [billing, refunds, no, on]
    checks:
      - {name: short, max_words: 10}
    gate: {margin: {overall: 0.05, slice: 0.10}, adversarial: contract, max_cost_increase: 0.20, floor: 0.8}
"""


def read(text):
    return read_config("promptverdict.yaml", text.encode())


def mistake(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("promptverdict.yaml:")


def test_the_example_of_the_design_reads():
    config = read(GOOD)
    lineage = config.lineages["support-triage"]
    assert lineage.labels == ("billing", "refunds", "no", "on")
    assert lineage.gate.margin.slice == 0.1
    assert lineage.gate.adversarial is SlicePolicy.CONTRACT
    assert lineage.gate.floor.overall == 0.8
    assert config.models["house"].price.input == Decimal("0.2")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("margin:", "margn:", "18:12: unknown key margn in lineages.support-triage.gate (did you mean margin?)"),
        ("defaults: {model: haiku}", "defaults: {model: haku}", "5:19: there is no model haku (did you mean haiku?)"),
        ("https://llm", "http://llm", "4:57: base_url is http: the key would travel in the open (use https (http only for 127.0.0.1))"),
        (", api_key_env: HOUSE_LLM_KEY", "", "4:57: base_url is not openai's own, so OPENAI_API_KEY is not sent there (add api_key_env: NAME_OF_ITS_OWN_KEY beside it)"),
        ("HOUSE_LLM_KEY", "ANTHROPIC_API_KEY", "4:98: ANTHROPIC_API_KEY goes to its provider's own address only, never to llm.example.com (name another variable that holds the key of this address)"),
        ("https://llm.example.com/v1", "'https://u:p@llm.example.com/v1'", "4:57: base_url https://u:p@llm.example.com/v1 is no plain http(s) address (write it as https://host/path, without user, query or fragment)"),
        ("temperature: 0", "temperature: 9", "3:83: models.haiku.parameters.temperature can't be 9 (it should be less than or equal to 2)"),
        ("use_case: classification", "use_case: clasification", "12:15: use_case in lineages.support-triage can't be clasification (did you mean classification?)"),
        ("    prompt:", "    promt:", "13:5: unknown key promt in lineages.support-triage; 1 more mistake below (did you mean prompt?)"),
        ("prompts/support", "../support", "13:13: prompt ../support/triage.prompt.yml leads out of the folder (write it relative to the configuration's folder)"),
        ("max_words: 10", "regex: '(?=a)'", "17:30: RE2 refuses the regex of short: invalid perl operator: (?= (use RE2 syntax)"),
        ("max_words: 10", "max_words: 1, contains: x", "17:9: the check short has contains and max_words together (give each check exactly one kind)"),
        ("max_words: 10", "json_schema: {$ref: 'https://example.com/s.json'}", "17:36: json_schema of short: the reference https://example.com/s.json leaves the schema (mend the schema)"),
        ("max_words: 10", "json_schema: {type: objekt}", "17:36: json_schema of short: type: 'objekt' is not valid under any of the given schemas (mend the schema)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place_and_the_mend(right, wrong, said):
    assert right in GOOD
    assert mistake(GOOD.replace(right, wrong, 1)) == said


def test_http_is_allowed_on_the_machine_itself():
    assert read(GOOD.replace("https://llm.example.com", "http://127.0.0.1:8080")).models["house"].base_url


def test_an_empty_configuration_is_an_error():
    assert "is empty" in mistake("# nothing\n")
