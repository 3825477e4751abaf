"""A test set in several files: what is watched, what counts as removed, and what is refused."""

import json

import pytest

from engine.readers.file_patterns import matches
from tests.detect.pullrequests import CONFIG, TESTS, codes, detected, kinds, only
from tests.repositories import Link

ONE, TWO = TESTS.splitlines(keepends=True)
THREE = '{"id": "three", "input": "pay back", "expected": "refunds"}\n'
PROTECTED = ONE.replace("}", ', "protected": true, "slices": ["must"]}')


def configured(tests):
    return {"promptverdict.yaml": CONFIG.replace("tests: tests/triage.jsonl", f"tests: {json.dumps(tests)}")}


GLOB = {**configured("evals/*.jsonl"), "tests/triage.jsonl": None, "evals/a.jsonl": PROTECTED, "evals/b.jsonl": TWO}
LIST = {**GLOB, **configured(["evals/a.jsonl", "evals/b.jsonl"])}


@pytest.mark.parametrize("base", [GLOB, LIST], ids=["glob", "list"])
def test_cases_of_several_files_are_one_test_set_in_a_stable_order(repository, base):
    change = only(detected(repository, {"prompts/triage.md": "Other: {{ input }}"}, base=base))
    assert [(case.id, case.where) for case in change.tests.cases] == [
        ("one", "evals/a.jsonl:1"),
        ("two", "evals/b.jsonl:1"),
    ]
    assert change.tests.counts == {"evals/a.jsonl": 1, "evals/b.jsonl": 1}
    assert (change.tests.cases[0].protected, change.tests.cases[0].slices) == (True, ("must",))
    assert codes(change) == []


MOVED = {"evals/a.jsonl": "", "evals/b.jsonl": TWO + PROTECTED}
NEEDS_REVIEW = ["tests_changed: needs_review"]


@pytest.mark.parametrize(
    ("base", "head", "removed", "edited", "added", "said"),
    [
        (GLOB, MOVED, (), (), (), []),
        (LIST, MOVED, (), (), (), []),
        (GLOB, {"evals/a.jsonl": None, "evals/c.jsonl": PROTECTED}, (), (), (), []),
        (GLOB, {"evals/b.jsonl": None}, ("two",), (), (), NEEDS_REVIEW),
        (GLOB, {"evals/a.jsonl": None}, ("one",), (), (), NEEDS_REVIEW),
        (GLOB, {"evals/a.jsonl": None, "evals/b.jsonl": None}, ("one", "two"), (), (), NEEDS_REVIEW),
        (LIST, {"evals/b.jsonl": None}, ("two",), (), (), NEEDS_REVIEW),
        (GLOB, {"evals/a.jsonl": None, "kept/a.jsonl": PROTECTED}, ("one",), (), (), NEEDS_REVIEW),
        (GLOB, {"evals/a.jsonl": ONE}, (), ("one",), (), NEEDS_REVIEW),
        (GLOB, {"evals/c.jsonl": THREE}, (), (), ("three",), []),
        (GLOB, configured(["evals/a.jsonl"]), ("two",), (), (), NEEDS_REVIEW),
        (GLOB, configured(["evals/b.jsonl", "evals/a.jsonl"]), (), (), (), []),
    ],
)
def test_cases_are_compared_by_id_in_whichever_file_they_are(repository, base, head, removed, edited, added, said):
    change = only(detected(repository, {**head, "prompts/triage.md": "Other: {{ input }}"}, base=base))
    assert (change.removed_cases, change.edited_cases) == (removed, edited)
    assert tuple(case.id for case in change.added_cases) == added
    assert codes(change) == said
    assert len(change.tests.cases) == 2  # base's cases judge


def test_a_new_file_beside_the_pattern_is_no_change(repository):
    assert detected(repository, {"evals/c.csv": "input,expected\na,b\n"}, base=GLOB).lineages == ()
    assert kinds(only(detected(repository, {"evals/c.jsonl": THREE}, base=GLOB))) == ["tests"]


@pytest.mark.parametrize(
    ("base", "head", "sentence"),
    [
        (
            {**GLOB, **configured("no/*.jsonl")},
            {"prompts/triage.md": "Other: {{ input }}"},
            "triage: the test set can't be read: lineages.triage.tests: no file matches no/*.jsonl (check the pattern).",
        ),
        (
            {**GLOB, **configured(["evals/*.jsonl", "evals/typo.csv"])},
            {"prompts/triage.md": "Other: {{ input }}"},
            ("triage: the test set can't be read: evals/typo.csv: this file doesn't exist "
            "(check the path in the configuration)."),
        ),
        (
            GLOB,
            {"evals/c.jsonl": THREE + ONE},
            ("triage: this pull request's test set can't be read: evals/c.jsonl:2: two cases have the id one "
            "(evals/a.jsonl:1 and evals/c.jsonl:2) (give each its own id, or remove one)."),
        ),
        (
            GLOB,
            {"evals/c.jsonl": Link("a.jsonl")},
            ("triage: this pull request's test set can't be read: evals/c.jsonl: this is a symbolic link, which is not "
            "followed (commit the file)."),
        ),
        (
            GLOB,
            configured(["evals/*.jsonl", "evals/new/*.jsonl"]),
            ("triage: this pull request's test set can't be read: lineages.triage.tests: no file matches "
            "evals/new/*.jsonl (check the pattern)."),
        ),
        (
            GLOB,
            {"evals/c.jsonl": THREE + "{"},
            ("triage: this pull request's test set can't be read: evals/c.jsonl:2:2: expected a key in quotes here "
            "(check commas, quotes and brackets here)."),
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_read_says_where(repository, base, head, sentence):
    change = only(detected(repository, head, base=base))
    assert [(reason.sentence, reason.status.value) for reason in change.reasons] == [(sentence, "error")]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("evals/*.yaml", "evals/a.yaml", True),
        ("evals/*.yaml", "evals/x/a.yaml", False),
        ("evals/*.yaml", "evals/a.yml", False),
        ("evals/**/*.yaml", "evals/a.yaml", True),
        ("evals/**/*.yaml", "evals/x/y/a.yaml", True),
        ("**/cases.csv", "cases.csv", True),
        ("**/cases.csv", "a/b/cases.csv", True),
        ("**/cases.csv", "a/b/other.csv", False),
        ("evals/**", "evals/a/b", True),
        ("a?.csv", "ab.csv", True),
        ("a?.csv", "a.csv", False),
        ("a[b]*.csv", "a[b]1.csv", True),
        ("a[b]*.csv", "ab1.csv", False),
        ("*" * 200 + "b", "a" * 2000, False),
        ("*a" * 100 + "b", "a" * 4000, False),
        ("**/" * 100 + "b", "a/" * 1000 + "c", False),
    ],
)
def test_a_pattern_matches_within_names_and_across_folders(pattern, path, expected):
    assert matches(pattern, path) is expected
