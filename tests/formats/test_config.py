"""``promptverdict.yaml``: what is right is read, what is wrong is said in one line that names the fix."""

from decimal import Decimal

import pytest

from engine.readers.config import read_config
from schemas.errors import ConfigError
from schemas.gate_config import SlicePolicy

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
    gate: {margin: {overall: 0.05, slice: 0.10}, adversarial: must_pass, max_cost_increase: 0.20, floor: 0.8}
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
    assert lineage.gate.adversarial is SlicePolicy.MUST_PASS
    assert lineage.gate.floor.overall == 0.8
    assert config.models["house"].price.input == Decimal("0.2")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("margin:", "margn:", "18:12: unknown key margn in lineages.support-triage.gate (did you mean margin?)"),
        ("defaults: {model: haiku}", "defaults: {model: haku}", "5:19: there is no model haku (did you mean haiku?)"),
        ("https://llm", "http://llm", "4:57: base_url is http, so the key would be sent unencrypted (use https (http only for 127.0.0.1))"),
        (", api_key_env: HOUSE_LLM_KEY", "", "4:57: base_url is not an address of openai, so OPENAI_API_KEY is not sent there (add api_key_env: NAME_OF_ITS_KEY)"),
        ("HOUSE_LLM_KEY", "ANTHROPIC_API_KEY", "4:98: ANTHROPIC_API_KEY is sent only to its provider's own address, never to llm.example.com (name the variable with the key of this address)"),
        ("https://llm.example.com/v1", "'https://u:p@llm.example.com/v1'", "4:57: base_url https://u:p@llm.example.com/v1 is not a plain http(s) address (write it as https://host/path, without user, query or fragment)"),
        ("temperature: 0", "temperature: 9", "3:83: models.haiku.parameters.temperature can't be 9 (it should be less than or equal to 2)"),
        ("use_case: classification", "use_case: clasification", "12:15: use_case in lineages.support-triage can't be clasification (did you mean classification?)"),
        ("    prompt:", "    promt:", "13:5: unknown key promt in lineages.support-triage; 1 more mistake below (did you mean prompt?)"),
        ("prompts/support", "../support", "13:13: prompt ../support/triage.prompt.yml leads out of the folder (write it relative to the configuration's folder)"),
        ("prompts/support/triage.prompt.yml", "src/../../a.py#A", "13:13: prompt src/../../a.py leads out of the folder (write it relative to the configuration's folder)"),
        ("prompts/support/triage.prompt.yml", "src/a.py#", "13:13: the name after # in prompt has an empty step (write it as file#name, with dots between its steps)"),
        ("prompts/support/triage.prompt.yml", "src/a.py#A..B", "13:13: the name after # in prompt has an empty step (write it as file#name, with dots between its steps)"),
        ("prompts/support/triage.prompt.yml", f"src/a.py#A{'.B' * 10}", "13:13: the name after # in prompt is too long (write it as file#name, with dots between its steps)"),
        ("prompts/support/triage.prompt.yml", "{system: src/a.py#A, user: /b.md}", "13:40: prompt /b.md is not a relative path with forward slashes (write it relative to the configuration's folder)"),
        ("prompts/support/triage.prompt.yml", "{sytem: src/a.py#A}", "13:14: unknown key sytem in lineages.support-triage.prompt (did you mean system?)"),
        ("prompts/support/triage.prompt.yml", "{}", "13:13: prompt has neither a system nor a user part (write {system: …, user: …})"),
        ("prompts/support/triage.prompt.yml\n    tests: tests/prompts/support.jsonl", "src/a.py#A", "13:13: src/a.py#A is a part of a file, and holds no test cases (add tests:)"),
        ("    use_case: classification", "    scorer: {file: s.py, kind: checks}\n    use_case: classification", "12:32: kind in lineages.support-triage.scorer can't be checks (did you mean check?)"),
        ("max_words: 10", "regex_match: '(?=a)'", "17:36: RE2 refuses the expression of short: invalid perl operator: (?= (use RE2 syntax)"),
        ("max_words: 10", "max_words: 1, contains: x", "17:9: the check short has contains and max_words together (give each check exactly one kind)"),
        ("max_words: 10", "json_schema_valid: {$ref: 'https://example.com/s.json'}", "17:42: json_schema_valid of short: the reference https://example.com/s.json leaves the schema (fix the schema)"),
        ("max_words: 10", "json_schema_valid: {type: objekt}", "17:42: json_schema_valid of short: type: 'objekt' is not valid under any of the given schemas (fix the schema)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place_and_the_mend(right, wrong, said):
    assert right in GOOD
    assert mistake(GOOD.replace(right, wrong, 1)) == said


def test_http_is_allowed_on_the_machine_itself():
    assert read(GOOD.replace("https://llm.example.com", "http://127.0.0.1:8080")).models["house"].base_url


def test_an_empty_configuration_is_an_error():
    assert "is empty" in mistake("# nothing\n")


def config_of(models="{m: {provider: offline, model: x}}", lineage="use_case: classification", more=""):
    return f"version: 1\nmodels: {models}\nlineages:\n  a: {{prompt: a.md, {lineage}}}\n{more}"


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("{m: {provider: openai, model: x, api_key_env: ANTHROPIC_API_KEY}}", "2:54: ANTHROPIC_API_KEY belongs to anthropic and is never sent to openai (remove api_key_env; OPENAI_API_KEY is used)"),
        ("{m: {provider: offline, model: x, base_url: 'https://a.b'}}", "2:13: the provider offline makes no network calls (remove base_url)"),
        ("{m: {provider: replay, model: x}}", "2:13: the provider replay needs a recording (add recording: path/to/file)"),
        ("{m: {provider: openai, model: x, parameters: {json_schema: {name: a, schema: {type: 1}}}}}", "json_schema is not a usable schema: type: 1 is not valid under any of the given schemas (fix the schema)"),
        ("{m: {provider: openai, model: x, base_url: 'http://10.0.0.1/v1', api_key_env: K}}", "base_url is http, so the key would be sent unencrypted (use https (http only for 127.0.0.1))"),
        ("{m: {provider: openai, model: x, base_url: 'https://api.openai.com.evil.example'}}", "base_url is not an address of openai, so OPENAI_API_KEY is not sent there (add api_key_env: NAME_OF_ITS_KEY)"),
        ("{m: {provider: openai, model: x, base_url: 'file:///etc/passwd'}}", "base_url file:///etc/passwd is not a plain http(s) address (write it as https://host/path, without user, query or fragment)"),
        ("{m: {provider: openai, model: x, base_url: 'https://api.openai.com/v1?x=1'}}", "base_url https://api.openai.com/v1?x=1 is not a plain http(s) address (write it as https://host/path, without user, query or fragment)"),
        ("{m: {provider: opnai, model: x}}", "provider in models.m can't be opnai (did you mean openai?)"),
        ("{m: {provider: openai}}", "models.m has no model (add model:)"),
        ("{m: x}", "models.m can't be x (it should be a map of keys)"),
        ("{m: {provider: openai, model: x, price: {input: -1, output: 1}}}", "models.m.price.input can't be -1 (it should be greater than or equal to 0)"),
    ],
)  # fmt: skip
def test_a_key_goes_to_one_origin_and_a_model_is_whole(models, said):
    assert mistake(config_of(models)).split(" ", 1)[1] == said.removeprefix("2:54: ").removeprefix("2:13: ")


@pytest.mark.parametrize(
    "models",
    [
        "{m: {provider: openai, model: x, base_url: 'https://api.openai.com/v1/'}}",
        "{m: {provider: openai, model: x, api_key_env: MY_KEY}}",
        "{m: {provider: anthropic, model: x, base_url: 'http://[::1]:8080', api_key_env: LOCAL}}",
        "{m: {provider: openai, model: x, base_url: 'http://localhost:8080/v1', api_key_env: LOCAL}}",
        "{m: {provider: replay, model: x, recording: r.jsonl}}",
        "{m: {provider: openai, model: x, parameters: {json_schema: {name: a, schema: {$ref: '#/$defs/a', $defs: {a: {pattern: '^a+$', patternProperties: {b: true}}}}}}}}",
    ],
)
def test_what_is_allowed_about_origins(models):
    assert read(config_of(models)).models["m"]


@pytest.mark.parametrize(
    ("lineage", "said"),
    [
        ("use_case: classification, labels: [a, a]", "a has a label twice (name each label once)"),
        ("use_case: classification, labels: [a]", "a has only one label, so there is nothing to classify (name all labels)"),
        ("use_case: generation, fields: {a: {kind: exact}}", "fields are for extraction, but a is generation (use_case: extraction)"),
        ("use_case: generation, rubric: r.yaml", "a has a rubric but no judge (add judge: {model: …})"),
        ("use_case: generation, rubric: r.yaml, judge: {model: n}", "there is no model n (known: m)"),
        ("use_case: generation, judge: {model: m, labels: /etc/x}", "judge /etc/x is not a relative path with forward slashes (write it relative to the configuration's folder)"),
        ("use_case: generation, reference: 'a\\b'", "reference a\\b is not a relative path with forward slashes (write it relative to the configuration's folder)"),
        ("use_case: generation, tests: \"a\\u202eb\"", "tests a�b has unprintable characters (write it relative to the configuration's folder)"),
        ("use_case: generation, tests: []", "tests names no file (name a file or a pattern, or remove tests:)"),
        ("use_case: generation, tests: [a.csv, a.csv]", "tests names a file twice (name each file once)"),
        ("use_case: generation, tests: [a.csv, ../b*.csv]", "tests ../b*.csv leads out of the folder (write it relative to the configuration's folder)"),
        (f"use_case: generation, tests: '{'a*' * 251}'", "a pattern of more than 500 characters (shorten it)"),
        ("use_case: generation, checks: [{name: a, contains: x}, {name: a, contains: y}]", "two checks of a have the same name (name each check differently)"),
        ("use_case: generation, checks: [{name: a}]", "the check a has nothing to check (give each check exactly one kind)"),
        ("use_case: generation, model: []", "the list of models is empty (name at least one model)"),
        ("use_case: generation, model: [m, m]", "a model is named twice (name each model once)"),
        ("use_case: generation, model: [m, n]", "there is no model n (known: m)"),
        ("use_case: generation, model: 4", "lineages.a.model can't be 4 (quote it)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_lineage(lineage, said):
    assert mistake(config_of(lineage=lineage)).split(" ", 1)[1] == said


def test_a_lineage_must_know_its_model():
    two = "{m: {provider: offline, model: x}, n: {provider: offline, model: y}}"
    assert "the lineage a has no model" in mistake(config_of(two))
    assert read(config_of(two, more="defaults: {model: [m, n]}\n")).defaults.model == ("m", "n")
    assert "there is no model m (add it under models:)" in mistake(
        config_of("{}", lineage="use_case: generation, model: m")
    )


def test_a_regex_is_bounded():
    check = "use_case: generation, checks: [{{name: a, regex_match: '{}'}}]"
    assert "it is longer than 2,000 characters" in mistake(config_of(lineage=check.format("a" * 2001)))
    assert "RE2 refuses the expression of a: invalid repetition size" in mistake(
        config_of(lineage=check.format("(a{1000}){1000}"))
    )


def test_a_schema_must_be_a_map_of_known_shape():
    from engine.readers.patterns import schema_mistake

    assert schema_mistake([]) == "it is not a map"
    assert (
        schema_mistake({"allOf": [{"items": {"$ref": "https://x.example"}}]})
        == "the reference https://x.example leaves the schema"
    )
    assert schema_mistake({"allOf": [{"patternProperties": {"(?!x)": {}}}]}).startswith(
        "pattern (?!x): invalid perl operator"
    )
    assert schema_mistake({"properties": {"pattern": {"type": "string"}}}) is None
    assert schema_mistake(True) is None
