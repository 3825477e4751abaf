"""Test sets in the formats that people have."""

import json
import time

import pytest

from engine.readers.testsets import read_test_set
from schemas.check_config import CheckRule
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
    begin = time.process_time()
    assert len(read_test_set("t.jsonl", data).cases) == 1000
    assert time.process_time() - begin < 0.25  # 15 ms on a machine of its own


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
        ('{"input": "a"}\n{"input": "a"}', "2: two cases have the same inputs and no ids (line 1 and line 2) (give each its own id, or remove one)"),
        ('{"id": "a"}', "1: the case has no inputs (add input: text, or inputs: {name: value})"),
        ('\n{"input": "a", "protcted": true}', "2: unknown key protcted of a case (did you mean protected?)"),
        ('{"input": "a", "input": "b"}', "1:16: duplicate key input (first at line 1) (remove one of the two)"),
        ('{"input": NaN}', "1:11: not valid JSON at 'NaN}' (check commas, quotes and brackets here)"),
        ('{"input": 1e999}', "1:11: 1e999 is too large a number (quote it if it is text)"),
        ("[1]", '1: this line is not a JSON object (write one case a line: {"id": …, "input": …})'),
        ('{"input": "a"', "1:14: expected , or } here (check commas, quotes and brackets here)"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line_and_the_mend(text, said):
    assert mistake(text) == said


def test_every_key_of_a_case_is_read():
    text = json.dumps(
        {
            "id": 7, "inputs": {"a": 1}, "expected": {"x": [1]}, "slices": ["a", "a"], "slice": "b", "tags": "t", "source": "team",
            "protected": True, "cluster": "k", "notes": "n", "rubric": "r", "must": "x", "must_not": ["HACKED", "", {"max_words": 1}],
        }
    )  # fmt: skip
    (case,) = read(text).cases
    assert (case.id, case.inputs, case.expected, case.slices, case.tags) == (
        "7",
        {"a": 1},
        {"x": [1]},
        ("b", "a"),
        ("t",),
    )
    assert (case.source, case.protected, case.cluster, case.notes, case.rubric, case.must_not) == (
        "team",
        True,
        "k",
        "n",
        "r",
        ("HACKED", CheckRule(max_words=1)),
    )
    assert case.must == (CheckRule(contains="x"),)


def test_the_scripts_of_an_agents_case_are_read():
    scripts = [{"name": "look_up", "arguments": {"id": 7}, "result": None, "set": {"seen": True}}]
    (case,) = read(json.dumps({"input": "a", "turns": "And?", "tool_results": scripts})).cases
    assert case.turns == ("And?",)
    assert [one.model_dump() for one in case.tool_results] == scripts


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"inputs": {}}, "the case has input and inputs (keep one of the two)"),
        ({"id": 1.5}, "the id is not text (write it in quotes)"),
        ({"notes": 1}, "notes is not text (write it in quotes)"),
        ({"tags": [1]}, "tags contains something that is not text (write texts: [one, two])"),
        ({"source": "prod"}, "unknown source prod (known: production, synthetic, team)"),
        ({"protected": "yes"}, "protected must be true or false (write protected: true)"),
        ({"must": 5}, "must contains something that is neither a text nor a check (write [text, {rule: …}])"),
        ({"must": {"max_word": 5}}, "must: max_word: Extra inputs are not permitted (did you mean max_words?)"),
        ({"must": {"contains": ["a", "b"]}}, "must: contains: one text is needed, for several write contains_all"),
        ({"mustNot": "a"}, "unknown key mustNot of a case (did you mean must_not?)"),
        ({"turns": [1]}, "turns is not a list of texts (write at most 50 texts: turns: [first, second])"),
        (
            {"tool_results": [{"name": "a"}]},
            "tool_results: result: Field required (write [{name: look_up, arguments: {id: 7}, result: …, set: {…}}])",
        ),
        (
            {"tool_results": "a"},
            "an item of tool_results is not a map (write [{name: look_up, arguments: {id: 7}, result: …, set: {…}}])",
        ),
        ({"must-not": "a"}, "unknown key must-not of a case (did you mean must_not?)"),
        (
            {"must_not": {"max_words": 5, "min_words": 1}},
            "must_not has several rules (max_words, min_words) (give it one of",
        ),
        (
            {"must": ["a", {"regex_match": "("}]},
            "the expression “(” can't be used: missing ): ( (write it",
        ),
        (
            {"must": {"contains": "{expected}"}},
            "must looks for the literal text {expected}, which is not filled in (write {{expected}}",
        ),
    ],
)
def test_what_is_wrong_with_a_case(keys, said):
    found = mistake(json.dumps({"input": "a", **keys}))
    assert found == f"1: {said}" if said.endswith(")") else found.startswith(f"1: {said}")


def test_inputs_must_be_a_map():
    assert mistake('{"inputs": "a"}') == "1: inputs is not a map (write inputs: {name: value}, or input: text)"


def test_an_unknown_key_is_a_warning_once():
    warnings = read('{"inputs": {"q": "a"}, "zebra": 1}\n{"inputs": {"q": "b"}, "zebra": 1}').warnings
    assert [str(warning) for warning in warnings] == ["t.jsonl: unknown key zebra of 2 cases is ignored"]


def test_yaml_lists_read_and_ids_stay_as_written():
    text = "- id: 007\n  input: no\n  expected: on\n- {input: b}\n"
    first, second = read(text, "t.yaml").cases
    assert (first.id, first.inputs, first.expected, first.line, second.line) == ("007", {"input": "no"}, "on", 1, 4)
    assert read("cases:\n" + text, "t.yml").cases[0].id == "007"
    assert read("", "t.yaml").cases == ()
    assert read('[{"input": "a"}]', "t.json").cases[0].inputs == {"input": "a"}
    assert mistake("- a", "t.yaml") == "1:3: a case is text (write it as a map: - input: …)"
    assert mistake("a: 1", "t.yaml") == "1: the test set is a map (write a list of cases: - input: …)"


def test_formats_that_arent_read_are_said():
    assert mistake("", "t.xlsx").endswith(
        "this test set format is not supported (known: .jsonl, .ndjson, .csv, .tsv, .yaml, .yml, .json)"
    )


def test_a_test_set_may_be_16_mib_as_jsonl_and_1_mib_as_yaml():
    line = json.dumps({"input": "x" * 1000}).encode() + b"\n"
    with pytest.raises(SourceError, match="same inputs"):
        read_test_set("t.jsonl", line * 2_000)
    with pytest.raises(SourceError, match="1 MiB"):
        read_test_set("t.yaml", line * 2_000)
    with pytest.raises(SourceError, match="16 MiB"):
        read_test_set("t.jsonl", line * 20_000)


# --- CSV ---


def csv_case(text):
    (case,) = read(text, "t.csv").cases
    return case


def test_csv_columns():
    case = csv_case(
        'id,input.a,input.b,expected.x,expected.y,expected.z,slices,protected,must_not\nc1,1,"two\nlines",3,"[""p"",""q""]",,edge; hard,TRUE,a;b\n'
    )
    checked = csv_case('input,must,must_not\na,"[""b"", {""max_words"": 3}]","{""max_words"": 1}"\n')
    assert (checked.must, checked.must_not) == (
        (CheckRule(contains="b"), CheckRule(max_words=3)),
        (CheckRule(max_words=1),),
    )
    assert (case.id, case.inputs) == ("c1", {"a": "1", "b": "two\nlines"})
    assert (case.expected, case.slices, case.protected, case.must_not) == (
        {"x": "3", "y": ["p", "q"]},
        ("edge", "hard"),
        True,
        ("a;b",),
    )


def test_csv_with_one_input_and_a_label():
    case = csv_case("input,expected,source,notes,protected,zebra\n{not json},billing,team,,,1\n")
    assert (case.inputs, case.expected, case.source, case.notes, case.protected) == (
        {"input": "{not json}", "zebra": "1"},
        "billing",
        "team",
        None,
        False,
    )


def test_csv_lines_are_those_of_the_file():
    first, second = read('input,expected\r\n"a\r\nb",x\r\n\r\nc,y\r\n', "t.csv").cases
    assert (first.line, first.inputs["input"], second.line) == (2, "a\nb", 5)


def test_csv_as_promptfoo_writes_it():
    case = csv_case(
        "ticket,lang,__expected,__metadata:slice,__description,__metadata:team\nhi,en,equals: billing,edge,some,x\n"
    )
    assert (case.inputs, case.expected, case.slices) == ({"ticket": "hi", "lang": "en"}, "billing", ("edge",))
    case = csv_case(
        "ticket,__expected1,__expected2,__expected3\nhi,plain: text,not-icontains: hacked,llm-rubric: be kind\n"
    )
    assert (case.expected, case.rubric) == ("plain: text", "be kind")
    assert [(one.type, one.negated, one.value) for one in case.assertions] == [
        ("equals", False, "plain: text"),
        ("icontains", True, "hacked"),
    ]
    assert (case.forbids, case.threshold) == (True, None)
    case = csv_case("q,answer,__expected,__threshold\nhi,a var,levenshtein(2): Paris,0.5\n")
    assert (case.inputs, case.expected) == ({"q": "hi", "answer": "a var"}, None)
    assert (case.assertions[0].threshold, case.threshold) == (2, 0.5)
    assert csv_case("ticket,__expected\nhi,\n").expected is None
    assert csv_case("ticket,__expected\nhi,contains: x\n").expected == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input,expected\na\n", "2: this row has 1 cells, but the header has 2 (put cells with commas or line breaks in quotes)"),
        ("input,input\na,b\n", "1: duplicate column input (remove one of the two)"),
        ("input,\na,b\n", "1: column 2 has no name (name it or remove it)"),
        ("input,expcted\na,b\n", "2: unknown key expcted of a case (did you mean expected?)"),
        ('input\n"a\n', "2: not valid CSV: unexpected end of data (check the quotes here)"),
        ('input\n"a"b\n', "2: not valid CSV: ',' expected after '\"' (check the quotes here)"),
        ("input,protected\na,maybe\n", "2: protected is maybe (write true or false)"),
        ("input,expected,expected.x\na,b,c\n", "2: expected and expected.* in one row (keep one of the two)"),
        ("a,__expected\nx,contains-any: \"\"a\n", "2: the assertion contains-any has text after a quote (put a comma between two texts)"),
        ("a,__expected,__threshold\nx,y,high\n", "2: __threshold is high (write a number from 0 to 1)"),
        ("a,__expected,__threshold\nx,y,nan\n", "2: the threshold is not a number (write one from 0 to 1)"),
        (",a\nzero,x\n", "2: column 1 has no name (name it or remove it)"),
        (",".join(f"c{i}" for i in range(201)) + "\n", "1: 201 columns, but at most 200 are read (remove columns)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_csv(text, said):
    assert mistake(text, "t.csv") == said


# --- bounds ---


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("t.jsonl", "\n".join(f'{{"input": {i}}}' for i in range(20_001)), "more than 20,000 cases"),
        ("t.jsonl", "\n".join(f'{{"input": {i}, "q{i}zzzz": 1}}' for i in range(20_000)), "more than 50 unknown keys"),
        ("t.jsonl", '{"input": [' + "[]," * 100_000 + "[]]}", "more than 50,000 values"),
        ("t.jsonl", '{"input": ' + "[" * 1_000_000 + "]" * 1_000_000 + "}", "nested deeper than 40 levels"),
        ("t.jsonl", '{"input": ' + "[" * 41 + "]" * 41 + "}", "nested deeper than 40 levels"),
        ("t.jsonl", '{"input": "' + "x" * 16_000_000, "not valid JSON"),
        ("t.csv", "x," * 1_000_000, "columns, but at most 200 are read"),
        ("t.csv", '"' * 16_000_000, "field larger than field limit"),
        ("t.yaml", "- {input: a}\n" * 60_000, "more than 50,000 values"),
    ],
)
def test_a_huge_test_set_is_refused_soon(path, text, said):
    begin = time.process_time()
    assert said in mistake(text, path)
    assert time.process_time() - begin < 15  # 2 on a calm machine without coverage


def test_many_brackets_on_a_line_are_fine_when_they_are_not_deep():
    (case,) = read('{"input": [' + '{"a": []},' * 100 + "[]]}").cases
    assert len(case.inputs["input"]) == 101
    assert len(read('{"input": "' + "\\ud83d\\ude00" * 9 + '"}').cases[0].inputs["input"]) == 9
