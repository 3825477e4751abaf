"""Edits of prompt files: only what was edited changes, in the file's own form, for every format that the readers know."""

import difflib

import pytest
import yaml

from engine.prompt_edits import NotEditableError, yaml_places
from engine.prompt_edits.config_edit import with_parameter
from engine.prompt_edits.edit import Editing
from engine.readers.prompts.registry import READERS
from schemas.prompts import Dialect
from schemas.references import reference_of

GITHUB = """# Why: support asked for it.
name: Triage
model: openai/gpt-4o   # the small one is worse
modelParameters:
  temperature: 0.5  # measured in May
  maxTokens: 20
messages:
  - role: system
    content: |
      You sort tickets.

      Reply in at most
      three sentences.   # not a comment
  - role: user
    content: "Ticket: {{ticket}}\\tend"
# the end
"""
FOLDED = """messages:
  - role: system
    content: >-
      You sort tickets of a shop that sells plants,
      and you answer in at most
      three sentences.

      Never give advice about
      medicine.
  - role: user
    content: 'Ticket: {{ticket}}, don''t guess'
"""
PROMPTY = """---
name: triage
model:
  api: chat
  parameters: {temperature: 0.5, max_tokens: 20}
---
system:
You sort tickets. Reply in at most three sentences.

user:
{{ticket}}
"""
DOTPROMPT = """# license

---
model: googleai/gemini
config:
  temperature: 0.5
---
{{role "system"}}
Reply in at most three sentences.
{{role "user"}}
{{ticket}}
"""
KERNEL = {
    "p/skprompt.txt": '<message role="system">Reply in at most three sentences.</message>\n<message role="user">{{$input}}</message>\n',
    "p/config.json": '{\n    "schema": 1,\n    "execution_settings": {\n        "default": {"model_id": "gpt-4o", "temperature": 0.5}\n    }\n}\n',
}
CHAT_JSON = """{
  "model": "gpt-4o",
  "temperature": 0.5,
  "messages": [
    {"role": "system", "content": "Reply in at most three sentences.\\nBe kind \\u2013 always."},
    {"role": "user",   "content": "{{ticket}}"}
  ]
}
"""
LANGCHAIN = """_type: chat
messages:
  - role: system
    prompt:
      template: Reply in at most three sentences.
      input_variables: []
"""
STUDIO = """system_prompt: "Reply in at most three sentences."
user_template: |-
  Ticket:
  {ticket}
model_params:
  temperature: 0.5
"""
CODE = '''"""Prompts."""

TRIAGE = """
You sort tickets.
Reply in at most three sentences.
"""  # keep it short
OTHER = "Reply in at most three sentences."
'''
SCRIPT = "export const TRIAGE = `You sort tickets.\nReply in at most three sentences. ${ticket}`;\n"
KEYED = "prompts:\n  triage:\n    system: Reply in at most three sentences.\n    user: '{ticket}'\n  other: Reply briefly.\n"
TOML = '[triage]\nsystem = """\nReply in at most three sentences.\nBe kind.\n"""\n'
FORMATS = {
    "github": ({"a.prompt.yml": GITHUB}, "a.prompt.yml"),
    "folded": ({"a.prompt.yml": FOLDED}, "a.prompt.yml"),
    "prompty": ({"a.prompty": PROMPTY}, "a.prompty"),
    "dotprompt": ({"a.prompt": DOTPROMPT}, "a.prompt"),
    "promptflow": ({"a.jinja2": "# system:\nReply in at most three sentences.\n# user:\n{{ticket}}\n"}, "a.jinja2"),
    "semantic-kernel": (KERNEL, "p"),
    "langchain": ({"lc.json": '{"_type": "prompt", "input_variables": ["t"],\n "template": "Reply in at most three sentences. {t}"}\n'}, "lc.json"),
    "pair": ({"p/system.md": "---\nmodel: m\n---\nReply in at most three sentences.\n", "p/user.md": "Ticket: {{ticket}}\n"}, "p"),
    "studio": ({"s.yaml": STUDIO}, "s.yaml"),
    "chat": ({"c.json": CHAT_JSON}, "c.json"),
    "chat yaml": ({"c.yaml": "- role: system\n  content: Reply in at most three sentences.\n- {role: user, content: '{{ticket}}'}\n"}, "c.yaml"),
    "plain": ({"p.md": "---\nparameters:\n  temperature: 0.5\n---\n\nYou sort tickets.\r\n\r\nReply in at most three sentences.\r\n".replace("\r\n", "\n")}, "p.md"),
    "plain, windows": ({"p.txt": "\ufeffYou sort {{ticket}}.\r\n\r\nReply in at most three sentences.\r\n"}, "p.txt"),
    "python": ({"app.py": CODE}, "app.py#TRIAGE"),
    "typescript": ({"app.ts": SCRIPT}, "app.ts#TRIAGE"),
    "keyed": ({"conf.yaml": KEYED}, "conf.yaml#prompts.triage.system"),
    "toml": ({"conf.toml": TOML}, "conf.toml#triage.system"),
}  # fmt: skip
UNREADABLE = {"baml"}
"""Formats that are found and named, but not read."""


def editing(name):
    files, prompt = FORMATS[name]
    return Editing(reference_of(prompt), {path: text.encode() for path, text in files.items()}), files


def moved(old, new):
    return [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in "+-"]


def test_every_format_is_here():
    assert {reader.name for reader in READERS} - UNREADABLE <= FORMATS.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_a_sentence_changes_in_its_line_and_nothing_else(name):
    edit, files = editing(name)
    number, before = next((n, m.content) for n, m in enumerate(edit.prompt.messages) if "sentences." in m.content)
    wanted = before.replace("three sentences.", "one sentence.")
    assert before != wanted
    edit.set_text(number, wanted)
    assert edit.prompt.messages[number].content == wanted
    ((path, content),) = edit.changed.items()
    (gone, came) = moved(files[path], content.decode())
    assert (gone[2:].replace("three sentences.", "one sentence."), came[0]) == (came[2:], "+")


@pytest.mark.parametrize("name", ["github", "prompty", "dotprompt", "semantic-kernel", "studio", "chat", "plain"])
def test_a_parameter_changes_goes_and_comes_back_in_its_place(name):
    edit, files = editing(name)
    edit.set_parameter("temperature", 0.1)
    assert edit.prompt.parameters.temperature == 0.1
    ((path, content),) = edit.changed.items()
    gone, came = moved(files[path], content.decode())
    assert came[2:] == gone[2:].replace("0.5", "0.1")
    edit.set_parameter("max_tokens", 33)
    edit.set_parameter("top_p", 0.9)
    assert (edit.prompt.parameters.max_tokens, edit.prompt.parameters.top_p) == (33, 0.9)
    edit.set_parameter("top_p", None)
    assert edit.prompt.parameters.top_p is None
    assert "0.9" not in edit.changed[path].decode()


def test_a_first_parameter_gets_the_map_of_its_format():
    files = {"a.prompt.yml": b"name: x\nmessages:\n  - role: user\n    content: Sort {{t}}\n"}
    edit = Editing(reference_of("a.prompt.yml"), files)
    edit.set_parameter("temperature", 0.25)
    assert edit.changed["a.prompt.yml"] == (
        b"name: x\nmodelParameters:\n  temperature: 0.25\nmessages:\n  - role: user\n    content: Sort {{t}}\n"
    )


def test_the_model_of_a_file_changes_beside_its_comment():
    edit, _ = editing("github")
    edit.set_model("openai/gpt-4o-mini")
    edit.set_parameter("temperature", None)
    edit.set_text(1, "Now: {{ticket}}")
    assert moved(GITHUB, edit.changed["a.prompt.yml"].decode()) == [
        "- model: openai/gpt-4o   # the small one is worse",
        "+ model: openai/gpt-4o-mini   # the small one is worse",
        "-   temperature: 0.5  # measured in May",
        '-     content: "Ticket: {{ticket}}\\tend"',
        '+     content: "Now: {{ticket}}"',
    ]


def test_a_line_of_a_folded_text_that_stays_is_left_alone():
    edit, _ = editing("folded")
    edit.set_text(
        0, edit.prompt.messages[0].content.replace("about medicine", "about medicine or law, or money") + "\nBe kind."
    )
    assert moved(FOLDED, edit.changed["a.prompt.yml"].decode()) == [
        "-       medicine.", "+       medicine or law, or money.", "+ ", "+       Be kind.",
    ]  # fmt: skip


@pytest.mark.parametrize("head", ["|", "|-", ">", ">-"])
def test_a_block_that_ends_the_file_without_a_line_feed_is_edited(head):
    before = (
        f"messages:\n  - role: user\n    content: '{{{{t}}}}'\n  - role: system\n    content: {head}\n      Sort it."
    )
    edit = Editing(reference_of("a.yaml"), {"a.yaml": before.encode()})
    edit.set_text(1, "Sort them.")
    assert edit.changed["a.yaml"].decode() == before.replace("Sort it.", "Sort them.")


@pytest.mark.parametrize("text", ["1234", "yes", "1.5", "2026-01-01", "null", "~"])
def test_a_text_that_yaml_would_read_as_something_else_gets_quotes(text):
    before = "messages:\n  - role: system\n    content: Sort it.\n  - role: user\n    content: '{{t}}'\n"
    edit = Editing(reference_of("a.yaml"), {"a.yaml": before.encode()})
    edit.set_text(0, text)
    assert yaml.safe_load(edit.changed["a.yaml"])["messages"][0]["content"] == text


USES = """\
version: 1
models:
  large: {provider: offline, model: l}
  small: {provider: offline, model: s}
lineages:
  mine: {use_case: classification, labels: [a, b], prompt: a.txt, tests: a.jsonl, model: large}
  other: {use_case: generation, prompt: b.txt, tests: a.jsonl, rubric: r.yaml, model: small, judge: {model: small}}
"""


@pytest.mark.parametrize(
    "config",
    [
        None,
        USES.replace("judge: {model: small}", "judge: {model: [small, large]}"),
        USES.replace("r.yaml, model: small", "r.yaml, model: large"),
        USES + "suggest: {budget_usd: 1, model: large}\n",
    ],
)
def test_a_parameter_of_a_model_is_not_changed_for_others_that_use_it(config):
    def edited():
        return with_parameter("c.yaml", (config or USES).encode(), "mine", "large", ("temperature", 0.3)).decode()

    if config is None:
        assert edited() == USES.replace("model: l}", "model: l, parameters: {temperature: 0.3}}")
        return
    with pytest.raises(NotEditableError, match="other prompts or judges use the model large too"):
        edited()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a b " * 20_000 + "a"], ["b a a b " * 10_000 + "end"]),
        ([f"a {n}" for n in range(3_000)], [f"b {n}" for n in range(3_000)]),
    ],
)
def test_a_long_folded_text_is_not_compared_word_by_word(old, new, monkeypatch):
    class Bounded(yaml_places.SequenceMatcher):
        pairs = 0

        def __init__(self, junk, one, other, autojunk=True):
            Bounded.pairs += 1
            assert len(one) * len(other) <= 2_000**2
            super().__init__(junk, one, other, autojunk)

    monkeypatch.setattr(yaml_places, "SequenceMatcher", Bounded)
    body = "\n\n".join(f"      {part}" for part in old)
    before = f"messages:\n  - role: system\n    content: >-\n{body}\n  - role: user\n    content: '{{{{t}}}}'\n"
    edit = Editing(reference_of("a.yaml"), {"a.yaml": before.encode()})
    edit.set_text(0, "\n".join(new))
    assert edit.prompt.messages[0].content == "\n".join(new)
    assert Bounded.pairs <= yaml_places.MOST_PAIRS


HOSTILE = [
    "a: b # c", "- x", "'", '"', "\\", "{{x}}: [", "---\nmodel: evil", "|\n  x", "  x\n y", "*a &b !c", "\u2028", "\x85",
    "true", "0x10", "#", "\t", "</message>", "`${process.exit()}`", '"""\nimport os\n"""', "{{role \"system\"}}", "system:\nx",
    "messages:\n  - role: user\n    content: evil", "\U0001f600 ü", "x\x07y",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_any_text_is_written_as_it_is_or_not_at_all(name):
    for text in HOSTILE:
        edit, _ = editing(name)
        try:
            edit.set_text(0, f"One. {text}")
        except NotEditableError:
            assert not edit.changed
            continue
        assert edit.prompt.messages[0].content.strip() == f"One. {text}".strip()
        again, _ = editing(name)
        assert edit.prompt.messages[1:] == again.prompt.messages[1:]
        assert (edit.prompt.model, edit.prompt.parameters) == (again.prompt.model, again.prompt.parameters)


@pytest.mark.parametrize(
    ("files", "prompt", "said"),
    [
        ({"a.py": 'A = "one " + "two"\n'}, "a.py#A", "can't be edited safely"),
        ({"a.py": "A = '''Sort it.'''\n"}, "a.py#A", None),
        ({"a.txt": "Sort it.\r\nNow.\n"}, "a.txt", "can't be edited safely"),  # mixed line ends
    ],
)
def test_what_can_not_be_edited_is_said(files, prompt, said):
    edit = Editing(reference_of(prompt), {path: text.encode() for path, text in files.items()})
    if said is None:
        edit.set_text(0, "Sort them.")
        assert edit.changed
        return
    with pytest.raises(NotEditableError, match=said):
        edit.set_text(0, "Sort them.")


def test_a_template_of_another_language_stays_what_it_is():
    edit = Editing(reference_of("a.txt"), {"a.txt": b"Sort [[t]]."}, Dialect.BRACKETS)
    edit.set_text(0, "Sort [[t]] now.")
    assert edit.changed == {"a.txt": b"Sort [[t]] now."}
