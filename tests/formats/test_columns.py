"""Test sets under the names that people give to inputs and expectations."""

import json

import pytest

from engine.readers.testsets import read_test_set
from schemas.errors import SourceError
from schemas.testsets import Columns

QUESTION = {"question": "Where is Rome?"}
MESSAGES = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Where is Rome?"}]
GOLDEN = {"input": "Where is Rome?", "expected_output": "Italy", "context": ["Rome is in Italy"]}


def rows(*given):
    return "\n".join(map(json.dumps, given))


@pytest.mark.parametrize(
    ("path", "text", "inputs", "expected"),
    [
        ("q.jsonl", rows(QUESTION | {"answer": "Italy"}), QUESTION, "Italy"),
        ("q.csv", "question,ground_truth\nWhere is Rome?,Italy\n", QUESTION, "Italy"),
        ("c.csv", "text,label\ncharged,billing\n", {"text": "charged"}, "billing"),
        ("c.csv", "Input,Expected\ncharged,billing\n", {"input": "charged"}, "billing"),
        ("c.csv", ",text,label\n0,charged,billing\n", {"text": "charged"}, "billing"),
        ("c.csv", "Unnamed: 0,text,label\n0,charged,billing\n", {"text": "charged"}, "billing"),
        ("c.csv", "\ufefftext;expected\n\"a, b\";billing\n", {"text": "a, b"}, "billing"),
        ("c.tsv", "text\tlabel\na, b; c\tbilling\n", {"text": "a, b; c"}, "billing"),
        ("c.csv", "input,reference,language\ncharged,billing,en\n", {"input": "charged", "language": "en"}, "billing"),
        ("m.jsonl", rows({"input": MESSAGES, "ideal": ["Italy"]}), {"input": "Where is Rome?"}, ["Italy"]),
        ("m.jsonl", rows({"messages": [*MESSAGES, {"role": "assistant", "content": "Italy"}]}), {"input": "Where is Rome?"}, "Italy"),
        ("m.jsonl", rows({"messages": [{"role": "user", "content": [{"type": "text", "text": "Where?"}]}]}), {"input": "Where?"}, None),
        (
            "m.jsonl",
            rows({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, *MESSAGES[1:]]}),
            {"input": "Where is Rome?", "history": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
            None,
        ),
        ("i.jsonl", rows({"item": {"ticket": "dead", "correct_label": "Hardware"}}), {"ticket": "dead"}, "Hardware"),
        ("l.jsonl", rows({"inputs": QUESTION, "outputs": {"answer": "Italy"}}), QUESTION, "Italy"),
        ("l.jsonl", rows({"inputs": QUESTION, "outputs": {"a": 1, "b": 2}}), QUESTION, {"a": 1, "b": 2}),
        ("l.jsonl", rows({"inputs": QUESTION, "outputs": {"country": "Italy"}}), QUESTION, {"country": "Italy"}),
        ("l.jsonl", rows({"inputs": QUESTION, "expected": {"answer": "Italy"}}), QUESTION, {"answer": "Italy"}),
        ("f.jsonl", rows({"input": QUESTION, "expectedOutput": {"answer": "Italy"}, "metadata": {"a": 1}}), QUESTION, "Italy"),
        ("g.json", json.dumps([GOLDEN]), {"input": "Where is Rome?", "context": ["Rome is in Italy"]}, "Italy"),
        ("a.json", json.dumps([{"instruction": "Sort", "input": "x", "output": "y"}]), {"instruction": "Sort", "input": "x"}, "y"),
        ("p.jsonl", rows({"prompt": "Sort: x", "completion": "y"}), {"prompt": "Sort: x"}, "y"),
        ("w.json", json.dumps({"version": 1, "test_cases": [{"input": "x", "expected": "y"}]}), {"input": "x"}, "y"),
        ("w.yaml", "examples:\n- input: x\n  output: y\n", {"input": "x"}, "y"),
        ("t.yaml", "- vars: {q: Where?}\n  assert: [{type: equals, value: Italy}]\n", {"q": "Where?"}, "Italy"),
        ("n.jsonl", rows({"input": "x", "expected": 0}), {"input": "x"}, 0),
        ("n.jsonl", rows({"input": "x", "label": False}), {"input": "x"}, False),
        ("n.jsonl", rows({"input": "x", "label": "y", "target": "y"}), {"input": "x"}, "y"),
        ("n.jsonl", rows({"input": "x", "label": "y", "answer": ""}), {"input": "x"}, "y"),
        ("n.jsonl", rows({"input": "x", "expected": "y", "sourceId": 4}), {"input": "x", "sourceId": 4}, "y"),
        ("n.jsonl", rows({"_meta": {"version": 2}}, {"input": "x", "expected": "y"}), {"input": "x"}, "y"),
    ],
)  # fmt: skip
def test_people_name_inputs_and_expectations_in_many_ways(path, text, inputs, expected):
    (case,) = read_test_set(path, text.encode()).cases
    assert (case.inputs, case.expected) == (inputs, expected)


@pytest.mark.parametrize(
    ("about", "warned"), [({"_meta": {"a": 1}}, 0), ({"_note": "x"}, 1), ({"_meta": 1, "_b": 2}, 1)]
)
def test_only_an_unusual_row_about_the_file_is_warned_of(about, warned):
    found = read_test_set("n.jsonl", rows(about, {"input": "x"}).encode())
    assert (len(found.cases), len(found.warnings)) == (1, warned)


def test_what_was_decided_is_said():
    mapping = read_test_set("q.jsonl", rows(QUESTION | {"answer": "Italy", "lang": "en"}).encode()).mapping
    assert mapping == {"expected": ("answer",), "inputs": ("question", "lang")}
    assert (
        read_test_set("q.jsonl", rows({"input": "a", "expected": "b"}, {"inputs": {}, "id": "c"}).encode()).mapping
        == {}
    )


def test_columns_override_what_names_say():
    row = {"case": 7, "q": "Where?", "answer": "a draft", "gold": {"text": "Italy"}, "part": "edge; hard", "from": "k"}
    columns = Columns(
        inputs={"question": "q", "draft": "answer"}, expected="gold.text", id="case", slices="part", cluster="from"
    )
    tests = read_test_set("t.jsonl", rows(row | {"x": 1}).encode(), columns)
    (case,) = tests.cases
    assert (case.id, case.inputs, case.expected) == ("7", {"question": "Where?", "draft": "a draft"}, "Italy")
    assert (case.slices, case.cluster) == (("edge", "hard"), "k")
    assert tests.mapping["inputs"] == ("question = q", "draft = answer")
    assert set(tests.unread["7"]) == {"x", "gold"}  # a change of it is noticed
    bare = read_test_set(
        "t.jsonl", rows({"q": "Where?", "answer": "a draft", "gold": "Italy"}).encode(), Columns(expected="gold")
    )
    assert (bare.cases[0].inputs, bare.cases[0].expected) == ({"q": "Where?", "answer": "a draft"}, "Italy")


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        (rows({"q": "x", "answer": "a", "label": "b"}), None, "t.jsonl:1: answer and label both say what is expected, and they disagree (say which one counts: columns: {expected: answer})"),
        (rows({"q": "x"}), Columns(expected="gold"), "t.jsonl:1: columns names gold, which this case lacks (known: q)"),
        (rows({"q": {"a": 1}}), Columns(expected="q.b"), "t.jsonl:1: columns names q.b, which this case lacks (known: q)"),
        (rows({"q": "x", "protcted": True}), None, "t.jsonl:1: unknown key protcted of a case (did you mean protected?)"),
        (rows({"q": "x", "expect": "y"}), None, "t.jsonl:1: unknown key expect of a case (did you mean expected?)"),
        (rows({"id": "a", "inputs": {"q": "x"}, "must_nt": ["y"]}), None, "t.jsonl:1: unknown key must_nt of a case (did you mean must_not?)"),
        (rows({"messages": MESSAGES[:1]}), None, "t.jsonl:1: the last message isn't the user's (end it with a user message)"),
        (rows({"vars": {}, "assert": [{"type": "contians", "value": "x"}]}), None, "t.jsonl:1: unknown assertion contians (did you mean contains?)"),
        (rows({"vars": {}, "assert": [], "threshold": "x"}), None, "t.jsonl:1: the threshold is not a number (write one from 0 to 1)"),
        (rows({"vars": {}, "assert": ["x"]}), None, "t.jsonl:1: an assertion is not a map with a type (write {type: equals, value: …})"),
    ],
)  # fmt: skip
def test_what_can_t_be_told_is_an_error(text, columns, said):
    with pytest.raises(SourceError) as caught:
        read_test_set("t.jsonl", text.encode(), columns)
    assert str(caught.value) == said


def test_two_lists_of_cases_are_an_error():
    with pytest.raises(SourceError, match="both tests and data hold cases"):
        read_test_set("t.json", b'{"tests": [], "data": []}')
