"""Patches of test sets: what they change, that git takes them, and what is refused."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.readers.testsets import read_test_set
from engine.test_edits.formats import read_cases
from engine.test_edits.patches import NoPatch, Patch, add, all_added, confirm, protect, unified
from schemas.testsets import Columns

JSONL = b"""\
{"id": "a", "input": "one", "expected": "billing", "slices": ["typical"]}
{"id": "b", "input": "two }", "expected": "refunds", "slices": ["edge"]}
{"id": "c", "input": "three", "expected": "billing", "slices": ["edge"], "protected": false}
{"id": "d", "input": "four", "expected": "billing", "slices": ["edge"]}
{"id": "e", "input": "five", "expected": "billing", "slices": ["edge"]}
"""
COMPACT = b'{"id":"a","input":"one"}\n\n{"id":"b","input":"two"}'
CSV = b"""\
id,input,expected,slices
a,one,billing,typical
b,"two, with a ""comma""
and a line",refunds,edge;hard
c,three,billing,
"""
CSV_PROTECTED = b'"id","input","protected"\n"a","one","false"\n"b","two","yes"\n'
YAML = b"""\
# our cases
- id: a
  input: one   # spoken
  expected: billing

- id: b
  input: |
    two
    lines
  expected: refunds
  slices: [edge]

- {id: c, input: three, expected: billing}

- input: >
    folded
  id: d
  notes: last
"""
NESTED = b"""\
cases:
  - id: a
    inputs:
      cv: one
      job: two
    expected:
      score: 80
  - id: b
    inputs:
      cv: three
      job: four
    expected:
      score: 10
"""
JSON = b"""\
[
  {
    "id": "a",
    "input": "one"
  },
  {
    "id": "b",
    "input": "two"
  }
]
"""
INLINE = b"""\
name: triage
model: openai/gpt-4o-mini
messages:
  - role: user
    content: "{{input}}"
testData:
  - input: one
    expected: billing
  - input: two
    expected: refunds
evaluators:
  - name: right
    string:
      contains: "{{expected}}"
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patched")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def applied(repository, path, data, patch):
    """What git makes of it."""
    assert isinstance(patch, Patch), patch
    file = repository / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=repository, input=patch.text.encode(), check=True, timeout=20
    )
    return file.read_bytes()


PROTECTED = {
    "tests/set.jsonl": (JSONL, "b", b'"slices": ["edge"]}\n{"id": "c"', b'"slices": ["edge"], "protected": true}\n{"id": "c"'),
    "tests/compact.jsonl": (COMPACT, "b", b'"two"}', b'"two","protected":true}'),
    "tests/false.jsonl": (JSONL, "c", b"false", b"true"),
    "tests/set.csv": (CSV_PROTECTED, "a", b'"false"', b'"true"'),
    "set.yaml": (YAML, "a", b"  expected: billing\n\n", b"  expected: billing\n  protected: true\n\n"),
    "flow.yaml": (YAML, "c", b"billing}", b"billing, protected: true}"),
    "block.yaml": (YAML, "b", b"  slices: [edge]\n", b"  slices: [edge]\n  protected: true\n"),
    "nested.yml": (NESTED, "a", b"  - id: a\n", b"  - id: a\n    protected: true\n"),
    "written.yaml": (YAML + b"  protected: false # yet\n", "d", b"protected: false", b"protected: true"),
    "alone.yaml": (b"- inputs:\n    cv: one\n  id: |\n    a\n", "a\n", b"- inputs", b"- protected: true\n  inputs"),
    "set.json": (JSON, "b", b'    "input": "two"\n', b'    "input": "two",\n    "protected": true\n'),
    "a folder/ü \".jsonl": (JSONL, "c", b"false", b"true"),
    "a folder/two words.jsonl": (JSONL, "c", b"false", b"true"),
}  # fmt: skip


@pytest.mark.parametrize("path", PROTECTED)
def test_protecting_a_case_changes_its_line_and_nothing_else(repository, path):
    data, case, before, after = PROTECTED[path]
    assert data.count(before) == 1
    patch = protect(path, data, case)
    assert applied(repository, path, data, patch) == data.replace(before, after)
    changed = [line for line in patch.text.splitlines()[3:] if line[:1] in "+-"]
    assert len(changed) <= 3


def test_a_csv_file_without_the_column_gets_it(repository):
    data = applied(repository, "new.csv", CSV, protect("new.csv", CSV, "b"))
    assert data == (
        b'id,input,expected,slices,protected\na,one,billing,typical,\nb,"two, with a ""comma""\nand a line",'
        b"refunds,edge;hard,true\nc,three,billing,,\n"
    )


def test_an_inline_case_is_named_by_what_the_scorecard_calls_it(repository):
    from engine.readers.prompts.registry import read_prompt
    from engine.readers.testsets import inline_test_set

    path = "triage.prompt.yml"
    name = inline_test_set(read_prompt(path, {path: INLINE})).cases[0].id
    data = applied(repository, path, INLINE, protect(path, INLINE, name))
    assert data == INLINE.replace(b"expected: billing\n", b"expected: billing\n    protected: true\n")


ADDED = {
    "set.jsonl": (
        JSONL,
        {"input": "six", "slice": "edge", "expected": "refunds"},
        b'{"id": "case-9a3776e4", "input": "six", "expected": "refunds", "slices": ["edge"]}\n',
    ),
    "compact.jsonl": (COMPACT, {"id": "z", "input": "six"}, b'\n{"id":"z","input":"six"}\n'),
    "set.csv": (CSV, {"id": "z", "input": "six, seven", "slices": ["x", "y"]}, b'z,"six, seven",,x;y\n'),
    "lines.csv": (CSV, {"id": "z", "input": "six\nseven"}, b'z,"six\nseven",,\n'),
    "windows.csv": (
        CSV.replace(b"\n", b"\r\n"),
        {"id": "z", "input": "six\nseven"},
        b'z,"six\r\nseven",,\r\n',
    ),
    "quoted.csv": (CSV_PROTECTED, {"id": "z", "input": "six", "protected": True}, b'"z","six","true"\n'),
    "nested.yml": (
        NESTED,
        {"id": "z", "inputs": {"cv": "five: six", "job": "no"}, "expected": {"score": 5}},
        b'  - id: z\n    inputs:\n      cv: "five: six"\n      job: "no"\n    expected:\n      score: 5\n',
    ),
    "flow.yaml": (
        b"- {id: a, input: {cv: one}}\n\n- {id: b, input: {cv: two}}\n",
        {"id": "z", "input": {"cv": "three"}, "slices": ["x", "1"]},
        b'\n- {id: z, input: {cv: three}, slices: [x, "1"]}\n',
    ),
    "lists.yaml": (
        b"- id: a\n  input: one\n  slices:\n  - x\n  tags:\n    - |\n      long\n\n# the end\n",
        {"id": "z", "input": "two", "slices": ["why"], "tags": ["t"], "protected": True},
        b"- id: z\n  input: two\n  slices:\n    - why\n  tags:\n    - t\n  protected: true\n\n# the end\n",
    ),
    "triage.prompt.yml": (
        INLINE,
        {"input": "three", "expected": "a b"},
        b"  - input: three\n    expected: a b\nevaluators:\n",
    ),
    "set.json": (JSON, {"id": "z", "input": "six"}, b'},\n  {\n    "id": "z",\n    "input": "six"\n  }\n]\n'),
    "empty.jsonl": (b"", {"input": "six"}, b'{"input": "six"}\n'),
}


@pytest.mark.parametrize("path", ADDED)
def test_a_case_is_added_in_the_form_of_its_neighbors(repository, path):
    data, row, written = ADDED[path]
    patch = add(path, data, row)
    new = applied(repository, path, data, patch)
    assert written in new
    assert len(new) - len(data) <= len(written) + 1
    if not path.endswith(".prompt.yml"):
        assert read_test_set(path, new).cases[-1].id == patch.case


def test_a_single_input_has_its_own_name(repository):
    data = b'{"inputs": {"ticket": "one"}}\n'
    new = applied(repository, "t.jsonl", data, add("t.jsonl", data, {"input": "two"}))
    assert new == data + b'{"inputs": {"ticket": "two"}}\n'


def test_line_ends_and_byte_order_marks_stay(repository):
    data = b"\xef\xbb\xbf" + JSONL.replace(b"\n", b"\r\n")
    new = applied(repository, "crlf.jsonl", data, protect("crlf.jsonl", data, "c"))
    assert new == data.replace(b"false", b"true")
    added = applied(repository, "crlf.jsonl", data, add("crlf.jsonl", data, {"id": "z", "input": "x"}))
    assert added == data + b'{"id": "z", "input": "x"}\r\n'


def test_what_cant_be_seen_is_escaped_in_what_is_written(repository):
    row = {"id": "z", "input": "a\u202eb\u200b\U000e0041 ü 🎉"}
    new = applied(repository, "t.jsonl", JSONL, add("t.jsonl", JSONL, row))
    assert rb"a\u202eb\u200b\udb40\udc41 " in new
    assert "ü 🎉".encode() in new
    assert rb"a\U0000202Eb\U0000200B\U000E0041 " in applied(repository, "n.yml", YAML, add("n.yml", YAML, row))


@pytest.mark.parametrize(
    ("path", "data", "case", "said"),
    [
        ("t.jsonl", JSONL, "inject", "has no case"),
        ("t.jsonl", b'{"id": "inject-07", "input": "x"}', "inject-7", "did you mean `inject-07`?"),
        ("t.jsonl", b'{"id": "a", "input": "x", "protected": true}', "a", "already protected"),
        ("t.jsonl", b"{", "a", "can't be read"),
        ("t.jsonl", b"\xff\xfe", "a", "can't be read"),
        ("t.jsonl", b'{"id": "a", "input": "x"}\r\n{"id": "b", "input": "x"}\n', "a", "mixes line endings"),
        ("t.yaml", '- id: a\n  input: "x\u2028 y"\n'.encode(), "a", "mixes line endings"),
        ("t.yaml", b"- &one\n  id: a\n  input: x\n- <<: *one\n  id: b\n", "a", "by hand in line 1"),
        ("t.csv", b'id,input\na,x"y"\nb,z\n', "b", "protected"),
        ("t.unknown", b"x", "a", "can't be read"),
    ],
)
def test_what_gives_no_patch_says_why(path, data, case, said):
    found = protect(path, data, case)
    text = found.sentence if isinstance(found, NoPatch) else found.text
    assert said in text


@pytest.mark.parametrize(
    ("path", "data", "row", "said"),
    [
        ("t.jsonl", JSONL, {"id": "a", "input": "x"}, "already has a case `a`"),
        ("t.jsonl", JSONL, {"inputs": {"ticket": "x"}}, "its cases have input.input"),
        ("t.yml", NESTED, {"input": "x"}, "input.cv, input.job"),
        ("t.csv", CSV, {"input": "x", "notes": "y"}, "no column for “notes”"),
        ("t.yaml", b"[]", {"input": "x"}, "by hand"),
        ("t.json", b"[]", {"input": "x"}, "by hand"),
        ("t.yaml", b"[{id: a, input: x}]", {"input": "y"}, "by hand"),
        ("t.jsonl", b"{", {"input": "x"}, "can't be read"),
    ],
)
def test_a_case_that_cant_be_added_says_why(path, data, row, said):
    found = add(path, data, row)
    assert isinstance(found, NoPatch)
    assert said in found.sentence


GENERATED = [
    {"id": f"new-{n}", "expected": "billing", "slice": "edge", "source": "synthetic", "verified": False}
    for n in range(2)
]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("t.jsonl", JSONL), ("t.jsonl", COMPACT), ("t.csv", CSV), ("t.yaml", YAML), ("t.json", JSON),
        ("t.prompt.yml", INLINE), ("t.csv", b"question,answer\nWhy?,billing\n"),
        ("t.jsonl", b'{"question": "Why?", "answer": "billing"}\n'),
        ("t.yaml", b"- vars: {question: Why}\n  expected: billing\n"),
    ],
)  # fmt: skip
def test_unverified_cases_are_added_and_confirmed_in_every_format(path, data):
    name = next(iter(read_cases(path, data).cases[0].inputs))
    rows = [row | {"inputs": {name: f'text, number {n}: "new" {"x" * n * 20}'}} for n, row in enumerate(GENERATED)]
    made = all_added(path, data, rows)
    assert isinstance(made, Patch), made.sentence
    before, after = (read_cases(path, content).cases for content in (data, made.content))
    assert [case.inputs for case in after] == [*(case.inputs for case in before), *(row["inputs"] for row in rows)]
    new = [(case.expected, case.slices, case.source, case.verified) for case in after[-2:]]
    assert new == [("billing", ("edge",), "synthetic", False)] * 2
    assert all(case.verified for case in after[:-2])
    done = confirm(path, made.content, {after[-1].id, after[0].id})
    assert [case.verified for case in read_cases(path, done.content).cases[-2:]] == [False, True]
    assert confirm(path, done.content, {after[-1].id}).missing


@pytest.mark.parametrize(
    ("path", "data", "columns", "line"),
    [
        ("t.csv", b"question,answer,split\nWhy?,billing,typical\n", {"slices": "split"}, "+New one,refunds,edge,production"),
        (
            "t.jsonl", b'{"q": "Why?", "gold": "billing", "case": "a"}\n',
            {"inputs": {"input": "q"}, "expected": "gold", "id": "case"},
            '+{"q": "New one", "gold": "refunds", "case": "z", "source": "production", "slices": ["edge"]}',
        ),
        (
            "t.jsonl", b'{"question": "Why?", "answer": "billing"}\n', None,
            '+{"question": "New one", "answer": "refunds", "slice": "edge", "source": "production"}',
        ),
    ],
)  # fmt: skip
def test_a_case_gets_the_names_that_its_file_uses(path, data, columns, line):
    columns = Columns.model_validate(columns) if columns else None
    name = next(iter(read_cases(path, data, columns).cases[0].inputs))
    row = {"inputs": {name: "New one"}, "expected": "refunds", "slice": "edge", "source": "production"}
    if columns and columns.id:
        row |= {"id": "z", "slices": [row.pop("slice")]}
    made = add(path, data, row, columns=columns)
    assert isinstance(made, Patch), made.sentence
    assert made.text.splitlines()[-1] == line


@pytest.mark.parametrize("path", ["t.jsonl", "t.csv", "t.yaml"])
def test_a_near_duplicate_is_refused_unless_it_says_so(path):
    data = {
        "t.jsonl": b'{"id": "a", "input": "Why was my card charged twice?", "cluster": "c"}\n',
        "t.csv": b"id,input,cluster\na,Why was my card charged twice?,c\n",
        "t.yaml": b"- id: a\n  input: Why was my card charged twice?\n  cluster: c\n",
    }[path]
    row = {"id": "b", "input": "why was my  card charged twice??"}
    found = add(path, data, row)
    line = 2 if path == "t.csv" else 1
    assert f"it repeats the case a ({path}:{line}), 98% similar" in found.sentence
    assert isinstance(add(path, data, row | {"same_as": "a"}), Patch)
    assert isinstance(add(path, data, row | {"cluster": "c"}), Patch)
    # Other files of the test set count too.
    other = read_cases("o.jsonl", b'{"id": "o", "input": "My parcel never came, where is it?"}').cases
    twin = add(path, data, {"id": "d", "input": "My parcel never came, where is it"}, others=other)
    assert "it repeats the case o (o.jsonl:1)" in twin.sentence


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


@settings(max_examples=25)
@given(st.lists(st.text("ab\n", max_size=6), max_size=8).map("".join), st.text("ab\n", max_size=20))
def test_git_takes_every_difference(repository, old, new):
    if old != new and old:
        patch = Patch(path="f", case="", text=unified("f", old, new), content=b"")
        (repository / "f").write_text(old)
        done = subprocess.run(
            ["git", "apply", "-"], cwd=repository, input=patch.text.encode(), capture_output=True, check=False
        )
        assert done.returncode == 0, (patch.text, done.stderr)
        assert (repository / "f").read_text() == new if new else not (repository / "f").read_bytes()


@settings(max_examples=80)
@given(st.sampled_from(["t.jsonl", "t.csv", "t.yaml", "n.yml", "t.json", "t.prompt.yml"]), texts, texts, st.booleans())
def test_whatever_is_added_is_read_as_what_was_said(path, text, expected, listed):
    data = {"t.jsonl": JSONL, "t.csv": CSV, "t.yaml": YAML, "n.yml": NESTED, "t.json": JSON, "t.prompt.yml": INLINE}
    inputs = {"cv": text, "job": "x"} if path == "n.yml" else {"input": text}
    row = {"inputs": inputs, "expected": [expected] if listed else expected, "id": f"z-{len(text)}"}
    found = add(path, data[path], row)
    if isinstance(found, Patch) and not path.endswith(".prompt.yml"):
        assert found.case == row["id"]
    assert isinstance(found, Patch) or "by hand" in found.sentence or "doesn't fit" in found.sentence


@settings(max_examples=120)
@given(st.sampled_from(["t.jsonl", "t.csv", "t.yaml", "t.json", "t.prompt.yml"]), st.data())
def test_no_file_makes_it_fail(path, data):
    base = {"t.jsonl": JSONL, "t.csv": CSV, "t.yaml": YAML, "t.json": JSON, "t.prompt.yml": INLINE}[path].decode()
    start = data.draw(st.integers(0, len(base)))
    length = data.draw(st.integers(0, 6))
    piece = data.draw(
        st.sampled_from(['"', "\n", "{", "]", ":", "- ", "&a ", "*a", "|\n", "#", ",", "  ", "\t", "x", ""])
    )
    broken = (base[:start] + piece + base[start + length :]).encode()
    for case in ("a", "b", "d"):
        assert isinstance(protect(path, broken, case), Patch | NoPatch)
    assert isinstance(add(path, broken, {"input": "x", "slice": "y"}), Patch | NoPatch)
