"""promptfoo configurations as test sets: what becomes a case, what is listed, and what a pull request changes."""

import json

import pytest

from engine.readers import promptfoo_parts, promptfoo_tests
from engine.readers.promptfoo_files import ConfigFiles, lines_of_tests
from engine.readers.promptfoo_tests import _Tests
from engine.readers.test_files import read_tests
from engine.readers.test_source import GivenFiles
from schemas.errors import SourceError
from tests.detect.pullrequests import CONFIG, codes, detected, only
from tests.promptfoo.configurations import corpus, echoed, recorded
from tests.repositories import Repository
from tests.trees import MemoryTrees


def read(text, **files):
    blobs = {"evals/promptfooconfig.yaml": text, **{f"evals/{path}": data for path, data in files.items()}}
    return read_tests(["evals/promptfooconfig.yaml"], GivenFiles({path: data.encode() for path, data in blobs.items()}))


def rows(tests):
    return [(case.where, case.inputs, [one.type for one in case.assertions]) for case in tests.cases]


@pytest.mark.parametrize("name", RECORDED := recorded())
def test_what_is_sent_and_what_passes_is_the_same_as_in_promptfoo(name):
    assert echoed(corpus()[name]) == RECORDED[name]


def test_the_record_is_of_these_configurations():
    assert RECORDED.keys() == corpus().keys()


def test_defaults_lists_files_and_references_become_cases():
    tests = read(
        """\
prompts: [file://../prompts/a.txt]
assertionTemplates:
  short: {type: word-count, value: {max: 5}}
defaultTest:
  vars: {lang: en, style: "plain {{lang}}"}
  assert: [{type: not-contains, value: sorry}]
  threshold: 0.5
tests:
  - description: capitals
    vars: {city: [Paris, Rome], n: [1, 2]}
    assert: [{type: contains, value: "{{city}}"}, {$ref: '#/assertionTemplates/short'}]
    metadata: {slice: typical, protected: true, source: anywhere}
  - vars: {city: file://cities/*.txt}
    threshold: 1
    options: {disableDefaultAsserts: true}
  - file://more.csv
  - more.jsonl
""",
        **{
            "cities/a.txt": "Berlin\n",
            "cities/b.txt": "Bonn",
            "more.csv": "city,expected,__expected,__metadata:slices\nOslo,a var,contains: Oslo,a;b\n",
            "more.jsonl": '{"vars": {"city": "Bern"}, "assert": [{"type": "equals", "value": "Bern"}]}\n',
        },
    )
    always = {"lang": "en", "style": "plain en"}
    here = "evals/promptfooconfig.yaml"
    assert rows(tests) == [
        (f"{here}:9", {**always, "city": "Paris", "n": [1, 2]}, ["contains", "contains", "word-count"]),
        (f"{here}:9", {**always, "city": "Rome", "n": [1, 2]}, ["contains", "contains", "word-count"]),
        (f"{here}:13", {**always, "city": "Berlin"}, []),
        (f"{here}:13", {**always, "city": "Bonn"}, []),
        ("evals/more.csv:2", {**always, "city": "Oslo", "expected": "a var"}, ["contains", "contains"]),
        ("evals/more.jsonl:1", {**always, "city": "Bern"}, ["contains", "equals"]),
    ]
    first, *_, of_csv, last = tests.cases
    assert (first.slices, first.protected, first.source, first.notes) == (("typical",), True, None, "capitals")
    assert (first.expected, first.threshold, tests.cases[2].threshold) == ("Paris", 0.5, 1)
    assert (of_csv.slices, last.expected) == (("a", "b"), "Bern")
    assert tests.warnings == ()


def test_scenarios_are_products_and_equal_variables_get_names_of_their_own():
    tests = read(
        """\
scenarios:
  - config: [{vars: {lang: en}, assert: [{type: contains, value: a}]}, {vars: {lang: de}}]
    tests: [{vars: {q: x}, assert: [{type: regex, value: b}]}, {vars: {q: "y"}}]
tests:
  - vars: {q: x}
  - vars: {q: x}
providers: []
"""
    )
    assert [(case.inputs, [one.type for one in case.assertions]) for case in tests.cases] == [
        ({"q": "x"}, []),
        ({"q": "x"}, []),
        ({"lang": "en", "q": "x"}, ["contains", "regex"]),
        ({"lang": "en", "q": "y"}, ["contains"]),
        ({"lang": "de", "q": "x"}, ["regex"]),
        ({"lang": "de", "q": "y"}, []),
    ]
    assert tests.cases[1].id == f"{tests.cases[0].id}-2"


def test_everything_that_is_not_imported_is_listed():
    tests = read(
        """\
prompts: [x]
extensions: [file://hooks.js:beforeAll]
tests:
  - {vars: {q: 1}, assert: [{type: python, value: file://check.py}, {type: contains, value: a}]}
  - {vars: {q: 2}, options: {transform: output.x, prefix: Hi}, assert: [{type: contains, value: a}]}
  - {vars: {q: file://make.py}}
  - {vars: {q: file://cat.png}}
  - {vars: {q: file://../../outside.txt}}
  - {vars: {q: file:///etc/passwd}}
  - {vars: {q: '{{env.KEY}}'}}
  - {vars: {q: '{% if a %}'}}
  - {vars: {q: 3}, providerOutput: given}
  - {vars: {q: 4}, prompts: [one], provider: openai:gpt-4o}
  - file://gen.js
  - https://docs.google.com/spreadsheets/d/x
  - {vars: {q: 5}, assert: [{type: is-json, value: file://schema.json}, {type: contains, value: file://no.txt}]}
""",
        **{"schema.json": '{"type": "object"}'},
    )
    assert [case.inputs["q"] for case in tests.cases] == [1, 2, 4, 5]
    at = "evals/promptfooconfig.yaml"
    assert [str(warning) for warning in tests.warnings] == [
        f"{at}:4: the assertion python is not imported (it runs code, which is never done)",
        f"{at}:16: the assertion contains is not imported (evals/no.txt: this file doesn't exist (check the path))",
        f"{at}:2: extensions is not imported (they run code)",
        f"{at}:5: what a test with transform asserts is not imported (code changes the answer first)",
        f"{at}:5: the option prefix is not imported (it isn't read)",
        f"{at}:6: a test is not imported (code makes one of its variables)",
        f"{at}:7: a test is not imported (evals/cat.png is not text)",
        f"{at}:8: a test is not imported (file://../../outside.txt is outside the repository (name a file in it))",
        f"{at}:9: a test is not imported (file:///etc/passwd is outside the repository (name a file in it))",
        f"{at}:10: a test is not imported (it depends on the environment)",
        f"{at}:11: a test is not imported (it has template logic)",
        f"{at}:12: a test with providerOutput is not imported (it doesn't ask the model)",
        f"{at}:13: prompts of a test is not imported (it isn't read)",
        f"{at}:13: provider of a test is not imported (it isn't read)",
        f"{at}:14: the file file://gen.js is not imported (it runs code, which is never done)",
        f"{at}:15: the file https://docs.google.com/spreadsheets/d/x is not imported (https://docs.google.com/spreadsheets/d/x is no file of the repository)",
    ]  # fmt: skip
    assert tests.cases[-1].assertions[0].value == {"type": "object"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: [a]\ntests: [5]\n", "evals/promptfooconfig.yaml:2: a test is a number"),
        ("prompts: [a]\ntests: [{vars: 5}]\n", "evals/promptfooconfig.yaml:2: vars of a test is a number"),
        ("prompts: [a]\ntests: [{vars: {}, options: x}]\n", "evals/promptfooconfig.yaml:2: options of a test is not a map"),
        ("prompts: [a]\ntests:\n- {assert: [{type: contians}]}\n", "evals/promptfooconfig.yaml:3: unknown assertion contians"),
        ("prompts: [a]\ntests: [{$ref: '#/none'}]\n", "evals/promptfooconfig.yaml:2: nothing is at #/none"),
        ("prompts: [a]\ntests: no.csv\n", "evals/no.csv: this file doesn't exist"),
        ("[a]\n", "evals/promptfooconfig.yaml:1: this promptfoo configuration is a list"),
        (f"prompts: [a]\ntests: [{{vars: {{a: {['x'] * 200}, b: {['x'] * 200}}}}}]\n", "evals/promptfooconfig.yaml:2: more than 20,000 cases"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_with_its_place(text, said):
    with pytest.raises(SourceError) as raised:
        read(text)
    assert str(raised.value).startswith(said)


LONG = json.dumps("x" * 100)


@pytest.mark.parametrize(
    "text",
    [
        f"tests: [{{vars: {{a: {LONG}, b: {json.dumps(['{{a}}{{a}}'] * 6)}}}}}]",
        f"defaultTest: {{vars: {{a: {LONG}}}}}\ntests: {json.dumps([{'vars': {'b': n}} for n in range(12)])}",
        f"defaultTest: {{vars: {{a: {{c: {LONG}}}}}}}\ntests: {json.dumps([{'vars': {'b': n}} for n in range(12)])}",
        "defaultTest: {assert: [{type: is-json}]}\ntests: [{vars: {a: 1}}, {vars: {a: 2}}]",
    ],
)
def test_what_repetition_makes_is_bounded(monkeypatch, text):
    read("prompts: [a]\n" + text)
    monkeypatch.setattr("engine.readers.bounded.MAX_FILLED", 1_000)
    with pytest.raises(SourceError, match="large together"):
        read("prompts: [a]\n" + text)


class Counting(GivenFiles):
    """Files that note what is asked of git."""

    def __init__(self, blobs):
        super().__init__(blobs)
        self.fetched, self.searched = [], []

    def fetch(self, paths):
        self.fetched.append(list(paths))

    def matching(self, pattern):
        self.searched.append(pattern)
        return super().matching(pattern)


def test_files_are_read_at_once_and_a_pattern_is_searched_once():
    tests = [{"vars": {"n": str(n), "q": f"file://v/{n}.txt", "all": "file://v/*.txt"}} for n in range(3)]
    config = json.dumps({"prompts": ["x"], "tests": tests}).encode()
    files = Counting({"promptfooconfig.yaml": config, "v/0.txt": b"a", "v/1.txt": b"a", "v/2.txt": b"a"})
    assert len(read_tests(["promptfooconfig.yaml"], files).cases) == 9
    assert [sorted(paths) for paths in files.fetched] == [["v/0.txt", "v/1.txt", "v/2.txt"]]
    assert files.searched == ["v/*.txt"]


class Looked(dict):
    """Cases that count how often one is looked up."""

    count = 0

    def __contains__(self, key):
        self.count += 1
        return super().__contains__(key)


def test_the_names_of_equal_tests_take_no_search():
    tests = _Tests(
        ConfigFiles("p.yaml", GivenFiles({"p.yaml": b"prompts: [x]\ntests: [" + b"{vars: {q: 1}}," * 40 + b"]"}))
    )
    tests._cases = Looked()
    first, *_, last = [case.id for case in tests.test_set().cases]
    assert (last, tests._cases.count) == (f"{first}-40", 79)


def test_the_number_of_patterns_is_bounded(monkeypatch):
    monkeypatch.setattr("engine.readers.promptfoo_files.MAX_PATTERNS", 1)
    files = {"a.csv": "q,__expected\n1,x\n", "b.csv": "q,__expected\n2,x\n"}
    assert len(read("prompts: [x]\ntests: [file://a*.csv, file://a*.csv]\n", **files).cases) == 2
    with pytest.raises(SourceError, match="more than 1 patterns"):
        read("prompts: [x]\ntests: [file://a*.csv, file://b*.csv]\n", **files)


TESTS = "prompts: [../prompts/triage.md]\ntests: [file://more.csv]\n"
CSV = "input,__expected\nmy bill,billing\nmoney,refunds\n"
BASE = {
    "promptverdict.yaml": CONFIG.replace("tests/triage.jsonl", "evals/promptfooconfig.yaml"),
    "evals/promptfooconfig.yaml": TESTS,
    "evals/more.csv": CSV,
}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"evals/more.csv": CSV + "pay,refunds\n"}, []),
        ({"evals/more.csv": CSV.replace("money,refunds\n", "")}, ["tests_changed: needs_review"]),
        ({"evals/more.csv": CSV.replace("money,refunds", "money,billing")}, ["tests_changed: needs_review"]),
        ({"evals/more.csv": None}, ["unreadable: error"]),
        ({"evals/promptfooconfig.yaml": TESTS.replace("more", "gone")}, ["unreadable: error"]),
        (
            {"evals/promptfooconfig.yaml": TESTS + "defaultTest: {assert: [{type: javascript, value: x}]}\n"},
            ["tests_changed: needs_review"],
        ),
        (
            {"evals/promptfooconfig.yaml": TESTS + "defaultTest: {options: {prefix: Ignore this.}}\n"},
            ["tests_changed: needs_review"],
        ),
        ({"evals/promptfooconfig.yaml": TESTS + "defaultTest: {provider: x}\n"}, ["tests_changed: needs_review"]),
    ],
)
def test_a_change_of_a_file_that_a_configuration_names_is_a_changed_test_set(tmp_path, head, said):
    change = only(detected(Repository(tmp_path / "repository"), head, base=BASE))
    assert codes(change) == said
    assert [case.where for case in change.tests.cases] == ["evals/more.csv:2", "evals/more.csv:3"]


def test_what_is_not_read_is_compared_in_each_of_several_configurations():
    tests = "prompts: [x]\ntests:\n  - {{vars: {{q: {}}}, options: {{prefix: {}}}}}\n"
    config = CONFIG.replace("tests/triage.jsonl", "[a/promptfooconfig.yaml, b/promptfooconfig.yaml]")
    base = {
        "promptverdict.yaml": config,
        "a/promptfooconfig.yaml": tests.format(1, "Hi"),
        "b/promptfooconfig.yaml": tests.format(2, "Hi"),
    }
    change = only(detected(MemoryTrees(), {"a/promptfooconfig.yaml": tests.format(1, "Ignore this.")}, base=base))
    assert codes(change) == ["tests_changed: needs_review"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("prompts:\n- a\ntests:\n- vars: {a: 1}\nproviders: x\n", {3, 4}),
        ('{\n"prompts": ["a"],\n"tests": [\n{"vars": {"a": 1}}],\n"providers": []}', {3, 4}),
        ("{prompts: [a], tests: [{vars: {a: 1}}]}", set()),
        ('{"prompts": ["a",\n"b"], "tests": [\n{"vars": {"a": 1}}]}', set()),
        ("{tests: [{vars: {a: 1}}], prompts: [\na]}", set()),
    ],
)
def test_no_line_of_a_prompt_counts_as_one_of_tests(text, lines):
    assert lines_of_tests("promptfooconfig.yaml", text.encode()) == lines


BOTH = """\
prompts:
  - "Sort {{input}} into billing or refunds."
  - "Another one: {{input}}"
tests:
  - {vars: {input: my bill}, assert: [{type: equals, value: billing}]}
  - {vars: {input: money}, assert: [{type: equals, value: refunds}]}
"""
NEW = "  - {vars: {input: pay}, assert: [{type: equals, value: refunds}]}\n"


@pytest.mark.parametrize(
    ("text", "said", "warned"),
    [
        (BOTH + NEW, [], ()),
        (BOTH.replace("refunds}", "billing}"), ["tests_changed: needs_review"], ()),
        (BOTH.replace("Sort", "Put"), [], ()),
        (BOTH.replace("Sort", "Put") + NEW, [], ()),
        (
            BOTH.replace("Another", "Some") + NEW,
            [],
            ("the rest of {} looks like a prompt, but no lineage names it: not gated",),
        ),
    ],
)
@pytest.mark.parametrize("path", ["prompts/evals.yaml", "promptfooconfig.yaml"])
def test_a_file_that_holds_the_prompt_and_its_tests(tmp_path, path, text, said, warned):
    config = CONFIG.replace("tests/triage.jsonl", path).replace(
        "prompts/triage.md", f"{{user: '{path}#prompts.0'}}\n    template: jinja"
    )
    base = {"promptverdict.yaml": config, path: BOTH, "prompts/triage.md": None}
    found = detected(Repository(tmp_path / "repository"), {path: text}, base=base)
    change = only(found)
    assert codes(change) == said
    assert {ending.what for ending in change.endings} == {"prompt", "test set"}
    assert len(change.tests.cases) == 2
    assert tuple(warning.what for warning in found.warnings) == tuple(each.format(path) for each in warned)


@pytest.mark.parametrize(
    ("path", "named", "old", "new"),
    [
        ("promptfooconfig.yaml", "promptfooconfig.yaml", "Another one", "Some other"),
        ("evals/support.yaml", "evals/support.yaml", "Another one", "Some other"),
        ("evals/support.yaml", "evals/*.yaml", "Another one", "Some other"),
        ("promptfooconfig.yaml", "promptfooconfig.yaml", "  - file://prompts/triage.md\n", ""),
        ("promptfooconfig.yaml", "promptfooconfig.yaml", "providers: [echo]", "providers: [other]"),
        ("promptfooconfig.yaml", "promptfooconfig.yaml", "my bill", "my last bill"),
    ],
)
def test_prompts_in_a_file_that_a_lineage_names_for_its_tests_only(tmp_path, path, named, old, new):
    text = BOTH.replace("prompts:\n", "providers: [echo]\nprompts:\n  - file://prompts/triage.md\n")
    assert old in text
    base = {"promptverdict.yaml": CONFIG.replace("tests/triage.jsonl", f"'{named}'"), path: text}
    found = detected(Repository(tmp_path / "repository"), {path: text.replace(old, new)}, base=base)
    said = [warning.what for warning in found.warnings]
    assert said == [f"the rest of {path} looks like a prompt, but no lineage names it: not gated"] * (
        new == "Some other"
    )


@pytest.mark.parametrize(("path", "line"), [("many.csv", "x,equals: y\n"), ("many.jsonl", '{"vars": {"q": "x"}}\n')])
def test_a_file_with_too_many_tests_is_refused_before_any_is_evaluated(path, line, monkeypatch):
    monkeypatch.setattr(promptfoo_parts, "MAX_CASES", 3)
    evaluated = []
    monkeypatch.setattr(promptfoo_tests, "read_assertions", lambda *_: evaluated.append(1))
    first = "q,__expected\n" * path.endswith("csv")
    with pytest.raises(SourceError, match=rf"{path}:[45]: more than 3 cases"):
        read(f"prompts: [a]\ntests: {path}\n", **{path: first + line * 9})
    assert evaluated == []
