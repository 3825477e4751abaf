"""What a version has, and what a promotion measures: everything that decides a request, by the prompt's own rules."""

import pytest

from adapters.git.repository import GitRepository
from engine.hub.langfuse import langfuse_prompt
from engine.hub.promotion import promotion
from engine.hub.tags_file import read_tags_file
from engine.hub.versions import prompt_of, version_of
from engine.pipeline import look
from engine.planning.plan import ArmSource, request_of
from schemas.errors import ConfigError
from schemas.pullrequests import PullRequest, Trust
from tests.repositories import Repository

PROMPT = "messages:\n  - {role: system, content: 'Sort {{ticket}}.'}\n"
CASE = '{"id": "a", "inputs": {"ticket": "x"}, "expected": "billing"}\n'


def config(model, *, gate="", name="triage"):
    lineage = "use_case: classification, labels: [billing, other], prompt: p.prompt.yml, tests: t.jsonl, model: fast"
    return f"version: 1\nmodels:\n  fast: {{{model}}}\n{gate}lineages:\n  {name}: {{{lineage}}}\n"


OPENAI = "provider: openai, model: gpt-5-mini"


@pytest.fixture
def today(tmp_path):
    repository = Repository(tmp_path)

    def read(*folders):
        """What a commit with these configurations, one for each folder, is when it is read alone."""
        files = {}
        for number, text in enumerate(folders):
            at = f"f{number}/" if number else ""
            files |= {f"{at}promptverdict.yaml": text, f"{at}p.prompt.yml": PROMPT, f"{at}t.jsonl": CASE}
        sha = repository.commit(files)
        alone = PullRequest(base_ref=sha, base_sha=sha, head_ref=sha, head_sha=sha, trust=Trust.SAME_REPOSITORY)
        return look(GitRepository(repository.path), alone, alone=True)

    return read


def only(detection, name="triage"):
    return next(one for one in detection.lineages if one.name == name)


def version(detection, name="triage"):
    return version_of(only(detection, name), "a" * 40)


def test_a_variable_that_a_caller_forgets_is_an_error_although_a_case_may_lack_it(today):
    found = only(today(config(OPENAI)))
    assert found.candidate.defaults == {"ticket": "{{ticket}}"}, "measured as GitHub's own tool sends it"
    made = version(today(config(OPENAI)))
    assert made.defaults == {}
    assert langfuse_prompt(made, 1, ["production"])["prompt"][0]["content"] == "Sort {{ticket}}."
    assert prompt_of(made, {"ticket"}).text == found.candidate.text


@pytest.mark.parametrize(
    "model",
    [
        f"{OPENAI}, api: responses",
        f"{OPENAI}, base_url: 'https://models.example.com/v1', api_key_env: OWN_KEY",
        "provider: openai, model: gpt-5-nano",
        f"{OPENAI}, parameters: {{temperature: 0}}",
        f"{OPENAI}, parameters: {{tools: [{{type: function, function: {{name: f}}}}]}}",
        f"{OPENAI}, parameters: {{response_format: json_object}}",
        f"{OPENAI}, parameters: {{extra: {{verbosity: low}}}}",
        "provider: anthropic, model: gpt-5-mini",
    ],
)
def test_whatever_decides_a_request_makes_another_version(today, model):
    before, after = version(today(config(OPENAI))), version(today(config(model)))
    assert before.digest != after.digest
    assert type(after).model_validate_json(after.model_dump_json()).digest == after.digest


def test_the_usual_settings_written_out_are_the_same_version(today):
    written = f"{OPENAI}, api: chat, price: {{input: 1, output: 1}}"
    assert version(today(config(written))) == version(today(config(OPENAI)))


@pytest.mark.parametrize("more", ["", ", api: responses", ", parameters: {temperature: 0.5, stop: [x], seed: 7}"])
def test_a_promotion_asks_what_the_pull_request_asked(today, more):
    detection = today(config(OPENAI + more))
    change, stored = only(detection), version(detection)
    (pair,) = only(promotion(detection, stored, stored)).models
    measured = request_of(ArmSource(change.candidate, change.models[0].candidate), change.candidate.messages)
    promoted = only(promotion(detection, stored, stored))
    for model in (pair.baseline, pair.candidate):
        assert request_of(ArmSource(promoted.candidate, model), promoted.candidate.messages) == measured


def test_the_configuration_of_the_prompts_own_folder_judges_it(today):
    other = config("provider: openai, model: gpt-5-nano", gate="gate: {inconclusive: pass}\n", name="other")
    detection = today(other, config(OPENAI, gate="gate: {inconclusive: block}\nbudget: {per_run_usd: 3}\n"))
    stored = version(detection)
    (pair,) = only(promotion(detection, stored, stored)).models
    assert (pair.candidate.model, only(promotion(detection, stored, stored)).gate.inconclusive) == (
        "gpt-5-mini",
        "block",
    )


def test_a_name_that_means_another_model_today_lends_it_neither_its_price_nor_its_key(today):
    old = version(today(config(OPENAI)))
    detection = today(config("provider: openai, model: gpt-5-nano, price: {input: 0.01, output: 0.01}"))
    (pair,) = only(promotion(detection, old, version(detection))).models
    assert (pair.baseline.model, pair.baseline.price, pair.swapped) == ("gpt-5-mini", None, True)
    moved = today(config(f"{OPENAI}, base_url: 'https://models.example.com/v1', api_key_env: OWN_KEY"))
    for before, after in ((old, version(moved)), (version(moved), old)):
        with pytest.raises(ConfigError, match="no longer has the model fast"):
            promotion(moved, before, after)


def test_a_tags_file_names_prompts_with_their_folder():
    commit = "a" * 40
    text = f"production: {{services/shop/triage: {commit}, support-triage: {commit}}}\n"
    assert set(read_tags_file("t.yaml", text.encode())["production"]) == {"services/shop/triage", "support-triage"}
    with pytest.raises(ConfigError, match="is not a commit of a prompt"):
        read_tags_file("t.yaml", f"production: {{'../x y': {commit}}}\n".encode())
