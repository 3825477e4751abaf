import json
import re

import pytest
import yaml

from engine.commands.init_config import configuration_text
from engine.commands.init_models import chosen_models
from engine.commands.init_pairing import propose
from engine.commands.init_search import FoundPrompt
from engine.commands.init_starter import examples_of, starter_path, starter_text
from engine.readers.config import read_config
from engine.readers.dialects import variables_of
from engine.readers.testsets import read_test_set
from schemas.errors import SourceError
from schemas.field_config import FieldKind
from schemas.prompts import Dialect, InlineEvaluator, Message, PromptFile, Role
from schemas.testsets import TestCase, TestSet
from schemas.use_cases import UseCase

OFFLINE = ["provider: offline", "model: m"]
HAIKU = {"haiku": ["provider: anthropic", "model: claude-haiku-4-5"]}


def prompt(path="prompts/triage.prompt.yml", text="{{ticket}}", **more):
    message = Message(role=Role.USER, content=text)
    read = PromptFile(path=path, format="github", dialect=Dialect.GITHUB, messages=(message,), **more)
    return FoundPrompt(path, read, variables_of(read))


def cases(path, *expected, **inputs):
    inputs = inputs or {"ticket": "t"}
    return TestSet(
        path=path, cases=tuple(TestCase(id=str(i), inputs=inputs, expected=e) for i, e in enumerate(expected))
    )


def proposed(prompts, test_sets=()):
    def reread(path, columns):
        raise SourceError("not in this test")

    return propose(prompts, test_sets, reread)


def test_a_prompt_is_paired_with_the_test_set_that_has_its_variables():
    (lineage,) = proposed([prompt()], [cases("tests/other.jsonl", "a", "b", email="x"), cases("tests/t.jsonl", "a")])
    assert (lineage.name, lineage.tests, lineage.cases) == ("triage", "tests/t.jsonl", 1)


@pytest.mark.parametrize(
    "others",
    [
        [cases("zzz.csv", "a")],
        [cases("tests/triage-ticket.csv", None)],
        [cases("zzz.csv", "a", "b", "c")],
    ],
    ids=["another name", "no expectation", "more cases, another name"],
)
def test_of_two_fitting_test_sets_the_one_that_says_more_or_is_named_alike_is_taken(others):
    (lineage,) = proposed([prompt()], [*others, cases("tests/triage.jsonl", "a")])
    assert lineage.tests == "tests/triage.jsonl"


def test_a_test_set_fits_when_most_of_its_cases_do():
    """A misspelt input in one case is for the linter to find."""
    good = cases("tests/t.jsonl", "a", "b", "a")
    odd = TestCase(id="odd", inputs={"tikcet": "t"}, expected="b")
    (lineage,) = proposed([prompt()], [good.model_copy(update={"cases": (*good.cases, odd)})])
    assert lineage.tests == "tests/t.jsonl"
    half = good.model_copy(update={"cases": (good.cases[0], odd)})
    assert proposed([prompt()], [half])[0].tests is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ticket}}", "most cases of tests/triage.csv lack the input ticket (they have body, title)"),
        ("{{title}} {{ticket}}", "most cases of tests/triage.csv lack the input ticket (they have body, title)"),
        ("{{a}} {{b}}", "most cases of tests/triage.csv lack the inputs a, b (they have body, title)"),
        (
            "{{input}}",
            "most cases of tests/triage.csv have no column `input` for the user's message (they have body, title)",
        ),
    ],
)
def test_a_test_set_that_is_named_like_the_prompt_and_does_not_fit_is_pointed_out(text, why):
    near = cases("tests/triage.csv", "a", "b", body="x", title="y")
    other = cases("tests/mail.csv", "a", "b", body="x", title="y")
    (lineage,) = proposed([prompt(text=text)], [other, near])
    assert lineage.why == why
    assert proposed([prompt()], [other])[0].why == "no test set was found"


def test_no_name_of_a_repository_breaks_out_of_a_comment():
    near = cases("tests/triage\nmode: inform\n.csv", "a", body="x", title="y")
    text = configuration_text(proposed([prompt()], [near]), {"m": OFFLINE})
    assert "mode: inform\n" not in text.replace("mode: inform                  # first", "")


def test_few_distinct_texts_are_labels():
    (lineage,) = proposed([prompt()], [cases("t.jsonl", "b", "a", "a", "b")])
    assert (lineage.use_case, lineage.labels) == (UseCase.CLASSIFICATION, ("a", "b"))


@pytest.mark.parametrize(
    ("own", "use_case"), [({"contains": "x"}, "generation"), ({"uses": "github/relevance"}, "classification")]
)
def test_a_prompts_own_rules_score_it_and_its_judges_leave_that_to_labels(own, use_case):
    rows = tuple({"ticket": str(n), "expected": "ab"[n % 2]} for n in range(4))
    (lineage,) = proposed([prompt(test_data=rows, evaluators=(InlineEvaluator(name="e", **own),))])
    assert (lineage.use_case, lineage.gates) == (use_case, True)


def test_maps_are_fields_with_a_rule_by_what_they_hold():
    row = {"score": 1, "skills": ["a"], "since": "2024-01-31", "name": "Ada", "empty": None}
    (lineage,) = proposed([prompt()], [cases("t.jsonl", row, row)])
    assert lineage.use_case == UseCase.EXTRACTION
    assert {name: rule.kind for name, rule in lineage.fields.items()} == {
        "score": FieldKind.NUMBER,
        "skills": FieldKind.SET,
        "since": FieldKind.DATE,
        "name": FieldKind.NORMALISED,
        "empty": FieldKind.NORMALISED,
    }


def test_anything_else_is_generation():
    (lineage,) = proposed([prompt()], [cases("t.jsonl", "one", "two", "three", "four", "five")])
    assert lineage.use_case == UseCase.GENERATION


def test_inline_test_data_needs_no_test_set():
    (lineage,) = proposed([prompt(test_data=({"ticket": "x", "expected": "a"}, {"ticket": "y", "expected": "b"}) * 2)])
    assert (lineage.tests, lineage.cases, lineage.use_case) == (None, 4, UseCase.CLASSIFICATION)


@pytest.mark.parametrize(
    "expected",
    [
        ["a"] * 4,
        ["a", "b"],
        ["a", "b", None, "a"][:3],
        ["a" * 61, "b"] * 2,
        ["a\nb", "b"] * 2,
        [f"{n // 2}" for n in range(82)],
    ],
    ids=["one", "two cases", "three cases", "long", "of two lines", "41 labels"],
)
def test_texts_that_are_no_labels_are_not_taken_for_some(expected):
    (lineage,) = proposed([prompt()], [cases("t.jsonl", *expected)])
    assert (lineage.use_case, lineage.labels, lineage.gates) == (UseCase.GENERATION, (), False)


def test_numbers_and_truth_values_are_labels_too():
    assert proposed([prompt()], [cases("t.jsonl", *[True, False] * 2)])[0].labels == ("false", "true")
    assert proposed([prompt()], [cases("t.jsonl", *[1, 2] * 2)])[0].labels == ("1", "2")


def test_only_what_something_scores_is_written_as_a_lineage():
    """No check is invented: the rest are drafts in comments, and a prompt's own evaluators need nothing."""
    bare, own = prompt("a.md"), prompt("b.yml", test_data=({"ticket": "x"},), evaluators=(InlineEvaluator(name="said", contains="x"),))  # fmt: skip
    text = configuration_text(proposed([bare, own]), HAIKU)
    (lineage,) = read_config("promptverdict.yaml", text.encode()).lineages.values()
    assert (lineage.prompt, lineage.checks, lineage.rubric) == ("b.yml", (), None)
    assert "by the prompt's own evaluators" in text
    draft = re.sub(
        r"^  # ((?: |a:).*)", r"  \1", text.partition("Kind regards")[2].partition("\n")[2], flags=re.MULTILINE
    )
    rest = text.partition("\n  # Drafts")[0]
    again = read_config("promptverdict.yaml", f"{rest}\n{draft}".encode()).lineages
    assert (again["a"].prompt, again["a"].tests) == ("a.md", "path/to/cases.jsonl")


def test_many_drafts_are_counted_and_not_listed():
    text = configuration_text(proposed([prompt(f"{n}.md") for n in range(100)]), {"m": OFFLINE})
    assert len(text.splitlines()) < 50
    assert "and 97 more prompts" in text
    assert read_config("promptverdict.yaml", text.encode()).lineages == {}


def test_two_prompts_of_one_name_get_two_lineages():
    prompts = [prompt("a/x.md"), prompt("b/x.md"), prompt("c/x-2.md")]
    assert [lineage.name for lineage in proposed(prompts)] == ["x", "x-2", "x-2-2"]


def test_the_text_is_yaml_whatever_the_repository_calls_its_files():
    nasty = prompt('a: b/"[x]\n.md')
    labels = ("no", "null", "a: b") * 2
    text = configuration_text(
        proposed(
            [prompt(), nasty, prompt("e.md", "{{e}}")], [cases("t.jsonl", *labels), cases("u.jsonl", {"a b": 1}, e=1)]
        ),
        HAIKU,
    )
    read = yaml.safe_load(text)
    assert read["lineages"]["triage"]["labels"] == ["a: b", "no", "null"]
    assert read["lineages"]["x"]["prompt"] == nasty.written
    assert read["lineages"]["e"]["fields"] == {"a b": {"kind": "number"}}


def test_a_starter_test_set_holds_the_prompts_own_examples():
    text = (
        "Sort tickets.\nTicket: my card was charged\nLabel: billing\n\n**Input 2**: money back\nOutput: refunds\n"
        '- "where is it" -> shipping.\n- "{order}" -> other\nTicket: {{ticket}}\nLabel:'
    )
    path, written = starter_path("triage"), starter_text(prompt("a.md", text).prompt, ["ticket"])
    tests = read_test_set(path, written.encode())
    assert path == "evals/triage.draft.jsonl"
    assert {(case.inputs["ticket"], case.expected) for case in tests.cases} == {
        ("my card was charged", "billing"), ("money back", "refunds"), ("where is it", "shipping"),
    }  # fmt: skip
    assert "gates nothing" in json.loads(written.partition("\n")[0])["_meta"]["draft"]
    several = starter_text(prompt("a.md", text).prompt, ["ticket", "tone"])
    (case,) = read_test_set(path, several.encode()).cases
    assert case.inputs == {"ticket": "…", "tone": "…"}


def test_messages_of_an_assistant_are_examples_too():
    chat = PromptFile(path="a.json", format="chat", dialect=Dialect.GITHUB, messages=[
        Message(role=role, content=text)
        for role, text in (("user", "one"), ("assistant", "A"), ("user", "two"), ("assistant", "B"), ("user", "{{x}}"))
    ])  # fmt: skip
    assert examples_of(chat) == [("one", "A"), ("two", "B")]


MODELS = [
    ((None, None), ("offline-small",), (None, None)),
    (("openai/gpt-4o", None), ("gpt-4o",), (None, None)),
    (("openai/gpt-4o", "gpt-4o"), ("gpt-4o",), (None, None)),
    (("openai/gpt-4o", "claude-haiku-4-5"), ("gpt-4o", "claude-haiku-4-5"), (None, None)),
    (("openai/gpt-4o", "meta/llama-4"), ("gpt-4o",), (None, "gpt-4o")),
    (("meta/llama-4", None), ("offline-small",), ("offline-small", None)),
]


@pytest.mark.parametrize(("named", "models", "runs_on"), MODELS)
def test_every_prompt_runs_on_the_model_that_it_names(named, models, runs_on):
    found = proposed([prompt(f"{n}.md", model=model) for n, model in enumerate(named)])
    entries, lineages = chosen_models(found, {})
    assert [line.removeprefix("model: ") for own in entries.values() for line in own if line.startswith("model: ")] == [*models]  # fmt: skip
    assert tuple(lineage.runs_on for lineage in lineages) == runs_on


def test_a_configuration_says_why_a_prompt_runs_on_another_model():
    found = proposed([prompt(model="meta/llama-4")], [cases("t.jsonl", "a", "b", "a", "b")])
    models, lineages = chosen_models(found, {})
    assert (
        "    model: offline-small  # its file names meta/llama-4, whose provider is unknown here\n"
        in configuration_text(lineages, models)
    )
