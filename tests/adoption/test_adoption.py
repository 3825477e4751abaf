import re

import yaml

from engine.commands.init_config import configuration_text, propose
from engine.readers.config import read_config
from schemas.config import FieldKind
from schemas.prompts import Dialect, InlineEvaluator, Message, PromptFile, Role
from schemas.testsets import TestCase, TestSet
from schemas.use_cases import UseCase


def prompt(path="prompts/triage.prompt.yml", **more):
    return PromptFile(
        path=path,
        format="github",
        dialect=Dialect.GITHUB,
        messages=(Message(role=Role.USER, content="{{ticket}}"),),
        **more,
    )


def cases(path, *expected, **inputs):
    inputs = inputs or {"ticket": "t"}
    return TestSet(
        path=path, cases=tuple(TestCase(id=str(i), inputs=inputs, expected=e) for i, e in enumerate(expected))
    )


WANTS_TICKET = {"prompts/triage.prompt.yml": frozenset({"ticket"})}


def test_a_prompt_is_paired_with_the_test_set_that_has_its_variables():
    (lineage,) = propose(
        [prompt()], [cases("tests/other.jsonl", "a", "b", email="x"), cases("tests/t.jsonl", "a", "b")], WANTS_TICKET
    )
    assert (lineage.name, lineage.tests, lineage.cases) == ("triage", "tests/t.jsonl", 2)


def test_of_two_fitting_test_sets_the_one_with_the_nearer_name_is_taken():
    (lineage,) = propose([prompt()], [cases("zzz.csv", "a"), cases("tests/triage.jsonl", "a")], WANTS_TICKET)
    assert lineage.tests == "tests/triage.jsonl"


def test_a_test_set_fits_when_most_of_its_cases_do():
    """A misspelt input in one case is for the linter to find."""
    good = cases("tests/t.jsonl", "a", "b", "a")
    odd = TestCase(id="odd", inputs={"tikcet": "t"}, expected="b")
    (lineage,) = propose([prompt()], [good.model_copy(update={"cases": (*good.cases, odd)})], WANTS_TICKET)
    assert lineage.tests == "tests/t.jsonl"
    half = good.model_copy(update={"cases": (good.cases[0], odd)})
    assert propose([prompt()], [half], WANTS_TICKET)[0].tests is None


def test_a_test_set_that_is_named_like_the_prompt_and_does_not_fit_is_pointed_out():
    near, other = cases("tests/triage.csv", "a", "b", input="x"), cases("tests/mail.csv", "a", "b", input="x")
    (lineage,) = propose([prompt()], [other, near], WANTS_TICKET)
    assert lineage.why == "most cases of tests/triage.csv lack the input ticket (they have input)"
    assert propose([prompt()], [other], WANTS_TICKET)[0].why == "no test set was found"


def test_no_name_of_a_repository_breaks_out_of_a_comment():
    near = cases("tests/triage\nmode: inform\n.csv", "a", input="x")
    text = configuration_text(propose([prompt()], [near], WANTS_TICKET), "m", ["provider: offline", "model: m"])
    assert "mode: inform\n" not in text.replace("mode: inform                  # first", "")


def test_few_distinct_texts_are_labels():
    (lineage,) = propose([prompt()], [cases("t.jsonl", "b", "a", "a", "b")], WANTS_TICKET)
    assert (lineage.use_case, lineage.labels) == (UseCase.CLASSIFICATION, ("a", "b"))


def test_maps_are_fields_with_a_rule_by_what_they_hold():
    row = {"score": 1, "skills": ["a"], "since": "2024-01-31", "name": "Ada", "empty": None}
    (lineage,) = propose([prompt()], [cases("t.jsonl", row, row)], WANTS_TICKET)
    assert lineage.use_case == UseCase.EXTRACTION
    assert {name: rule.kind for name, rule in lineage.fields.items()} == {
        "score": FieldKind.NUMBER,
        "skills": FieldKind.SET,
        "since": FieldKind.DATE,
        "name": FieldKind.NORMALISED,
        "empty": FieldKind.NORMALISED,
    }


def test_anything_else_is_generation():
    (lineage,) = propose([prompt()], [cases("t.jsonl", "one", "two", "three", "four", "five")], WANTS_TICKET)
    assert lineage.use_case == UseCase.GENERATION


def test_inline_test_data_needs_no_test_set():
    (lineage,) = propose(
        [prompt(test_data=({"ticket": "x", "expected": "a"}, {"ticket": "y", "expected": "b"}))], [], {}
    )
    assert (lineage.tests, lineage.cases, lineage.use_case) == (None, 2, UseCase.CLASSIFICATION)


def test_one_label_is_nothing_to_classify():
    (lineage,) = propose([prompt(test_data=({"ticket": "x", "expected": "a"},) * 2)], [], {})
    assert (lineage.use_case, lineage.labels) == (UseCase.GENERATION, ())


def test_generated_text_is_not_scored_by_a_check_that_every_answer_passes():
    """The configuration says what is missing instead; a prompt's own evaluators need nothing."""
    for evaluators, said in (
        ((), "Nothing scores this text yet"),
        ((InlineEvaluator(name="said", contains="x"),), "by the prompt's own evaluators"),
    ):
        proposed = propose([prompt(test_data=({"ticket": "x"},), evaluators=evaluators)], [], {})
        text = configuration_text(proposed, "haiku", ["provider: anthropic", "model: claude-haiku-4-5"])
        assert read_config("promptverdict.yaml", text.encode()).lineages["triage"].checks == ()
        assert said in text
        uncommented = re.sub(r"^    # (rubric|judge|checks):", r"    \1:", text, flags=re.MULTILINE)
        if not evaluators:
            (check,) = read_config("promptverdict.yaml", uncommented.encode()).lineages["triage"].checks
            assert check.contains == "Kind regards"


def test_two_prompts_of_one_name_get_two_lineages():
    lineages = propose([prompt("a/x.md"), prompt("b/x.md")], [], {})
    assert [lineage.name for lineage in lineages] == ["x", "x-2"]


def test_the_text_is_yaml_whatever_the_repository_calls_its_files():
    nasty = prompt('a: b/"#[x]\n.md')
    text = configuration_text(
        propose(
            [prompt(), nasty, prompt("e.md")],
            [cases("t.jsonl", "no", "null", "a: b", "no", "null", "a: b"), cases("u.jsonl", {"a b": 1}, e=1)],
            {**WANTS_TICKET, "e.md": frozenset("e")},
        ),
        "haiku",
        ["provider: anthropic", "model: claude-haiku-4-5"],
    )
    read = yaml.safe_load(text)
    assert read["lineages"]["triage"]["labels"] == ["a: b", "no", "null"]
    assert read["lineages"]["x"]["prompt"] == nasty.path
    assert read["lineages"]["e"]["fields"] == {"a b": {"kind": "number"}}
