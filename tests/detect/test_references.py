"""Prompts that are constants, keys or parts: what a pull request changes about them."""

import pytest

from tests.detect.pullrequests import CONFIG, codes, detected, kinds, only
from tests.trees import MemoryTrees


@pytest.fixture
def repository():
    return MemoryTrees()


CODE = '''\
"""The prompts."""
OTHER = """Other."""
TRIAGE = """\\
You sort tickets.
Answer with billing or refunds.

Ticket: {input}
"""


def helper():
    return 1
'''
SCRIPT = """\
export const other = `Other.`;
// Sent as the user's message, with the ticket as the customer wrote it, and nothing else.
export const triage = (input: string) => `You sort tickets.
Answer with billing or refunds.
Ticket: ${input}`;
"""
YAML = """\
other: Other.
triage:
  user: |
    You sort tickets.
    Ticket: {input}
"""
REFERENCES = {
    "src/prompts.py#TRIAGE": CODE,
    "src/prompts.ts#triage": SCRIPT,
    "config/prompts.yaml#triage.user": YAML,
}


PYTHON = ("src/prompts.py#TRIAGE", "src/prompts.py", CODE)
REST = "the rest of {} looks like a prompt, but no lineage names it: not gated"


def config(prompt):
    return CONFIG.replace("prompts/triage.md", prompt)


def base_of(prompt, content):
    path = prompt.partition("#")[0]
    return {"promptverdict.yaml": config(prompt), "prompts/triage.md": None, path: content}


@pytest.fixture(params=REFERENCES)
def reference(request):
    return request.param, request.param.partition("#")[0], REFERENCES[request.param]


def test_a_changed_constant_is_detected_with_its_lines(repository, reference):
    prompt, path, content = reference
    edited = content.replace("sort tickets", "sort").replace("Other", "Another")
    change = only(found := detected(repository, {path: edited}, base=base_of(prompt, content)))
    assert [warning.what for warning in found.warnings] == [REST.format(path)]
    assert kinds(change) == ["prompt"]
    assert codes(change) == []
    assert (change.diff.path_before, change.diff.path_after) == (prompt, prompt)
    assert (change.diff.added, change.diff.removed) == (1, 1)
    line = content[: content.index("sort tickets")].count("\n") + 1
    assert (change.diff.file, change.diff.file_lines) == (path, ((line, line),))
    assert change.baseline.messages[0].content != change.candidate.messages[0].content
    assert {(end.end.value, end.path) for end in change.endings} == {("measured", path)}


def test_another_constant_of_the_file_is_no_change_of_the_prompt_and_a_warning(repository, reference):
    prompt, path, content = reference
    found = detected(repository, {path: content.replace("Other", "Another")}, base=base_of(prompt, content))
    assert found.lineages == ()
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert [warning.what for warning in found.warnings] == [REST.format(path)]
    assert [(end.path, end.why) for end in found.harmless] == [(path, "only parts that no lineage names differ")]


def test_a_file_that_becomes_invalid_is_an_error(repository, reference):
    prompt, path, content = reference
    change = only(detected(repository, {path: content + "\n( ["}, base=base_of(prompt, content)))
    assert codes(change) == ["unreadable: error"]
    assert f"{path}:" in change.reasons[0].sentence
    assert [found.path for found in change.changes] == [path]


def test_a_file_that_is_renamed_is_followed(repository, reference):
    prompt, path, content = reference
    moved = path.replace("prompts.", "texts.")
    edited = content.replace("sort tickets", "sort")
    change = only(detected(repository, {path: None, moved: edited}, base=base_of(prompt, content)))
    assert kinds(change) == ["moved_out", "prompt"]
    assert codes(change) == ["moved_out: needs_review"]
    assert change.candidate.path == prompt.replace("prompts.", "texts.")


def test_a_rename_that_the_configuration_follows_needs_no_review(repository):
    prompt, path, content = PYTHON
    moved = path.replace("prompts.", "texts.")
    head = {
        path: None,
        moved: content.replace("sort tickets", "sort"),
        "promptverdict.yaml": config(prompt.replace("prompts.", "texts.")),
    }
    change = only(found := detected(repository, head, base=base_of(prompt, content)))
    assert kinds(change) == ["renamed", "prompt", "policy"]
    assert codes(change) == codes(found) == []


def test_a_constant_that_vanishes_is_a_deleted_prompt(repository, reference):
    prompt, path, content = reference
    gone = content.replace("TRIAGE", "GONE").replace("const triage", "const gone").replace("user:", "gone:")
    change = only(detected(repository, {path: gone}, base=base_of(prompt, content)))
    assert kinds(change) == ["deleted"]
    assert codes(change) == ["deleted_lineage: needs_review"]
    assert prompt in change.reasons[0].sentence


def test_a_file_that_is_deleted_is_a_deleted_prompt(repository):
    prompt, path, content = PYTHON
    change = only(detected(repository, {path: None}, base=base_of(prompt, content)))
    assert codes(change) == ["deleted_lineage: needs_review"]


def test_a_constant_that_was_never_there_is_an_error(repository):
    prompt, path, content = PYTHON
    base = base_of(f"{prompt}2", content)
    change = only(detected(repository, {path: content.replace("Other", "Another")}, base=base))
    assert codes(change) == ["unreadable: error"]
    assert "there is no prompt" in change.reasons[0].sentence


def test_another_constant_in_the_configuration_needs_review(repository):
    head = {"src/prompts.py": CODE.replace("TRIAGE", "SORT"), "promptverdict.yaml": config("src/prompts.py#SORT")}
    change = only(found := detected(repository, head, base=base_of("src/prompts.py#TRIAGE", CODE)))
    assert (change.baseline.path, change.candidate.path) == ("src/prompts.py#TRIAGE", "src/prompts.py#SORT")
    assert change.baseline.messages == change.candidate.messages
    assert kinds(change) == ["renamed", "policy"]
    assert codes(found) == ["policy_changed: needs_review"]


FAILS = {
    "two definitions": CODE + 'TRIAGE = "x"\n',
    "a condition": CODE + 'if DEBUG:\n    TRIAGE = "x"\n',
    "+=": CODE + 'TRIAGE += "x"\n',
    "a function that sets it": CODE + 'def f():\n    global TRIAGE\n    TRIAGE = "x"\n',
    "a hole that is a call": CODE.replace('TRIAGE = """', 'TRIAGE = f"""').replace("{input}", "{load()}"),
    "an imported hole": "from .base import input\n" + CODE.replace('TRIAGE = """', 'TRIAGE = f"""'),
    "an import": "from .base import TRIAGE\n",
    "a star import": CODE + "from .base import *\n",
    "a call that may change it": CODE.replace('TRIAGE = ', 'T = [{"role": "user", "content": ').replace("{input}\n\"\"\"", "{input}\n\"\"\"}]\nTRIAGE = T\nedit(T)"),
    "UTF-16": CODE.encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILS)
def test_what_can_no_longer_be_told_is_an_error(repository, what):
    prompt = "src/prompts.py#TRIAGE"
    change = only(detected(repository, {"src/prompts.py": FAILS[what]}, base=base_of(prompt, CODE)))
    assert codes(change) == ["unreadable: error"]
    assert "src/prompts.py" in change.reasons[0].sentence


@pytest.mark.parametrize("what", FAILS)
def test_what_can_be_told_on_neither_side_is_an_error_where_it_differs(repository, what):
    content = FAILS[what]
    blank = b"\n\x00" if isinstance(content, bytes) else "# more\n"
    base = base_of("src/prompts.py#TRIAGE", content)
    assert codes(only(detected(repository, {"src/prompts.py": content + blank}, base=base))) == ["unreadable: error"]


def test_a_baseline_that_cannot_be_read_needs_review(repository):
    base = base_of("src/prompts.py#TRIAGE", FAILS["+="])
    change = only(detected(repository, {"src/prompts.py": CODE}, base=base))
    assert codes(change) == ["unreadable: needs_review"]


PACKAGE = "src/prompts/__init__.py"


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        ({}, {PACKAGE: CODE.replace("sort", "order")}, "unreadable: error"),
        ({PACKAGE: CODE}, {PACKAGE: CODE.replace("sort", "order")}, "unreadable: error"),
        ({PACKAGE: CODE}, {PACKAGE: None}, "unreadable: needs_review"),
    ],
)
def test_a_package_of_the_same_name_takes_the_place_of_a_file(repository, base, head, expected):
    prompt, _, content = PYTHON
    change = only(detected(repository, head, base={**base_of(prompt, content), **base}))
    assert codes(change) == [expected]
    assert "src/prompts/__init__.py is imported in place of this file" in change.reasons[0].sentence


IMPORTED = {
    "src/prompts.py#P": ("from .base import RULES\nP = f'{RULES} {input}'\n", "src/base.py", {}),
    "src/a/prompts.py#P": ("from base.rules import RULES\nP = RULES\n", "src/base/rules.py", {}),
    "src/b/prompts.py#P": ("from .. import base\nP = base.RULES\n", "src/base/__init__.py", {}),
    "src/c/prompts.py#P": ("from .one import *\n", "src/c/two.py", {"src/c/one.py": "from .two import P\n"}),
    "src/prompts.ts#p": ("import { rules } from './base.js';\nexport const p = `${rules} ${x}`;\n", "src/base.ts", {}),
    "src/d/prompts.ts#p": ("export { p } from '@/lib/base';\n", "src/lib/base/index.ts", {}),
}


@pytest.mark.parametrize("prompt", IMPORTED)
def test_a_changed_file_from_which_an_unreadable_prompt_comes_needs_review(repository, prompt):
    text, imported, more = IMPORTED[prompt]
    base = {**base_of(prompt, text), imported: "a", **more, "src/other.py": "a"}
    found = detected(repository, {imported: "b"}, base=base)
    assert codes(found) == ["unreadable: needs_review"]
    assert f"{imported} changed, and the prompt may come from it" in found.reasons[0].sentence
    assert found.warnings == ()


def test_a_prompt_that_cannot_be_read_is_a_warning_whatever_changes(repository):
    text = IMPORTED["src/prompts.py#P"][0]
    base = {**base_of("src/prompts.py#P", text), "src/base.py": "a"}
    found = detected(repository, {"src/main.py": "print(1)\n"}, base=base)
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert [warning.what for warning in found.warnings] == [
        "triage: the prompt can't be read, so it is not gated: RULES is imported from .base, and other files are not followed"
    ]


def test_an_import_of_a_prompt_that_can_be_read_is_no_part_of_it(repository):
    base = {**base_of("src/prompts.py#TRIAGE", f"from .base import x\n{CODE}"), "src/base.py": "a"}
    found = detected(repository, {"src/base.py": "b"}, base=base)
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert found.warnings == ()


SETTINGS = {
    "config/app.yaml#triage.user": "model: gpt\ntriage:\n  temperature: 0.2\n  user: Sort {input}\n",
    "config/app.json#triage.user": '{"model": "gpt", "triage": {"user": "Sort {input}", "temperature": 0.2}}',
    "config/app.toml#triage.user": 'model = "gpt"\n[triage]\ntemperature = 0.2\nuser = "Sort {input}"\n',
    "src/app.py#TRIAGE.user": 'TRIAGE = {"model": "gpt", "user": "Sort {input}", "temperature": 0.2}\n',
    "src/app2.py#Triage.user": 'class Triage:\n  model = "gpt"\n  temperature = 0.2\n  user = "Sort {input}"\n',
    "src/app.ts#triage.user": "export const triage = { model: 'gpt', temperature: 0.2, user: 'Sort {input}' };\n",
}


@pytest.mark.parametrize("prompt", SETTINGS)
def test_settings_beside_a_key_are_not_read_and_a_change_of_them_needs_review(repository, prompt):
    path, _, key = prompt.partition("#")
    base = base_of(prompt, SETTINGS[prompt])
    change = only(detected(repository, {path: SETTINGS[prompt].replace("0.2", "0.9")}, base=base))
    assert codes(change) == ["unmeasured: needs_review"]
    assert f"temperature beside {key}" in change.reasons[0].sentence
    said = " ".join(warning.what for warning in change.warnings)
    assert "temperature" in said
    assert "model" in said
    edited = only(detected(repository, {path: SETTINGS[prompt].replace("Sort", "Order")}, base=base))
    assert codes(edited) == []


PARTS = "{system: src/prompts.py#SYSTEM, user: prompts/user.md}"
PART_FILES = {
    "promptverdict.yaml": config(PARTS),
    "prompts/triage.md": None,
    "src/prompts.py": 'OTHER = "a"\nSYSTEM = "Sort."\n',
    "prompts/user.md": "Ticket: {{ input }}\n",
}


@pytest.mark.parametrize(
    ("head", "file", "lines"),
    [
        ({"src/prompts.py": 'OTHER = "a"\nSYSTEM = "Sort it."\n'}, "src/prompts.py", ((2, 2),)),
        ({"prompts/user.md": "Hi.\nTicket: {{ input }}\n"}, "prompts/user.md", ((1, 1),)),
    ],
)
def test_parts_of_several_places_are_one_prompt(repository, head, file, lines):
    change = only(detected(repository, head, base=PART_FILES))
    assert codes(change) == []
    assert (change.diff.file, change.diff.file_lines) == (file, lines)
    assert [message.role.value for message in change.candidate.messages] == ["system", "user"]


def test_another_constant_beside_a_part_is_no_change(repository):
    found = detected(repository, {"src/prompts.py": 'OTHER = "b"\nSYSTEM = "Sort."\n'}, base=PART_FILES)
    assert codes(found) == ["nothing_changed: not_applicable"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"prompts/user.md": None}, "unreadable: error"),
        ({"src/prompts.py": 'OTHER = "a"\n'}, "unreadable: error"),
        ({"prompts/user.md": None, "src/prompts.py": None}, "deleted_lineage: needs_review"),
        ({"src/prompts.py": None, "src/texts.py": PART_FILES["src/prompts.py"]}, "moved_out: needs_review"),
    ],
)
def test_a_part_that_goes_is_noticed(repository, head, expected):
    assert codes(only(detected(repository, head, base=PART_FILES))) == [expected]


@pytest.mark.parametrize("line", ["foo: 1", "role: user"])
def test_what_changes_in_a_whole_file_is_never_elsewhere(repository, line):
    prompt = "{system: src/prompts.py#OTHER, user: prompts/all.md}"
    base = {**base_of(prompt, CODE), "promptverdict.yaml": config(prompt), "src/prompts.py": CODE}
    base["prompts/all.md"] = "Sort {{ input }}\n"
    change = only(detected(repository, {"prompts/all.md": f"---\n{line}\n---\nSort {{{{ input }}}}\n"}, base=base))
    assert codes(change) == ["unmeasured: needs_review"]


def test_another_constant_needs_review_where_uncovered_prompts_do(repository):
    base = base_of("src/prompts.py#TRIAGE", CODE)
    base["promptverdict.yaml"] += "uncovered: needs_review\n"
    found = detected(repository, {"src/prompts.py": CODE.replace("Other", "Another")}, base=base)
    assert codes(found) == ["uncovered: needs_review"]
    assert found.reasons[0].sentence.startswith("The rest of src/prompts.py looks like a prompt")


@pytest.mark.parametrize("path", ["src/agent.py", "src/prompts.py"])
def test_a_file_that_changes_in_nothing_but_the_prompt_is_no_warning(repository, path):
    base = base_of(f"{path}#TRIAGE", CODE)
    found = detected(repository, {path: CODE.replace("sort tickets", "sort")}, base=base)
    assert found.warnings == ()


def test_two_lineages_of_one_file_are_told_apart(repository):
    both = (
        config("src/prompts.py#TRIAGE")
        + "  other:\n    use_case: classification\n    prompt: src/prompts.py#OTHER\n    tests: tests/triage.jsonl\n    labels: [billing, refunds]\n"
    )
    base = {**base_of("src/prompts.py#TRIAGE", CODE), "promptverdict.yaml": both}
    change = only(found := detected(repository, {"src/prompts.py": CODE.replace("Other", "Another")}, base=base))
    assert change.name == "other"
    assert found.unaffected == 1
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("src/p.py#p", 'def p(input, *, tone="kind"):\n    return f"Be {tone}. Sort {input}"\n'),
        ("src/p.ts#p", 'const p = ({ input, tone = "kind" }) => `Be ${tone}. Sort ${input}`;\n'),
    ],
)
def test_a_default_of_a_function_is_not_measured(repository, prompt, code):
    path = prompt.partition("#")[0]
    base = base_of(prompt, code)
    change = only(detected(repository, {path: code.replace("kind", "rude")}, base=base))
    assert codes(change) == ["unmeasured: needs_review"]
    assert "the default of tone" in change.reasons[0].sentence


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_only_line_feeds_count_the_lines_that_a_constant_takes(repository, separator):
    """Python counts no other separator. With them, a change of the constant looked like one of the rest."""
    prompt, path, content = PYTHON
    content = content.replace('"""Other."""', f'"""One{9 * separator}more."""')
    edited = content.replace("sort tickets", "sort")
    found = detected(repository, {path: edited}, base=base_of(prompt, content))
    assert found.warnings == ()
    assert kinds(only(found)) == ["prompt"]
