"""Slices written into test sets: only what is wanted changes, in each format."""

import pytest

from engine.readers.testsets import read_test_set
from engine.slices.writing import with_slices
from engine.test_edits import NoEditError
from schemas.testsets import Columns

CHOSEN = {"a": "edge", "c": "adversarial", "b": "never"}


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "t.jsonl",
            '{"id":"a","input":"x"}\n\n{"id": "b", "input": "y", "slices": ["typical"]}\n{"id": "c",  "input": "é"}',
            (
                '{"id":"a","input":"x","slices":["edge"]}\n\n{"id": "b", "input": "y", "slices": ["typical"]}\n'
                '{"id": "c",  "input": "é",  "slices": ["adversarial"]}'
            ),
        ),
        (
            "t.jsonl",
            '\ufeff{"id": "a", "input": "x", "slices": []}\r\n{"id": "b", "input": "y", "slices": ["s"]}\r\n',
            '\ufeff{"id": "a", "input": "x", "slices": ["edge"]}\r\n{"id": "b", "input": "y", "slices": ["s"]}\r\n',
        ),
        (
            "t.json",
            '[\n  {"id": "a", "input": "x"},\n  {"id": "b", "input": "y", "slice": "s"}\n]\n',
            '[\n  {"id": "a", "input": "x", "slice": "edge"},\n  {"id": "b", "input": "y", "slice": "s"}\n]\n',
        ),
        ("t.csv", 'id,input\na,"x, y"\nb,z\nc,"w"\n', 'id,input,slices\na,"x, y",edge\nb,z,never\nc,"w",adversarial\n'),
        ("t.csv", 'id,slice,input\na,,x\nb,"s",y\nc,"",z\n', 'id,slice,input\na,edge,x\nb,"s",y\nc,"adversarial",z\n'),
        (
            "t.yaml",
            "# ours\n- id: a  # first\n  input: |\n    x\n- {id: b, input: y, slices: [typical]}\n- id: c\n  input: 'z'\n",
            (
                "# ours\n- id: a  # first\n  slices: [edge]\n  input: |\n    x\n- {id: b, input: y, slices: [typical]}\n"
                "- id: c\n  input: 'z'\n  slices: [adversarial]\n"
            ),
        ),
    ],
    ids=["jsonl", "bom-crlf", "json", "csv", "csv-column", "yaml"],
)
def test_only_cases_without_a_slice_change(path, before, after):
    assert with_slices(path, before.encode(), CHOSEN).decode() == after


def test_a_key_of_ones_own_is_kept():
    columns = Columns(inputs={"input": "q"}, slices="kind")
    data = b'{"id": "a", "q": "x", "kind": null}\n{"id": "b", "q": "y", "kind": "typical"}\n'
    written = with_slices("t.jsonl", data, CHOSEN, columns)
    assert [case.slices for case in read_test_set("t.jsonl", written, columns).cases] == [("edge",), ("typical",)]
    assert written.endswith(b'{"id": "b", "q": "y", "kind": "typical"}\n')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("t.jsonl", '{"id": "a", "input": "x"}\r\n{"id": "b", "input": "y"}\n'),
        ("t.csv", "id;input\na;x\nb;y\n"),
        ("promptfooconfig.yaml", "prompts: [p.txt]\ntests:\n  - vars: {x: 1}\n"),
    ],
)
def test_a_file_that_can_not_be_edited_safely_stays(path, text):
    with pytest.raises(NoEditError):
        with_slices(path, text.encode(), CHOSEN)
