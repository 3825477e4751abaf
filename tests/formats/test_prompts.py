"""Prompts in the other formats: Studio, plain files, pairs, chat; and how they are found."""

import contextlib
import time

import pytest

from engine.readers.dialects import variables_of
from engine.readers.prompts import READERS, is_prompt_path, read_prompt
from schemas.errors import SourceError
from schemas.prompts import Dialect, Role


def read(path, **files):
    return read_prompt(path, {name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()})


def tree(files):
    return {path: text.encode() for path, text in files.items()}


def mistake(path, files):
    with pytest.raises(SourceError) as caught:
        read_prompt(path, tree(files))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(prompt):
    return [(message.role, message.content) for message in prompt.messages]


# --- Studio ---

STUDIO = """name: v3
description: third
is_baseline: false
model_params: {temperature: 0.2, max_tokens: 300}
system_prompt: |
  Answer as JSON: {"label": "..."}, {} or {{x}}.
user_template: "Ticket: {ticket} in {lang}"
"""


def test_studio_yaml_fills_in_bare_identifiers_only():
    prompt = read_prompt("p/v3.yaml", tree({"p/v3.yaml": STUDIO}))
    assert (prompt.format, prompt.dialect, prompt.name) == ("studio", Dialect.BRACES, "v3")
    assert (prompt.parameters.temperature, prompt.parameters.max_tokens) == (0.2, 300)
    assert variables_of(prompt) == {"ticket", "lang", "x"}
    assert prompt.warnings == ()


def test_studio_yaml_without_a_user_template_is_refused():
    assert mistake("a.yaml", {"a.yaml": "system_prompt: hi\n"}) == (
        'a.yaml:1: the prompt file has no user_template (add user_template: "{input}")'
    )


def test_yaml_that_cant_be_parsed_says_why():
    assert mistake("a.yaml", {"a.yaml": "system_prompt: [\n"}).startswith("a.yaml:2:1: not valid YAML:")


# --- plain files ---


def test_a_plain_file_is_one_user_message():
    prompt = read_prompt("a.md", tree({"a.md": "\n# Task\nSort {{ ticket }}.\n\n"}))
    assert (prompt.format, prompt.dialect) == ("plain", Dialect.GITHUB)
    assert contents(prompt) == [(Role.USER, "# Task\nSort {{ ticket }}.")]


def test_front_matter_names_model_parameters_and_role():
    text = (
        "\ufeff---\nmodel: haiku\nparameters: {temperature: 0, top_p: 0.5}\nrole: system\n---\nBe kind to {{ who }}.\n"
    )
    prompt = read_prompt("a.md", tree({"a.md": text}))
    assert (prompt.model, prompt.parameters.temperature, prompt.parameters.top_p) == ("haiku", 0, 0.5)
    assert contents(prompt) == [(Role.SYSTEM, "Be kind to {{ who }}."), (Role.USER, "{{input}}")]
    assert "byte order mark" in prompt.warnings[0].what


def test_a_system_prompt_that_uses_the_input_gets_no_second_message():
    assert len(read_prompt("system.md", tree({"system.md": "Sort {{ input }}."})).messages) == 1
    assert len(read_prompt("system.md", tree({"system.md": "Sort what you get."})).messages) == 2


def test_a_rule_without_a_second_one_is_no_front_matter():
    assert contents(read_prompt("a.md", tree({"a.md": "---\nSort.\n"}))) == [(Role.USER, "---\nSort.")]
    assert contents(read_prompt("a.md", tree({"a.md": "---\n---\nSort.\n"}))) == [(Role.USER, "Sort.")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nmodle: x\n---\nhi", None),
        ("---\njust a line\n---\nhi", "a.md:2: the text between the first two --- lines is text, not a front matter (write key: value lines there, or start the file with an empty line)"),
        ("---\na: [\n---\nhi", "a.md:3:1: not valid YAML: did not find expected node content (check indentation, quotes and colons here)"),
        ("---\nmodel: x\n---\n\n", "a.md:4: the prompt is empty (write the instructions for the model)"),
        ("---\nrole: boss\n---\nhi", "a.md:2:7: unknown role boss (known: assistant, developer, system, user)"),
        ("---\nparameters: {temperature: 3}\n---\nhi", "a.md:2:27: temperature can't be 3 (it should be less than or equal to 2)"),
        ("---\nparameters: {stop: {a: 1}}\n---\nhi", "a.md:2:20: stop can't be a map (it should be a valid tuple)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plain_file(text, said):
    if said is None:
        warnings = read_prompt("a.md", tree({"a.md": text})).warnings
        assert [str(w) for w in warnings] == [
            "a.md:2: unknown key modle in the front matter is ignored (did you mean model?)"
        ]
    else:
        assert mistake("a.md", {"a.md": text}) == said


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("{{ a }} and {b} and {{c}}", Dialect.GITHUB),
        ('{"a": {"b": {}}}', Dialect.GITHUB),
        ("{# a heading #}", Dialect.GITHUB),
        ("100{% of cases", Dialect.JINJA),
        ("{% if a %}x{% endif %}", Dialect.JINJA),
        ("{{ a|upper }}", Dialect.JINJA),
        ("{{ user.name }}", Dialect.JINJA),
        ("{{- a }}", Dialect.JINJA),
        ("{{\n a }}", Dialect.JINJA),
        ("{{ a if b else '' }}", Dialect.JINJA),
        ("{{ 'x' if b }} {{ a }}", Dialect.JINJA),
        ("{{ not a }}", Dialect.JINJA),
        ("{%+ if a %}x{% endif %}", Dialect.JINJA),
        ("{%\nif a %}x{% endif %}", Dialect.JINJA),
        ('{{"label": "x"}} {{ your name here }} {{> a }} {{ $a }} {{ user-name }}', Dialect.GITHUB),
    ],
)
def test_jinja_is_what_needs_jinja(text, dialect):
    assert read_prompt("a.md", tree({"a.md": text})).dialect is dialect
    assert read_prompt("a.j2", tree({"a.j2": text})).dialect is Dialect.JINJA


# --- partials ---


def test_partials_come_from_the_tree_and_are_part_of_the_prompt():
    files = {
        "prompts/a/p.j2": '{% include "shared/tone.md" %}{% include "local.md" %}{% from "macros.j2" import x %}{{ q }}',
        "shared/tone.md": "Kind. {% include '../a/deep.md' %}",
        "prompts/a/deep.md": "{{ deep }}",
        "prompts/a/local.md": "Local",
        "macros.j2": "{% macro x(y) %}{{ y }}{% endmacro %}",
    }
    files["prompts/a/deep.md"] = "{{ deep }}"
    prompt = read_prompt("prompts/a/p.j2", tree(files))
    assert prompt.partials == ("macros.j2", "prompts/a/deep.md", "prompts/a/local.md", "shared/tone.md")
    assert prompt.included["../a/deep.md"] == "{{ deep }}"
    assert variables_of(prompt) == {"deep", "q"}


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ('{% include "../../etc/passwd" %}', "a/p.j2: the partial ../../etc/passwd is outside the repository (include a file of this repository, by its path from the root or from the prompt's folder)"),
        ('{% include "/etc/passwd" %}', "a/p.j2: the partial /etc/passwd is outside the repository (include a file of this repository, by its path from the root or from the prompt's folder)"),
        ("{% include 'nope.md' %}", "a/p.j2: the partial nope.md does not exist (include a file of this repository, by its path from the root or from the prompt's folder)"),
        ("{%- include name %}", "a/p.j2: the included name name is computed (include files by a name in quotes)"),
        ("{% include ['a.md', 'b.md'] %}", "a/p.j2: the included name ['a.md', 'b.md'] is computed (include files by a name in quotes)"),
    ],
)  # fmt: skip
def test_a_partial_that_cant_be_had_is_named(include, said):
    assert mistake("a/p.j2", {"a/p.j2": include}) == said


def test_the_number_of_partials_is_bounded():
    files = {f"{i}.md": f'{{% include "{i + 1}.md" %}}' for i in range(300)}
    assert "more than 100 partials" in mistake("p.j2", {**files, "p.j2": '{% include "0.md" %}'})


# --- pairs ---


def test_a_folder_with_two_files_is_one_prompt():
    files = tree({"p/system.md": "---\nmodel: m\n---\nBe kind.", "p/user.j2": "{{ input|trim }}"})
    for path in ("p", "p/system.md", "p/user.j2"):
        prompt = read_prompt(path, files)
        assert (prompt.path, prompt.format, prompt.model, prompt.dialect) == ("p", "pair", "m", Dialect.JINJA)
        assert contents(prompt) == [(Role.SYSTEM, "Be kind."), (Role.USER, "{{ input|trim }}")]


def test_a_pair_says_everything_once():
    front = "---\nmodel: m\n---\nx"
    assert "both files of the pair have model" in mistake("p", {"p/system.md": front, "p/user.md": front})
    assert "same role" in mistake("p", {"p/system.md": "x", "p/user.md": "---\nrole: system\n---\nx"})
    assert "prompt format is not supported" in mistake("p/system.xyz", {"p/system.xyz": ""})


# --- chat ---


def test_chat_files_are_lists_of_messages():
    text = '[{"role": "system", "content": "Be kind."},\n {"role": "User", "content": "{{ input }}"}]'
    prompt = read_prompt("chat.json", tree({"chat.json": text}))
    assert (prompt.format, prompt.dialect) == ("chat", Dialect.GITHUB)
    assert contents(prompt) == [(Role.SYSTEM, "Be kind."), (Role.USER, "{{ input }}")]
    assert prompt.digest == read_prompt("chat.yaml", tree({"chat.yaml": text})).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "c.json:1: the list of messages is empty (add a message)"),
        ("{}", "c.json:1: the file is a map, not a list of messages (write [{role, content}, …])"),
        ('[\n{"role": "user"}]', "c.json:2: message 1 has no content (add content:)"),
        ('[{"role": "user", "content": "a",\n "role": "system"}]', "c.json:2:2: duplicate key role (first at line 1) (remove one of the two)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_chat_file(text, said):
    assert mistake("c.json", {"c.json": text}) == said


# --- finding them ---


def test_what_isnt_there_or_isnt_known_is_said():
    assert (
        mistake("a.prompt.yml", {})
        == "a.prompt.yml: this prompt doesn't exist (check the path; it is relative to the configuration's folder)"
    )
    assert mistake("a.docx", {"a.docx": ""}).startswith(
        "a.docx: this prompt format is not supported (known: .prompt.yml"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.prompt.yml", True), ("x/a.prompt.yaml", True), ("prompts/a.md", True), ("src/prompts/b/system.txt", True), ("my_prompts/a.j2", True),
        ("README.md", False), ("prompts/README.md", False), ("docs/a.md", False), ("prompts.py", False), ("node_modules/x/prompts/a.md", False), (".github/prompts/x.md", False),
        (".github/prompts/triage.prompt.yml", True),
        ("sub/.github/triage.prompt.yaml", True),
        (".github/prompts/an-editors.prompt.md", False),
        (".github/workflows/x.yml", False),
        (".git/prompts/x.prompt.yml", False),
    ],
)  # fmt: skip
def test_a_name_says_prompt_or_it_doesnt(path, expected):
    assert is_prompt_path(path) is expected


def test_the_registry_lists_each_format_once():
    names = [reader.name for reader in READERS]
    assert names == sorted(set(names), key=names.index)
    assert {"github", "prompty", "dotprompt", "promptflow", "semantic-kernel", "langchain", "plain"} <= set(names)


@pytest.mark.parametrize(("data", "said"), [(b"\x00\x01", "binary"), (b"x" * 2_000_000, "1.9 MiB"), (b"\xff", "invalid UTF-8"), (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"), (b"../x.md", "symbolic link")])  # fmt: skip
@pytest.mark.parametrize("path", ["a.prompt.yml", "a.yaml", "a.md", "a.json", "a.j2"])
def test_what_is_no_text_is_said_in_every_format(path, data, said):
    with pytest.raises(SourceError, match=said):
        read_prompt(path, {path: data})


def test_partials_and_warnings_are_bounded():
    files = {f"{i}.md": "x" * 600_000 for i in range(2)}
    assert "more than 1 MiB together" in mistake("p.j2", {**files, "p.j2": '{% include "0.md" %}{% include "1.md" %}'})
    text = "messages: [{role: user, content: a}]\n" + "\n".join(f"k{i}: 1" for i in range(500))
    assert len(read_prompt("a.prompt.yml", tree({"a.prompt.yml": text})).warnings) == 50


@pytest.mark.parametrize(
    "unit",
    [
        "{{",
        "{%",
        "{% include '",
        '{% include "',
        "{{ a",
        "{#",
        "{{ (",
        "{{ [",
        "{{ 9**",
        "---\n",
        "{{ 'a",
        "a\n",
        "{{ " + "9" * 5000,
        " ",
    ],
)
@pytest.mark.parametrize("path", ["a.md", "a.j2", "a.prompt"])
def test_no_mebibyte_of_template_takes_two_seconds_to_read(path, unit):
    data = (unit * (1_000_000 // len(unit))).encode()
    begin = time.process_time()
    with contextlib.suppress(SourceError):
        variables_of(read_prompt(path, {path: data}))
    assert time.process_time() - begin < 2
