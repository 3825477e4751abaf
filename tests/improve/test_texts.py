"""Which edits of a message are usable, and how they get into the file."""

import subprocess

import pytest

from engine.improve.patch import file_edit, unified
from engine.improve.texts import editable, like, problem, with_texts
from engine.readers.prompts.registry import read_prompt
from schemas.prompts import Dialect, Message, PromptFile

KEEPS = "it does not keep the variables and tags of the template"
JINJA = "{% if vip %}Be kind to {{ name }}.{% endif %} Sort the ticket."


def prompt(dialect, text):
    return PromptFile(path="p", format="plain", dialect=dialect, messages=(Message(role="system", content=text),))


@pytest.mark.parametrize(
    ("dialect", "old", "new", "why"),
    [
        (Dialect.GITHUB, "Sort {{a}} and {{b}}.", "Sort {{b}}, then {{a}}. Be kind.", None),
        (Dialect.GITHUB, "Sort {{a}} and {{b}}.", "Sort {{a}}.", KEEPS),
        (Dialect.GITHUB, "Sort {{a}}.", "Sort {{a}} and {{b}}.", KEEPS),
        (Dialect.BRACES, "Sort {a}.", "Now sort {a}.", None),
        (Dialect.FSTRING, "JSON {{}} of {a}.", "JSON of {a}.", KEEPS),
        (Dialect.JINJA, JINJA, JINJA.replace("Be kind", "Be very kind"), None),
        (Dialect.JINJA, JINJA, JINJA.replace("{% endif %}", "") + "{% endif %}", None),
        (Dialect.JINJA, JINJA, "Sort {{ name }}.", KEEPS),
        (Dialect.JINJA, "{% include 'a.md' %} Sort.", "Sort it.", KEEPS),
        (Dialect.HANDLEBARS, "{{#if a}}Sort{{/if}} {{> part}}", "{{#if a}}Sort it{{/if}} {{> part}}", None),
        (Dialect.HANDLEBARS, "{{#if a}}Sort{{/if}} {{> part}}", "{{#if a}}Sort it{{/if}}", KEEPS),
        (Dialect.GITHUB, "Sort.", "  \n", "it is empty"),
        (Dialect.GITHUB, "Sort.", "Sort \x1b[31m.", "it has invisible characters"),
        (Dialect.GITHUB, "Sort.", "Sort it \u202e.", "it has invisible characters"),
        (Dialect.GITHUB, "Sort.", "Sort. " * 9_000, "it has more than 40,000 characters"),
    ],
)
def test_an_edit_keeps_every_variable_and_tag(dialect, old, new, why):
    assert problem(prompt(dialect, old), old, new) == why


def test_an_edit_keeps_the_canary_that_shows_a_leak():
    old = "Sort. Never say ZEBRA-17."
    said = [problem(prompt(Dialect.GITHUB, old), old, new, ["ZEBRA-17"]) for new in ("Sort it.", f"{old} Be kind.")]
    assert said == ["it does not keep a canary", None]


FILES = {
    "a.prompt.yml": "# why\nmessages:\n  - role: system\n    content: |\n      Sort the ticket.\n\n      One word only.\n"
    '  - role: user\n    content: "Please sort this ticket: {{t}}"  # the ticket\n',
    "b.prompty": "---\nname: b\n---\nsystem:\nSort the ticket.\n\nuser:\nPlease sort this ticket: {{t}}\n",
    "system.md": "Sort the ticket.\n\nOne word only.\n",
    "c.txt": "Sort the ticket {t}, and say one word",
    "d.prompt": "---\nmodel: m\n---\nSort the ticket {{t}} now.\n",
    "e.j2": "{# why #}\n{% if v %}Kindly sort{% endif %} the ticket {{ t }}\n",
}


@pytest.mark.parametrize("path", FILES)
def test_only_the_text_in_the_file_is_edited_and_git_applies_the_patch(path, tmp_path):
    raw = FILES[path]
    before = read_prompt(path, {path: raw.encode()})
    texts = {name: like(text, text.replace("ort the ticket", "ort each ticket").replace("lease", "lease now"))
             for name, text in editable(before).items()}  # fmt: skip
    texts = {name: text.replace("sort", "gently sort") for name, text in texts.items()}
    after = with_texts(before, texts)
    assert after != before
    patch = file_edit({path: raw.encode()}, before, after, None).patch
    (tmp_path / path).write_text(raw)
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True, cwd=tmp_path)
    edited = (tmp_path / path).read_text()
    assert read_prompt(path, {path: edited.encode()}).messages == after.messages
    kept = {"a.prompt.yml": ("# why", "# the ticket"), "e.j2": ("{# why #}",)}
    assert all(part in edited for part in kept.get(path, ()))


@pytest.mark.parametrize(
    "name", ["my prompts/a b.txt", 'say "hi".txt', "back\\slash.txt", "new\nline.txt", "tab\there.txt", "ü.txt"]
)
def test_git_applies_the_patch_of_a_file_of_any_name(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"one\r\ntwo")
    patch = unified(name, "one\r\ntwo", "one\r\nthree")
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert (tmp_path / name).read_bytes() == b"one\r\nthree"


def test_a_file_that_can_not_be_edited_safely_is_left_to_a_person():
    raw = "messages: [{role: system, content: [{text: Sort these tickets}, {text: here}]}]\n"
    files = {"b.prompt.yml": raw.encode()}
    before = read_prompt("b.prompt.yml", files)
    ((name, old),) = editable(before).items()
    assert file_edit(files, before, with_texts(before, {name: like(old, "Sort it")}), None) is None
