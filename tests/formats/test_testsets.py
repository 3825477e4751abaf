"""Test sets in the formats that people have."""

import json
import time

import pytest

from engine.readers.testsets import read_test_set
from schemas.errors import SourceError


def read(text, path="t.jsonl"):
    return read_test_set(path, text.encode() if isinstance(text, str) else text)


def mistake(text, path="t.jsonl"):
    with pytest.raises(SourceError) as caught:
        read(text, path)
    return str(caught.value).removeprefix(f"{path}:")


def test_a_thousand_cases_of_jsonl_take_milliseconds():
    line = json.dumps({"slice": "typical", "input": "My card was charged twice. " * 8, "expected": "billing"})[:-1]
    data = "\n".join(f'{line}, "id": "c{i}"}}' for i in range(1000)).encode()
    read_test_set("t.jsonl", data)
    begin = time.perf_counter()
    assert len(read_test_set("t.jsonl", data).cases) == 1000
    assert time.perf_counter() - begin < 0.25  # 15 ms on a machine of its own


def test_studio_jsonl_reads_as_it_is():
    (case,) = read(
        '{"id": "c1", "slice": "edge", "input": "hi", "expected": "billing", "rubric_notes": "be kind"}'
    ).cases
    assert (case.id, case.slices, case.inputs, case.expected, case.rubric) == (
        "c1",
        ("edge",),
        {"input": "hi"},
        "billing",
        "be kind",
    )


def test_a_case_without_an_id_is_named_after_its_inputs():
    first, second = read('{"input": "a"}\n\n{"inputs": {"input": "b"}}\n').cases
    assert first.id != second.id
    assert first.id == read('{"inputs": {"input": "a"}, "slice": "x"}').cases[0].id
    assert (first.line, second.line) == (1, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": 1, "input": "a"}\n{"id": "1", "input": "b"}', "2: two cases have the id 1 (line 1 and line 2) (give each its own id, or remove one)"),
        ('{"input": "a"}\n{"input": "a"}', "2: two cases have the same inputs and no ids of their own (line 1 and line 2) (give each its own id, or remove one)"),
        ('{"id": "a"}', "1: the case has no inputs (add input: text, or inputs: {name: value})"),
        ('\n{"input": "a", "protcted": true}', "2: unknown key protcted of a case (did you mean protected?)"),
        ('{"input": "a", "input": "b"}', "1:16: the key input is there twice (first at line 1) (remove one of the two)"),
        ('{"input": NaN}', "1:11: not valid JSON at 'NaN}' (check commas, quotes and brackets here)"),
        ('{"input": 1e999}', "1:11: 1e999 is too large a number (quote it if it is text)"),
        ("[1]", '1: this line is not a JSON object (write one case a line: {"id": …, "input": …})'),
        ('{"input": "a"', "1:14: the JSON should go on with , or } here (check commas, quotes and brackets here)"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line_and_the_mend(text, said):
    assert mistake(text) == said
