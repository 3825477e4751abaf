"""Cases that repeat another one with noise (``same_as``)."""

import json

import pytest

from action.cli.folder import Folder
from engine.readers.test_files import read_tests
from schemas.errors import SourceError

FIRST = {"id": "a", "input": "charged twice", "expected": "billing", "must": ["x"], "must_not": ["refunds"]}


def read(tmp_path, *rows, other=()):
    for name, written in (("cases", rows), ("other", other)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return read_tests(["cases.jsonl", "other.jsonl"] if other else ["cases.jsonl"], Folder(tmp_path))


def test_what_it_lacks_comes_from_the_other_case(tmp_path):
    bare = {"id": "b", "input": "charged twice!!", "same_as": "a"}
    own = {"id": "c", "input": "chargd twice", "same_as": "a", "expected": "refunds", "must_not": ["HACKED"]}
    first, second, third = read(tmp_path, FIRST, bare, other=[own]).cases
    assert (second.expected, second.must, second.must_not) == (first.expected, first.must, first.must_not)
    assert (third.expected, third.must, third.must_not) == ("refunds", first.must, ("HACKED",))
    assert first.model_dump(mode="json").keys().isdisjoint({"same_as"})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "b", "input": "x", "same_as": "cc"}], "same_as names no case: cc (name the id of another case)"),
        ([{"id": "b", "input": "x", "same_as": "b"}], "same_as names the case itself"),
        (
            [{"id": "b", "input": "x", "same_as": "a"}, {"id": "c", "input": "y", "same_as": "b"}],
            "same_as names b, which has a same_as of its own (name a instead)",
        ),
        ([{"id": "b", "input": "x", "same_as": ["a"]}], "same_as is not text"),
    ],
)
def test_a_wrong_name_is_an_error_at_its_place(tmp_path, rows, said):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, FIRST, *rows)
    assert said in str(caught.value)
    assert f"cases.jsonl:{1 + len(rows)}" in str(caught.value)


def test_a_column_may_name_the_other_case(tmp_path):
    (tmp_path / "cases.csv").write_text("id,input,expected,same_as\n7,charged twice,billing,\nb,chargd twice,,7\n")
    first, second = read_tests(["cases.csv"], Folder(tmp_path)).cases
    assert (first.same_as, second.same_as, second.expected) == (None, "7", "billing")
