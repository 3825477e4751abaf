"""Prompts by reference: keys of documents, roles, parts from several places."""

import pytest

from engine.readers.bounded import Source
from engine.readers.code.pieces import MissingConstantError
from engine.readers.prompts.keys import read_key
from engine.readers.prompts.references import read_reference
from schemas.errors import SourceError
from schemas.references import PromptParts, reference_of

YAML = """\
triage:
  system: |
    Sort the ticket.
  user: "Ticket: {ticket}"
  messages:
    - role: system
      content: a
    - {role: user, content: "b {{x}}"}
dotted.key:
  text: c
dotted: {key.text: d}
list: [e, "f {x}"]
number: 5
"""
TOML = """\
title = "a {x}"
[triage]
system = \"\"\"
[not.a.table]
user = 1
\"\"\"
user = "b {x}"
[[list]]
text = "c"
[[list]]
text = "d"
messages = [{role = "system", content = "e"}, {role = "user", content = "f {x}"}]
"""
FILES = {
    "p.yaml": YAML,
    "p.toml": TOML,
    "p.json": '{"triage": {\n"system": "a"}}',
    "p.py": "SYSTEM_PROMPT = 'Sort.'\nPROMPT = 'Sort.'\nASK = 'Sort {x}'\nfeedbackSystem = 'Sort {x}'\nECOSYSTEM = 'Sort {x}'\nINPUT = 'Sort {input}'\n",
    "p.ts": "export const triage = { system: `Sort.`, user: (t: string) => `Ticket: ${t}` };\n",
    "user.md": "---\ntemperature: 1\nparameters: {temperature: 0.5}\n---\nTicket: {{ t }}\n",
    "user.j2": "{% include 'part.md' %} {{ t }}",
    "empty.md": "\n",
    "part.md": "Be kind.",
    "p.go": "package main",
}


def read(prompt, **files):
    blobs = {path: text.encode() for path, text in {**FILES, **files}.items()}
    prompt = PromptParts(**prompt) if isinstance(prompt, dict) else prompt
    return read_reference(reference_of(prompt), blobs)


def messages(prompt):
    return [f"{message.role}: {message.content}" for message in prompt.messages]


@pytest.mark.parametrize(
    ("prompt", "expected", "first_lines"),
    [
        ("p.yaml#triage.system", ["system: Sort the ticket.\n", "user: {{input}}"], [2]),
        ("p.yaml#triage.user", ["user: Ticket: {ticket}"], [4]),
        ("p.yaml#triage.messages", ["system: a", "user: b {{x}}"], [6, 8]),
        ("p.yaml#dotted.key.text", None, [10, 11]),
        ("p.yaml#list.1", ["user: f {x}"], [12]),
        ("p.json#triage.system", ["system: a", "user: {{input}}"], [2]),
        ("p.toml#title", ["user: a {x}"], [1]),
        ("p.toml#triage.system", ["system: [not.a.table]\nuser = 1\n", "user: {{input}}"], [3]),
        ("p.toml#triage.user", ["user: b {x}"], [7]),
        ("p.toml#list.1.text", ["user: d"], [11]),
        ("p.toml#list.1.messages", ["system: e", "user: f {x}"], [12, 12]),
        ("p.py#SYSTEM_PROMPT", ["system: Sort.", "user: {{input}}"], [1]),
        ("p.py#PROMPT", ["user: Sort."], [2]),
        ("p.py#ASK", ["user: Sort {x}"], [3]),
        ("p.py#feedbackSystem", ["system: Sort {x}", "user: {{input}}"], [4]),
        ("p.py#ECOSYSTEM", ["user: Sort {x}"], [5]),
        ("p.py#INPUT", ["user: Sort {input}"], [6]),
        ({"system": "p.py#PROMPT", "user": "p.ts#triage.user"}, ["system: Sort.", "user: Ticket: {t}"], [2, 1]),
        ({"system": "p.ts#triage.system"}, ["system: Sort.", "user: {{input}}"], [1]),
        ({"system": "p.py#PROMPT", "user": "empty.md"}, ["system: Sort.", "user: {{input}}"], [2]),
        ({"system": "p.py#ASK", "user": "user.md"}, ["system: Sort {x}", "user: Ticket: {{ t }}"], [3, 1]),
        ({"system": "p.py#ASK", "user": "user.j2"}, ["system: Sort {{x}}", "user: {% include 'part.md' %} {{ t }}"], [3, 1]),
    ],
)  # fmt: skip
def test_what_a_reference_reads(prompt, expected, first_lines):
    if expected is None:
        with pytest.raises(SourceError, match=r"^p\.yaml:10: dotted\.key\.text means several keys \(lines 10, 11\)"):
            read(prompt)
        return
    found = read(prompt)
    assert messages(found) == expected
    assert [origin.lines[0][0] for origin in found.origins] == first_lines


def test_what_a_reference_is_called_and_where_it_was_read():
    found = read({"system": "p.py#PROMPT", "user": "user.j2"})
    assert found.path == "p.py#PROMPT, user.j2"
    assert list(map(str, found.origins)) == ["p.py#PROMPT (line 2)", "user.j2"]
    assert found.included == {"part.md": "Be kind."}
    assert str(read("p.yaml#triage.system").origins[0]) == "p.yaml#triage.system (lines 2–3)"


def test_settings_of_a_part_are_those_of_the_prompt():
    found = read({"system": "p.py#PROMPT", "user": "user.md"})
    assert found.parameters.temperature == 0.5
    assert found.unread == {"temperature of the front matter (user.md)": 1}


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("p.yaml#number", "p.yaml:13:9: number is a number"),
        ("p.yaml#triage", "p.yaml:2:3: triage is a map"),
        ("p.yaml#list", "p.yaml:12:8: message 1 is text"),
        ("p.go#X", "p.go: no name after # is looked up in files of this kind"),
        ("p.md#X", "p.md: no name after # is looked up"),
        ({"system": "p.py"}, "p.py: which part of this file is meant isn't said (name it: p.py#NAME)"),
        ({"system": "p.go"}, "p.go: this is not a text file"),
        ({"system": "p.py#PROMPT", "user": "p.py#GONE"}, "p.py:1: there is no GONE in this file"),
        ({"system": "p.py#PROMPT", "user": "gone.md"}, "gone.md: there is no such file"),
        ({"system": "p.yaml#triage.messages"}, "p.yaml:6: triage.messages is a list of messages, and here a text is needed"),
        ({"user": "empty.md"}, "empty.md:1: the prompt is empty"),
        ({"system": "user.md", "user": "user.md"}, "user.md:1: both parts say parameters"),
        ("bad.yaml#x", "bad.yaml:2:1: not valid YAML"),
        ("bad.toml#x", "bad.toml:1:5: not valid TOML"),
        ("bad.json#x", "bad.json:1:"),
        ("deep.toml#x", "deep.toml:1: nested too deeply"),
        ("e.py#P", "e.py:1: the prompt is empty"),
    ],
)  # fmt: skip
def test_what_a_reference_cannot_read_is_an_error_at_its_place(prompt, said):
    more = {
        "bad.yaml": "x: [", "bad.toml": "x = $", "bad.json": "{", "deep.toml": "x = " + "[" * 2_000, "e.py": "P = ''",
        "p.md": "a",
    }  # fmt: skip
    with pytest.raises(SourceError) as raised:
        read(prompt, **more)
    assert said in str(raised.value)
    assert not isinstance(raised.value, MissingConstantError)


@pytest.mark.parametrize(
    "prompt",
    ["p.yaml#gone", "p.yaml#list.2", "p.yaml#list.-1", "p.yaml#number.x", "p.toml#gone", "p.json#triage.user", "gone.py#X", {"system": "gone.py#X", "user": "p.py#GONE"}],
)  # fmt: skip
def test_what_is_nowhere_is_missing(prompt):
    with pytest.raises(MissingConstantError):
        read(prompt)


@pytest.mark.parametrize(
    ("path", "item"), [("p.json", '{"role": "user", "content": "a"}'), ("p.toml", "{role='user', content='a'}")]
)
def test_the_lines_of_a_file_are_split_once_for_all_its_messages(path, item):
    class Counted(str):
        splits = 0

        def split(self, *given):
            type(self).splits += given == ("\n",)
            return super().split(*given)

    items = ", ".join([item] * 50)
    text = f'{{"p": [{items}]}}' if path == "p.json" else f"p = [{items}]"
    assert len(read_key(Source(path, Counted(text)), "p")) == 50
    assert Counted.splits < 5
