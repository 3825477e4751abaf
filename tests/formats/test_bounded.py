"""A file as text, YAML and JSON as values: bounded, strict, with places, whatever somebody commits."""

import contextlib
import json
import time

import pytest
import yaml

from engine.readers.bounded import MAX_BYTES, MAX_DEPTH, MAX_NODES, Source, nearest, shown, source_of
from engine.readers.json_nodes import json_line, read_json
from engine.readers.nodes import plain
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import ConfigError, SourceError


def yaml_of(text):
    return plain(read_yaml(Source("f.yaml", text)))


def json_of(text):
    return plain(read_json(Source("f.json", text)))


def refused(read, text):
    begin = time.process_time()
    with pytest.raises(SourceError) as caught:
        read(text)
    assert time.process_time() - begin < 6  # 2 where no coverage is measured
    assert "\n" not in str(caught.value)
    return str(caught.value).split(":", 1)[1]


# --- the file ---


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"x" * (MAX_BYTES + 1), "f.md: the file is 1.0 MiB large, and at most 1 MiB are read (split it or shorten it)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "f.md: this is a Git LFS pointer, not the file itself (commit the file without LFS: `git lfs untrack` it and add it again)"),
        (b"\xff\xfeh\x00i\x00", "f.md: the file is UTF-16 (save it as UTF-8)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "f.md: the file is binary, not text (commit UTF-8 text)"),
        (b"ok\nna\xefve", "f.md:2:3: invalid UTF-8 (save the file as UTF-8)"),
        (b"a\nb\x00c", "f.md:2:2: control character U+0000: the file is binary or damaged (commit UTF-8 text)"),
        (b"../shared/system.md", "f.md: this is a symbolic link to ../shared/system.md, not the file itself (commit the file; links are not followed)"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_text_is_refused_by_name(data, said):
    with pytest.raises(SourceError) as caught:
        source_of("f.md", data)
    assert str(caught.value) == said


def test_a_byte_order_mark_is_accepted_and_reported_and_line_ends_are_made_equal():
    source = source_of("f.md", b"\xef\xbb\xbf---\r\nname: x\r\n")
    assert source.text == "---\nname: x\n"
    assert [str(warning) for warning in source.warnings] == [
        "f.md:1: the file starts with a byte order mark (save it as UTF-8 without BOM)"
    ]


def test_the_kind_of_error_is_the_callers():
    with pytest.raises(ConfigError):
        read_yaml(Source("c.yaml", "[", failure=ConfigError))


def test_foreign_text_in_a_message_stays_on_its_line():
    assert shown("a\n::error::\x1b[31m" + "x" * 99) == "a�::error::�[31m" + "x" * 43 + "…"
    assert Source("a\nb.md", "").where(1) == "a�b.md:1"


def test_the_nearest_name_is_found_whatever_the_spelling():
    assert nearest("maxTokens", ["max_tokens", "top_p"]) == "max_tokens"
    assert nearest("margn", ["margin", "mode"]) == "margin"
    assert nearest("zebra", ["margin", "mode"]) is None
    assert nearest("m" * 1_000_000, ["margin"]) is None


# --- YAML ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("y", "y"), ("NO", "NO"),
        ("true", True), ("False", False), ("tRue", "tRue"),
        ("~", None), ("null", None), ("", None), ("NULL", None), ("nil", "nil"),
        ("12:30:45", "12:30:45"), ("190:20:30", "190:20:30"),
        ("2024-01-02", "2024-01-02"), ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("0o17", 15), ("017", 15), ("0x1F", 31), ("0b101", 5), ("-0b101", -5), ("08", 8), ("1_000", 1000), ("+1", 1), ("-1", -1), ("0", 0),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0), ("1.2.3", "1.2.3"), ("1e", "1e"), ("-", [None]), ("+", "+"), (".", "."),
        ("=", "="), ("'no'", "no"), ("'1'", "1"), ('"null"', "null"), ("|\n  1", "1"),
    ],
)  # fmt: skip
def test_plain_scalars_are_read_as_yaml_v3_of_go_does(text, value):
    assert yaml_of(f"- {text}" if text != "-" else "- -") == [value]
    assert type(yaml_of(f"- {text}" if text != "-" else "- -")[0]) is type(value)


def test_keys_are_texts_as_written():
    assert yaml_of("on: 1\n1: 2\n~: 3\n010: 4\n") == {"on": 1, "1": 2, "~": 3, "010": 4}


def test_merge_keys_and_aliases():
    assert yaml_of("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: *a\n") == {
        "a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2},
    }  # fmt: skip
    assert yaml_of("a: {<<: [{x: 1}, {x: 2, y: 2}]}") == {"a": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "3:1: duplicate key a (first at line 1) (remove one of the two)"),
        ("a: !!str 1", "1:4: the tag tag:yaml.org,2002:str (remove it; tags are not supported)"),
        ("!!python/object/apply:os.system [id]", "1:1: the tag tag:yaml.org,2002:python/object/apply:os.system (remove it; tags are not supported)"),
        ("a: .inf", "1:4: .inf is not a usable number (write a finite number)"),
        ("- .NaN", "1:3: .NaN is not a usable number (write a finite number)"),
        ("- 1e999", "1:3: 1e999 is too large a number (quote it if it is text)"),
        ("- 1234567890123456789", "1:3: 1234567890123456789 is too large a number (quote it if it is text)"),
        ("a: *x", "1:4: unknown alias *x (define it with & above, or quote the text)"),
        ("a: &a [*a]", "1:8: the alias *a contains itself (write the value out)"),
        ("a: &x 1\nb: &x 2", "2:4: a second anchor x (name each anchor once)"),
        ("a: 1\n---\nb: 1", "2:1: a second document (keep one document in a file: remove the ---)"),
        ("? [a]\n: 1", "1:5: a list as a key (keys must be texts; quote it if it is one)"),
        ("a: {<<: 1}", "1:5: << merges a number (merge maps only)"),
        ("a: [1", "2:1: not valid YAML: did not find expected ',' or ']' (check indentation, quotes and colons here)"),
        ("a:\n\t- b", "2:1: not valid YAML: found character that cannot start any token (check indentation, quotes and colons here)"),
    ],
)  # fmt: skip
def test_yaml_that_could_surprise_is_refused_at_its_place(text, said):
    assert refused(yaml_of, text) == said


def test_nesting_is_bounded_however_deep():
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert yaml_of(deepest) == json_of(deepest) is not None
    for text in ("[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "[" * 50_000 + "]" * 50_000):
        assert f"nested deeper than {MAX_DEPTH} levels" in refused(yaml_of, text)
    for text in ("[" * 100_000, '{"a":' * 100_000, "[" * 50_000 + "]" * 50_000):
        assert f"nested deeper than {MAX_DEPTH} levels" in refused(json_of, text)


def test_aliases_count_as_often_as_they_are_used():
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    assert f"more than {MAX_NODES:,} values" in refused(yaml_of, laughs)
    text = "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 11) + "]"
    assert "more than 1 MiB of text" in refused(yaml_of, text)
    nested = "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 20 + "*a" + "]" * 20
    assert "nested deeper" in refused(yaml_of, nested)


def test_the_number_of_values_is_bounded():
    assert len(yaml_of("- 1\n" * (MAX_NODES - 1))) == MAX_NODES - 1
    assert "more than" in refused(yaml_of, "- 1\n" * (MAX_NODES + 1))
    assert "more than" in refused(json_of, "[" + "1," * MAX_NODES + "1]")


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "{",
        "- ",
        "? ",
        "&a ",
        "*a ",
        "! ",
        "'",
        '"',
        "%TAG ! a\n",
        "#\n",
        "a: ",
        "\\",
        "|\n",
        "]",
        ",",
        "{a",
        "[a",
        "\n ",
        "\u2028",
        "é: ",
    ],
)
def test_no_mebibyte_of_anything_takes_two_seconds(unit):
    text = (unit * MAX_BYTES)[: MAX_BYTES // 2]
    for read in (yaml_of, json_of):
        begin = time.process_time()
        with contextlib.suppress(SourceError):
            read(text)
        assert time.process_time() - begin < 2


def test_an_empty_document_is_nothing():
    assert yaml_of("") is None
    assert yaml_of("# only a comment\n") is None


def test_a_document_agrees_with_the_reference_parser_where_both_are_of_one_mind():
    text = "a: [1, two, {b: 'c'}]\nd: |\n  e\n  f\ng: >-\n  h\n  i\nj: \"k\\n\"\n"
    assert yaml_of(text) == yaml.safe_load(text)


# --- JSON ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "a": 2}', "2:2: duplicate key a (first at line 1) (remove one of the two)"),
        ("[NaN]", "1:2: not valid JSON at 'NaN]' (check commas, quotes and brackets here)"),
        ("[1,]", "1:4: ] instead of a value (check commas, quotes and brackets here)"),
        ("[1 2]", "1:4: expected , or ] here (check commas, quotes and brackets here)"),
        ('{"a" 1}', "1:6: expected a colon here (check commas, quotes and brackets here)"),
        ("{a: 1}", "1:2: not valid JSON at 'a: 1}' (check commas, quotes and brackets here)"),
        ("{1: 1}", "1:2: expected a key in quotes here (check commas, quotes and brackets here)"),
        ("[1] 2", "1:5: text after the end of the JSON value (keep one value in a file)"),
        ("", "1:1: the JSON ends too early (check commas, quotes and brackets here)"),
        ("[", "1:2: the JSON ends too early (check commas, quotes and brackets here)"),
        ('["\\ud800"]', "1:2: a lone surrogate (write the character itself)"),
        ("[1e999]", "1:2: 1e999 is too large a number (quote it if it is text)"),
        ("[12345678901234567890]", "1:2: 12345678901234567890 is too large a number (quote it if it is text)"),
        ("[01]", "1:2: not valid JSON at '01]' (check commas, quotes and brackets here)"),
        ('["a\tb"]', "1:2: not valid JSON at '\"a�b\"]' (check commas, quotes and brackets here)"),
    ],
)  # fmt: skip
def test_json_is_read_strictly(text, said):
    assert refused(json_of, text) == said
    assert refused(lambda line: json_line(Source("f.json", ""), line, 1), text.replace("\n", "")).split(": ", 1)[1]


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5e-3, 'é\n"\\😀', [], {}, [[], {}], {"a": [1, {"b": None}], "": ""}, "text"]
)
def test_what_json_writes_is_read_back(value):
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only, indent=1)
        assert json_of(text) == value
        assert json_line(Source("f.json", ""), json.dumps(value, ensure_ascii=ascii_only), 1) == value


def test_values_know_where_they_were_written():
    for read, text in ((read_json, '{\n "a": [1,\n  {"b": 2}]}'), (read_yaml, "\na: [1,\n  {b: 2}]")):
        node = read(Source("f", text))
        b = node.value["a"].value[1]
        assert (b.line, b.column, b.keys["b"][0], b.value["b"].line) == (3, 3, 3, 3)


def test_only_so_many_warnings_are_worth_reading():
    source = Source("f.md", "")
    for number in range(1000):
        source.warn(f"warning {number}")
    assert len(source.warnings) == 50
    assert str(source.warnings[-1]) == "f.md: there are more warnings (fix these first)"
