"""Prompts in the formats of other tools: what each file says, and where it says something that can't be sent."""

import pytest

from engine.readers.dialects import variables_of
from engine.readers.prompts import is_prompt_path, may_hold_prompt, read_prompt
from schemas.errors import SourceError
from schemas.prompts import Dialect, Role, RoleSyntax


def tree(files):
    return {path: text.encode() for path, text in files.items()}


def read(path, text, **others):
    return read_prompt(path, tree({path: text, **others}))


PROMPTY_1 = """---
name: Triage
description: sorts
model:
  api: chat
  configuration: {type: azure_openai, azure_deployment: gpt-4o, api_key: "${env:KEY}"}
  parameters: {max_tokens: 30, temperature: 0.2, tools: [{type: function}]}
inputs:
  tone: {type: string, default: kind}
sample: {question: hi}
---
system:
Be {{tone}}.
user:
{{question}}
"""
PROMPTY_2 = """---
name: triage
model: {id: gpt-4o, provider: openai, apiType: chat, options: {maxOutputTokens: 30, temperature: 0.2}}
inputs:
  - {name: tone, kind: string, default: kind}
  - {name: question, kind: string, example: hi}
template: {format: {kind: mustache}, parser: {kind: prompty}}
---
system:
Be {{tone}}.
user:
{{question}}
"""


def test_prompty_says_model_parameters_and_defaults():
    one, two = read("a.prompty", PROMPTY_1), read("a.prompty", PROMPTY_2)
    assert (one.format, one.dialect, one.roles, one.name) == ("prompty", Dialect.JINJA, RoleSyntax.PROMPTY, "Triage")
    assert one.model == two.model == "gpt-4o"
    assert (one.parameters.max_tokens, one.parameters.temperature) == (30, 0.2)
    assert (two.parameters.max_tokens, two.parameters.temperature) == (30, 0.2)
    assert one.parameters.tools == ({"type": "function"},)
    assert (one.defaults, two.defaults) == ({"tone": "kind", "question": "hi"}, {"tone": "kind"})
    assert two.dialect is Dialect.MUSTACHE
    assert variables_of(one) == variables_of(two) == {"tone", "question"}
    assert read("a.prompty", "---\nmodel: ${env:MODEL}\n---\nsystem:\nhi").model is None


def test_dotprompt_says_config_and_defaults():
    text = '# license\n\n---\nmodel: googleai/gemini\nconfig: {temperature: 0.4, maxOutputTokens: 9, version: x}\ninput: {default: {tone: kind}, schema: {q: string}}\noutput: {format: json}\nmy.ext: 1\n---\n{{role "system"}}Be {{tone}}. {{history}}{{role "user"}}{{q}}\n'
    prompt = read("a.prompt", text)
    assert (prompt.format, prompt.dialect, prompt.roles) == ("dotprompt", Dialect.HANDLEBARS, RoleSyntax.DOTPROMPT)
    assert (prompt.model, prompt.parameters.temperature, prompt.parameters.max_tokens) == ("googleai/gemini", 0.4, 9)
    assert prompt.defaults == {"tone": "kind"}
    assert variables_of(prompt) == {"tone", "q"}
    assert prompt.unread == {"version of config": "x", "output of the front matter": {"format": "json"}}


def test_semantic_kernel_reads_the_settings_beside_the_prompt():
    config = '{"schema": 1, "description": "sorts", "execution_settings": {"gpt": {"max_tokens": 1}, "default": {"model_id": "gpt-4o", "max_tokens": 50}}, "input_variables": [{"name": "tone", "default": "kind"}]}'
    files = tree({"p/skprompt.txt": "Be {{$tone}}: {{$input}}", "p/config.json": config})
    for path in ("p", "p/skprompt.txt"):
        prompt = read_prompt(path, files)
        assert (prompt.path, prompt.format, prompt.dialect) == (path, "semantic-kernel", Dialect.KERNEL)
        assert (prompt.model, prompt.parameters.max_tokens, prompt.defaults) == ("gpt-4o", 50, {"tone": "kind"})
        assert variables_of(prompt) == {"tone", "input"}
        assert prompt.unread == {"gpt of execution_settings": {"max_tokens": 1}}


@pytest.mark.parametrize("path", ["a.json", "a.yaml", "plain_prompt.yml"])
def test_a_map_with_messages_is_a_prompt_wherever_it_lies(path):
    text = '{"model": "m", "messages": [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "{{b}}"}]}]}'
    prompt = read(path, text)
    assert [(one.role, one.content) for one in prompt.messages] == [
        (Role.DEVELOPER, "Be kind."),
        (Role.USER, "A\n{{b}}"),
    ]
    assert prompt.model == "m"
    assert prompt.guessed


@pytest.mark.parametrize(
    "files",
    [
        {"a.md": "---\nname: n\ndescription: d\n---\n{{q}}"},
        {"a/system.md": "---\nname: n\ndescription: d\n---\nA", "a/user.md": "{{q}}"},
        {"a.json": '{"name": "n", "description": "d", "messages": [{"role": "user", "content": "{{q}}"}]}'},
        {"a.prompt": "---\nname: n\ndescription: d\n---\n{{q}}"},
        {"a.prompty": "---\nname: n\ndescription: d\n---\n{{q}}"},
    ],
)
def test_every_format_has_a_name_and_a_description(files):
    prompt = read_prompt(next(iter(files)), tree(files))
    assert (prompt.name, prompt.description) == ("n", "d")


def test_a_request_to_an_api_is_read_with_its_parameters():
    prompt = read(
        "a.json",
        '{"messages": [{"role": "user", "content": "{{q}}"}], "temperature": 0, "max_completion_tokens": 9, "stream": true}',
    )
    assert (prompt.parameters.temperature, prompt.parameters.max_tokens) == (0, 9)
    assert prompt.unread == {"stream of the prompt file": True}


@pytest.mark.parametrize("files", [
    {"p/system.md": "Sum up."}, {"p/system.md": "Sum up.", "p/user.md": ""}, {"p/system.md": "Sum up.", "p/user.md": " \n"},
])  # fmt: skip
@pytest.mark.parametrize("path", ["p", "p/system.md"])
def test_a_folder_without_a_users_part_asks_the_input(files, path):
    prompt = read_prompt(path, tree(files))
    assert [(one.role, one.content) for one in prompt.messages] == [(Role.SYSTEM, "Sum up."), (Role.USER, "{{input}}")]
    assert prompt.asks == "input"


MISTAKES = {
    "prompty: an API that is no chat": ("a.prompty", "---\nmodel:\n  api: image\n---\nuser:\nx", "a.prompty:3: the API image is no chat"),
    "prompty: a template language": ("a.prompty", "---\ntemplate: liquid\n---\nuser:\nx", "a.prompty:2: unknown template language liquid"),
    "prompty: empty": ("a.prompty", "---\nname: a\n---\n\n", "a.prompty:4: the prompt is empty"),
    "prompty: a tag of mustache": ("a.prompty", "---\ntemplate: mustache\n---\nuser:\n{{#a}}x", "a.prompty:5: {{#a}} is never closed"),
    "prompty: a parameter": ("a.prompty", "---\nmodel:\n  parameters: {temperature: 9}\n---\nuser:\nx", "a.prompty:3:29: temperature can't be 9"),
    "dotprompt: a block": ("a.prompt", "---\nmodel: m\n---\n\nA\n{{#if b}}\n", "a.prompt:6: {{#if}} is never closed"),
    "dotprompt: a helper": ("a.prompt", "A\n{{shout b}}", "a.prompt:2: {{shout b}} calls shout, which is no helper that is known"),
    "dotprompt: a picture": ("a.prompt", "# c\n---\nmodel: m\n---\nA\n{{media url=b}}", "a.prompt:6: {{media}} can't be sent: only text is"),
    "dotprompt: a partial": ("x/a.prompt", "{{>style}}", "x/a.prompt: the partial style does not exist (write it as x/_style.prompt or x/style.hbs)"),
    "dotprompt: too many tags": ("a.prompt", "{{a}}" * 10_001, "a.prompt:1: there are more than 10,000 tags"),
    "dotprompt: front matter": ("a.prompt", "# c\n\n---\nmodel: [\n---\nA", "a.prompt:5:1: not valid YAML"),
    "kernel: a function": ("p/skprompt.txt", "A {{$b}}\n{{time.now}}", "p/skprompt.txt:2: {{time.now}} can't be filled in: only variables are (write {{$name}} alone)"),
    "kernel: a role": ("p/skprompt.txt", "\n<message role='boss'>x</message>", "p/skprompt.txt:2: a message of the role boss can't be sent"),
    "langchain: a brace": ("a.yaml", "_type: prompt\ntemplate: |\n  A\n  {b\n", "a.yaml:4: a brace is no variable and no escape"),
    "langchain: an attribute": ("a.yaml", "_type: prompt\ntemplate: 'x {b.c}'\n", "a.yaml:2: a brace is no variable and no escape"),
    "langchain: a history": ("a.json", '{"lc": 1, "type": "constructor", "id": ["ChatPromptTemplate"], "kwargs": {"messages": [\n{"lc": 1, "type": "constructor", "id": ["MessagesPlaceholder"], "kwargs": {"variable_name": "h"}}]}}', "a.json:2: the messages h are put in by the application"),
    "langchain: a file outside": ("p/a.yaml", "_type: prompt\ntemplate_path: ../../etc/x.txt\n", "p/a.yaml:2: template_path: there is no file ../../etc/x.txt"),
    "chat: a picture": ("a.json", '[{"role": "user", "content": [{"type": "text", "text": "a"},\n{"type": "image_url", "image_url": {}}]}]', "a.json:2: part 2 of message 1 is image_url: only text can be sent"),
    "go: an action": ("a.md", "{{.x}}\n{{if .y}}", "a.md:2: {{if .y}} can't be filled in: only variables are"),
    "handlebars: dotprompt's roles": ("a.md", "{{role 'system'}}\n{{x}}", "a.md:1: {{role 'system'}} calls role, which is no helper that is known"),
    "handlebars: a block": ("a.md", "---\nmodel: m\n---\n\nA\n{{#if b}}", "a.md:6: {{#if}} is never closed"),
    "baml": ("baml_src/a.baml", "class A {}\n\nfunction Sort(x: string) -> A {\n}\nfunction Two() -> A {}\n", "baml_src/a.baml:3: BAML functions can't be filled in (Sort, Two)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_what_cant_be_sent_is_named_with_its_line(kind):
    path, text, said = MISTAKES[kind]
    with pytest.raises(SourceError) as caught:
        read(path, text)
    assert str(caught.value).startswith(said)


def test_a_mistake_in_a_partial_is_named_with_its_line():
    with pytest.raises(SourceError, match=r"p/_x\.prompt:2: {{#if}} is never closed"):
        read("p/a.prompt", "{{>x}}", **{"p/_x.prompt": "\n{{#if a}}"})


def test_partials_of_handlebars_come_from_the_prompts_folder():
    files = {"p/a.prompt": "{{>style}}{{> deep}}", "p/_style.prompt": "{{tone}}", "p/_deep.prompt": "{{>style}} {{q}}"}
    prompt = read_prompt("p/a.prompt", tree(files))
    assert prompt.partials == ("p/_deep.prompt", "p/_style.prompt")
    assert variables_of(prompt) == {"tone", "q"}


@pytest.mark.parametrize(
    "path", ["a.prompty", "x/a.prompt", "p/skprompt.txt", "triage_prompt.yml", "patterns/sum/system.md"]
)
def test_files_of_these_formats_are_prompts_by_name(path):
    assert is_prompt_path(path)
    assert may_hold_prompt(path)


def test_lines_that_look_like_roles_in_a_text_give_a_warning():
    warned = read("a.txt", "SYSTEM:\nBe brief.\n\nUSER:\n{{x}}").warnings
    assert [str(one) for one in warned] == [
        "a.txt: lines that name a role are sent as text (end the file's name in .prompty or .jinja2)"
    ]
    assert read("a.txt", "Ask the user.\nUser:\n{{x}}").warnings == ()


def test_baml_files_may_hold_prompts():
    assert may_hold_prompt("baml_src/main.baml")
    assert not is_prompt_path("baml_src/main.baml")


def test_a_template_language_can_be_said_where_the_format_leaves_it_open():
    files = tree({"a.md": "[[x]] {{y}} {{if .z}}", "p.prompt": "x", "d/system.md": "A", "d/user.md": "<x>"})
    prompt = read_prompt("a.md", files, Dialect.BRACKETS)
    assert (prompt.dialect, variables_of(prompt), prompt.guessed) == (Dialect.BRACKETS, {"x"}, False)
    assert variables_of(read_prompt("d", files, Dialect.ANGLES)) == {"x"}
    with pytest.raises(SourceError, match=r"p\.prompt: template: can't be set for the format dotprompt"):
        read_prompt("p.prompt", files, Dialect.JINJA)
