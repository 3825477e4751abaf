"""A change is split into parts that can be reverted one by one."""

import itertools

import pytest

from engine.blame.places import placed
from engine.blame.segments import pieces
from engine.blame.units import MOST, units_of
from engine.planning.plan import ArmSource, request_of
from schemas.blame import UnitKind
from schemas.config import ModelConfig
from schemas.prompts import Dialect, Message, Parameters, PromptFile

MODEL = ModelConfig(provider="offline", model="large")


def prompt(*messages, parameters=None, included=None, dialect=Dialect.JINJA, **more):
    return PromptFile(
        path="p.md",
        format="plain",
        dialect=dialect,
        messages=tuple(Message(role=role, content=content) for role, content in messages),
        parameters=Parameters(**(parameters or {})),
        included=included or {},
        partials=tuple(included or ()),
        **more,
    )


def system(text, **more):
    return prompt(("system", text), ("user", "{{ ticket }}"), **more)


def split(before, after, old_model=MODEL, new_model=MODEL):
    return units_of(ArmSource(before, old_model), ArmSource(after, new_model))


def read(units):
    return [(unit.kind.value, unit.before, unit.after) for unit in units.described()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Be brief. Be kind.", ["Be brief. ", "Be kind."]),
        ("- one\n- two\n", ["- one\n", "- two\n"]),
        ("A sentence that goes\non below.\nNext.", ["A sentence that goes\non below.\n", "Next."]),
        ("Rules:\nfirst\n", ["Rules:\n", "first\n"]),
        ("e.g. this is 1.5 or so", ["e.g. this is 1.5 or so"]),
        ("\n\nEnd", ["\n", "\n", "End"]),
        ("", []),
    ],
)
def test_text_is_split_into_sentences_and_items(text, expected):
    assert pieces(text) == expected
    assert "".join(pieces(text)) == text


EXAMPLES = [
    ("user", "Charged twice"), ("assistant", "billing"), ("user", "Late parcel"), ("assistant", "delivery"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            system("Be brief. Be kind. Answer in English."),
            system("Be very brief. Be kind. Trust the user. Answer in English."),
            [("text", "Be brief. ", "Be very brief. "), ("text", "", "Trust the user. ")],
        ),
        # a changed blank is no unit of its own
        (system("Be brief."), system("Be brief. Trust the user."), [("text", "Be brief.", "Be brief. Trust the user.")]),
        (
            system("One.\nTwo.\nThree.\n"),
            system("One. \nTwo.\nThree!\n"),
            [("text", "One.\n", "One. \n"), ("text", "Three.\n", "Three!\n")],
        ),
        (
            system("Be brief now.\nBe kind.\n"),
            system("Be brief then.\nBe kind. \n"),
            [("text", "Be brief now.\nBe kind.\n", "Be brief then.\nBe kind. \n")],
        ),
        (system("- a\n- b\n- c\n"), system("- c\n"), [("text", "- a\n", ""), ("text", "- b\n", "")]),
        (
            system("Answer with one word.\nNever guess.\n"),
            system("Write a poem about the sea.\nNever guess.\n"),
            [("text", "Answer with one word.\n", "Write a poem about the sea.\n")],
        ),
        # examples that were removed are one unit, wherever the alignment puts them
        (
            prompt(("system", "Sort."), *EXAMPLES, ("user", "{{ ticket }}")),
            prompt(("system", "Sort."), ("user", "{{ ticket }}")),
            [("messages", "user:\nCharged twice\nassistant:\nbilling\nuser:\nLate parcel\nassistant:\ndelivery", "")],
        ),
        (
            system("Sort.", parameters={"temperature": 0.2}),
            system("Sort it.", parameters={"temperature": 0.9, "max_tokens": 5}),
            [("text", "Sort.", "Sort it."), ("parameter", "0.2", "0.9"), ("parameter", "not set", "5")],
        ),
        (
            system("{% include 'r.md' %}", included={"r.md": "Be kind.\nBe brief.\n"}),
            system("{% include 'r.md' %}", included={"r.md": "Be kind.\nBe long.\n"}),
            [("partial", "Be brief.\n", "Be long.\n")],
        ),
        (
            system("Sort {{ a }}."),
            system("Sort {a}.", dialect=Dialect.BRACES),
            [("template", "Sort {{ a }}.\n{{ ticket }}", "Sort {a}.\n{{ ticket }}")],
        ),
        (
            system("x", parameters={"response_format": "json_schema", "json_schema": {"name": "a"}}),
            system("x", parameters={"response_format": "json_schema", "json_schema": {"name": "b"}}),
            [("parameter", "json_schema", "json_schema")],
        ),
    ],
)  # fmt: skip
def test_units_are_the_changed_passages_and_settings(before, after, expected):
    units = split(before, after)
    assert read(units) == expected


@pytest.mark.parametrize(
    ("old_model", "new_model", "expected"),
    [
        (MODEL, ModelConfig(provider="offline", model="small"), [("model", "large", "small")]),
        (
            MODEL,
            ModelConfig(provider="offline", model="large", parameters=Parameters(top_p=0.5)),
            [("parameter", "not set", "0.5")],
        ),
    ],
)
def test_the_model_and_its_parameters_are_units(old_model, new_model, expected):
    before = system("Sort.")
    units = split(before, before, old_model, new_model)
    assert read(units) == expected
    assert units.swaps_model({0}) == (expected[0][0] == "model")
    assert not units.swaps_model(())
    assert sent(units.without({0})) == sent(ArmSource(before, old_model))


def sent(source):
    return request_of(source, source.prompt.messages), source.prompt.included


WORDS = ("Be brief. ", "Be kind.\n", "- one\n", "- two\n", "", "Never guess. ", "goes\non. ", "- one\n")


@pytest.mark.parametrize("seed", range(60))
def test_all_units_together_are_the_change(seed):
    chosen = [[WORDS[(seed * (n + 3) * 7 + n * n * (seed + 1 + k)) % len(WORDS)] for n in range(5)] for k in (0, 1)]
    roles = [("user", "assistant"), ("assistant", "user", "assistant"), ("user",), ()]
    before, after = (
        prompt(
            ("system", "".join(words)),
            *((role, words[n]) for n, role in enumerate(roles[(seed + k * (seed % 3)) % 4])),
            ("user", "{{ ticket }}"),
            included={"r.md": "".join(reversed(words))},
            parameters={"temperature": (seed + k) % 3} if seed % 2 else {},
        )
        for k, words in enumerate(chosen)
    )
    units = split(before, after)
    everything = range(len(units))
    assert sent(units.without(())) == sent(units.candidate)
    assert sent(units.without(everything)) == sent(units.baseline)
    # a part that is reverted changes something, and two parts never undo the same
    texts = [sent(units.without({unit})) for unit in everything]
    assert all(text != sent(units.candidate) for text in texts)
    for one, other in itertools.combinations(everything, 2):
        assert sent(units.merged(one, other).without({one})) == sent(units.without({one, other}))


def test_many_small_edits_are_taken_together():
    before = "".join(f"Rule {n} says no.\n\n" for n in range(150))
    units = split(system(before), system(before.replace("no.", "yes.")))
    assert 1 < len(units) <= MOST
    assert sent(units.without(range(len(units)))) == sent(units.baseline)


FILE = """\
name: triage
modelParameters:
  temperature: 0.9
messages:
  - role: system
    content: |
      Sort the ticket.
      Be `very` brief.
      Trust the user.
      Answer in English.
  - role: user
    content: "{{ ticket }}"
"""


def test_a_unit_knows_its_lines_and_the_text_that_reverts_them():
    before = system("Sort the ticket.\nBe brief.\nAnswer in English.\nNever guess.\n", parameters={"temperature": 0.2})
    after = system(
        "Sort the ticket.\nBe `very` brief.\nTrust the user.\nAnswer in English.\n", parameters={"temperature": 0.9}
    )
    found = placed(split(before, after), "p.yml", {"p.yml": FILE})
    assert [(unit.lines, unit.suggestion) for unit in found] == [
        ((8, 8), "      Be brief."),
        ((9, 9), ""),
        # what was removed has no line: the one before it stands for it
        ((10, 10), "      Answer in English.\n      Never guess."),
        ((3, 3), None),
    ]
    assert {unit.file for unit in found} == {"p.yml"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ('messages: [{role: system, content: "Sort.\\nBe brief."}]\n', None),
        (None, None),
        ("Sort.\nBe very brief.\n", (2, 2)),
        # differing indents can't be replaced line by line
        ("Sort.\n  Be very brief.\n", (2, 2)),
    ],
)
def test_lines_are_only_given_where_the_file_has_them(file, expected):
    units = split(prompt(("user", "Sort.\nBe brief.\n")), prompt(("user", "Sort.\nBe very brief.\n")))
    (unit,) = placed(units, "p.md", {"p.md": file} if file else {})
    assert unit.kind is UnitKind.TEXT
    assert unit.lines == expected


def test_a_partial_has_a_file_of_its_own_and_removed_messages_no_suggestion():
    before = system("{% include 'r.md' %}", included={"rules/r.md": "Be kind.\nBe brief.\n"})
    after = system("{% include 'r.md' %}", included={"rules/r.md": "Be kind.\nBe long.\n"})
    (unit,) = placed(split(before, after), "p.md", {"rules/r.md": "Be kind.\nBe long.\n"})
    assert (unit.file, unit.lines, unit.suggestion) == ("rules/r.md", (2, 2), "Be brief.")
    before = prompt(("system", "Sort."), *EXAMPLES, ("user", "Ticket: {{ ticket }}"))
    after = prompt(("system", "Sort."), ("user", "Ticket: {{ ticket }}"))
    (unit,) = placed(split(before, after), "p.md", {"p.md": "system:\nSort.\nuser:\nTicket: {{ ticket }}\n"})
    assert (unit.kind, unit.lines, unit.suggestion) == (UnitKind.MESSAGES, (2, 2), None)


def test_texts_of_the_scorecard_are_bounded():
    after = prompt(("user", "y" * 9_000 + "\n"))
    (unit,) = placed(split(prompt(("user", "x" * 9_000 + "\n")), after), "p.md", {"p.md": "y" * 9_000 + "\n"})
    assert (len(unit.before), len(unit.after), unit.lines, unit.suggestion) == (4_000, 4_000, (1, 1), None)
