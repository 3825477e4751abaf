"""A ``.prompt.yml`` with test data and evaluators is a lineage by itself."""

import pytest

from tests.detect.pullrequests import CONFIG, codes, detected, detected_between, kinds, only

PROMPT = """\
model: openai/gpt-4o
messages:
  - {role: user, content: "Sort {{input}}"}
testData:
  - {input: my bill, expected: billing}
  - {input: my money, expected: refunds}
evaluators:
  - {name: right, string: {equals: "{{expected}}"}}
"""
PATH = "prompts/sort.prompt.yml"
BASE = {"promptverdict.yaml": None, PATH: PROMPT}


def test_it_is_evaluated_without_any_configuration(repository):
    found = detected(repository, {PATH: PROMPT.replace("Sort", "Order")}, base=BASE)
    change = only(found)
    assert (change.name, kinds(change), codes(change), found.config) == ("sort", ["prompt"], [], None)
    assert [case.expected for case in change.tests.cases] == ["billing", "refunds"]
    assert [(pair.name, pair.candidate.model) for pair in change.models] == [("openai/gpt-4o", "gpt-4o")]
    assert change.judged_by.evaluators
    assert found.warnings == ()


def test_its_cases_and_evaluators_are_bases(repository):
    edited = PROMPT.replace("expected: billing", "expected: refunds").replace("string: {equals", "string: {contains")
    change = only(detected(repository, {PATH: edited}, base=BASE))
    assert [case.expected for case in change.tests.cases] == ["billing", "refunds"]
    assert change.judged_by.evaluators[0].equals is not None
    assert kinds(change) == ["policy", "tests"]
    assert codes(change) == ["policy_changed: needs_review", "tests_changed: needs_review"]


def test_taking_test_data_out_does_not_take_the_lineage_out(repository):
    without = PROMPT[: PROMPT.index("testData")]
    change = only(detected(repository, {PATH: without.replace("Sort", "Order")}, base=BASE))
    assert len(change.removed_cases) == 2
    assert codes(change) == ["policy_changed: needs_review", "tests_changed: needs_review"]


def test_renaming_it_away_or_deleting_it_needs_review(repository):
    change = only(detected(repository, {PATH: None}, base=BASE))
    assert codes(change) == ["deleted_lineage: needs_review"]
    change = only(detected(repository, {PATH: None, "attic/sort.yml": PROMPT}, base=BASE))
    assert codes(change) == ["moved_out: needs_review"]


def test_a_new_one_needs_review(repository):
    change = only(detected(repository, {PATH: PROMPT}, base={"promptverdict.yaml": None}))
    assert (kinds(change), codes(change)) == (["added"], ["new_lineage: needs_review"])


def test_one_that_a_configuration_names_is_that_lineage_only(repository):
    config = CONFIG.replace("prompts/triage.md", PATH)
    change = only(
        detected(repository, {PATH: PROMPT.replace("Sort", "Order")}, base={**BASE, "promptverdict.yaml": config})
    )
    assert change.name == "triage"


def test_one_that_no_lineage_names_is_lent_the_models_and_the_gate_of_its_folder(repository):
    config = CONFIG.replace("gpt-large", "gpt-4o") + "gate: {floor: 0.5}\n"
    change = only(
        detected(repository, {PATH: PROMPT.replace("Sort", "Order")}, base={PATH: PROMPT, "promptverdict.yaml": config})
    )
    assert (change.name, change.gate.floor.overall) == ("sort", 0.5)
    assert [pair.candidate.model for pair in change.models] == ["gpt-4o"]


def test_namesakes_are_told_apart_by_their_folders(repository):
    base = {"promptverdict.yaml": None, "a/sort.prompt.yml": PROMPT, "b/sort.prompt.yml": PROMPT}
    head = {path: PROMPT.replace("Sort", "Order") for path in base if "/" in path}
    assert [change.name for change in detected(repository, head, base=base).lineages] == ["a-sort", "b-sort"]


def test_a_prompt_without_test_data_or_evaluators_is_not_gated_and_named(repository):
    found = detected(repository, {PATH: PROMPT[: PROMPT.index("evaluators")]}, base={"promptverdict.yaml": None})
    assert found.lineages == ()
    assert "prompts/sort.prompt.yml looks like a prompt" in found.warnings[0].what


def test_bringing_a_configuration_does_not_get_a_gated_prompt_past_its_own_cases(repository):
    base = repository.commit(dict(BASE) | {"promptverdict.yaml": None, "README.md": "x"})
    config = CONFIG.replace("prompts/triage.md", PATH)
    head = repository.commit(
        {"promptverdict.yaml": config, PATH: PROMPT.replace("Sort", "Ruin")}, branch="feature", parent=base
    )
    found = detected_between(repository, base, head)
    assert found.adoption
    change = only(found)
    assert (change.measured, change.name, kinds(change)) == (True, "sort", ["prompt"])


FLOOR = CONFIG + "gate: {floor: 0.5}\n"
NAMES_IT = FLOOR.replace(
    "lineages:\n", f"lineages:\n  mine: {{use_case: generation, prompt: {PATH}, tests: tests/easy.jsonl}}\n"
)


@pytest.mark.parametrize("prompt", [PROMPT, PROMPT.replace("Sort", "Ruin")], ids=["untouched", "edited"])
def test_a_new_lineage_does_not_take_the_place_of_its_own_gate_unseen(repository, prompt):
    """Base's floor lets new lineages pass without approval: not one that takes over a prompt that is gated already."""
    found = detected(
        repository,
        {"promptverdict.yaml": NAMES_IT, PATH: prompt, "tests/easy.jsonl": '{"id": "one", "input": "x"}\n'},
        base={"promptverdict.yaml": FLOOR, PATH: PROMPT},
    )
    assert codes(found) == ["policy_changed: needs_review"]
    assert "its own test data and evaluators" in found.reasons[0].sentence
    gated = {change.name: len(change.tests.cases) for change in found.lineages}
    assert gated == ({"mine": 1} if prompt == PROMPT else {"mine": 1, "sort": 2})


def test_pointing_another_lineage_at_it_does_not_take_its_own_gate_away(repository):
    base = {"promptverdict.yaml": FLOOR, PATH: PROMPT}
    head = {"promptverdict.yaml": FLOOR.replace("prompts/triage.md", PATH), PATH: PROMPT.replace("Sort", "Ruin")}
    assert "sort" in [change.name for change in detected(repository, head, base=base).lineages]


LLM = "  - name: polite\n    llm: {modelId: openai/gpt-judge, prompt: 'Polite? {{completion}}', choices: [{choice: 'yes', score: 1}]}\n"
BUILT_IN = "  - {name: fluent, uses: github/fluency}\n"
MODELS = "version: 1\nmodels:\n  mine: {provider: openai, model: gpt-4o, base_url: https://llm.example.com, api_key_env: MY_KEY}\n"


@pytest.mark.parametrize(
    ("evaluators", "config", "judge", "warned"),
    [
        ("", None, None, False),
        (LLM, None, ("gpt-judge", "https://api.openai.com/v1"), False),
        (BUILT_IN, None, ("gpt-4o", "https://api.openai.com/v1"), False),
        (BUILT_IN, MODELS, ("gpt-4o", "https://llm.example.com"), False),
        (LLM, MODELS, ("gpt-4o", "https://llm.example.com"), True),
        (
            LLM,
            MODELS + "  small: {provider: openai, model: small}\ndefaults: {model: small}\n",
            ("small", "https://api.openai.com/v1"),
            True,
        ),
        (
            LLM,
            MODELS + "  j: {provider: openai, model: gpt-judge}\n",
            ("gpt-judge", "https://api.openai.com/v1"),
            False,
        ),
    ],
    ids=[
        "no judge",
        "as the file names it",
        "the prompt's own",
        "the prompt's own as base has it",
        "not base's",
        "base's default",
        "base's",
    ],
)
def test_a_judge_is_one_that_base_knows(repository, evaluators, config, judge, warned):
    prompt = PROMPT + evaluators
    base = {PATH: prompt, "promptverdict.yaml": config}
    change = only(detected(repository, {PATH: prompt.replace("Sort", "Order")}, base=base))
    assert [(one.model, one.origin) for one in change.judges] == ([judge] if judge else [])
    assert any("openai/gpt-judge" in warning.what for warning in change.warnings) == warned
