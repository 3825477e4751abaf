"""What is written for a promptfoo configuration: models, prompts, cases, and a list of everything left out."""

import json

import pytest

from engine.commands.promptfoo_config import RUBRIC_TEXT, import_cases, import_config
from engine.commands.promptfoo_import import imported
from engine.readers.config import read_config
from engine.readers.prompts.references import read_reference
from engine.readers.rubrics import read_rubric
from engine.readers.test_files import read_tests
from engine.readers.test_source import GivenFiles
from schemas.references import reference_of

FILES = {
    "evals/prompts/capital.txt": "Capital of {{country}}?\n",
    "evals/prompts/chat.json": '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{country}}"}]',
    "evals/prompts/two.txt": "One {{country}}\n---\nTwo {{country}}\n",
}
CONFIG = """\
prompts:
  - file://prompts/capital.txt
  - {id: prompts/chat.json, label: my chat}
  - "Name the capital of {{country}}."
  - {raw: "The capital of {{country}}?", label: raw}
  - file://prompts/two.txt
  - file://gen.py:make
  - '[{"role": "user", "content": "x"}]'
  - file://no.txt
  - langfuse://x:1
providers:
  - openai:gpt-4o-mini
  - openai:responses:gpt-5
  - {id: 'anthropic:messages:claude-haiku-4-5', label: haiku, config: {temperature: 0, max_tokens: 100, stop: END, tools: []}}
  - anthropic:claude-sonnet-4-5: {config: {temperature: 5}}
  - ollama:llama3
  - {id: 'openai:gpt-4o', config: {apiBaseUrl: 'https://x.example'}}
defaultTest:
  assert: [{type: not-icontains, value: sorry}]
tests:
  - vars: {country: [France, Italy]}
    assert: [{type: javascript, value: x}, {type: regex, value: '^\\w+', weight: 2}]
    metadata: {slice: typical}
    threshold: 0.5
  - description: Spain
    vars: {country: Spain}
    assert: [{type: assert-set, threshold: 0.5, assert: [{type: is-json, value: 'type: object'}, {type: levenshtein, value: Madrid, threshold: 2}]}]
  - vars: {country: Peru}
    options: {disableDefaultAsserts: true}
    assert: [{type: python, value: x}]
  - vars: {country: '{{braces}}'}
    assert: [{type: contains, value: '{{country}}'}]
"""


def files(**others):
    texts = {**FILES, **others}
    return {path: text.encode() for path, text in texts.items()}


class Files(GivenFiles, dict):
    def __init__(self, blobs):
        GivenFiles.__init__(self, blobs)
        dict.__init__(self, blobs)


def found_in(text, **others):
    blobs = files(**{"evals/promptfooconfig.yaml": text, **others})
    return imported("evals/promptfooconfig.yaml", Files(blobs)), blobs


def test_prompts_and_models_are_named_and_can_be_read():
    found, blobs = found_in(CONFIG)
    config = read_config("c.yaml", import_config(found, "t.jsonl", "r.yaml", []).encode())
    asked = {name: (model.provider, model.model, model.api) for name, model in config.models.items()}
    assert asked == {
        "gpt-4o-mini": ("openai", "gpt-4o-mini", None),
        "gpt-5": ("openai", "gpt-5", "responses"),
        "haiku": ("anthropic", "claude-haiku-4-5", None),
        "claude-sonnet-4-5": ("anthropic", "claude-sonnet-4-5", None),
    }
    haiku = config.models["haiku"].parameters
    assert (haiku.temperature, haiku.max_tokens, haiku.stop) == (0, 100, ("END",))
    assert config.defaults.model == tuple(asked)
    read = {
        name: [
            (message.role.value, message.content)
            for message in read_reference(reference_of(lineage.prompt), blobs, lineage.template).messages
        ]
        for name, lineage in config.lineages.items()
    }
    assert read == {
        "capital": [("user", "Capital of {{country}}?")],
        "my-chat": [("system", "Be brief."), ("user", "{{country}}")],
        "evals": [("user", "Name the capital of {{country}}.")],
        "raw": [("user", "The capital of {{country}}?")],
    }


def test_the_written_cases_are_those_that_were_read():
    found, blobs = found_in(CONFIG)
    theirs = {case.id: case for case in read_tests(["evals/promptfooconfig.yaml"], GivenFiles(blobs)).cases}
    written = read_tests(["t.jsonl"], GivenFiles({"t.jsonl": import_cases(found).encode()}))
    assert written.warnings == ()
    assert [case.inputs["country"] for case in written.cases] == ["France", "Italy", "Spain"]
    for case in written.cases:
        assert case.model_copy(update={"path": None, "line": None}) == theirs[case.id].model_copy(
            update={"path": None, "line": None}
        )


def test_everything_that_is_left_out_is_listed():
    found, _ = found_in(CONFIG)
    at = "evals/promptfooconfig.yaml"
    assert [str(finding) for finding in found.left_out] == [
        f"{at}:22: the assertion javascript is not imported (it runs code, which is never done)",
        f"{at}:30: the assertion python is not imported (it runs code, which is never done)",
        f"{at}:14: tools of a provider is not imported (it isn't a parameter here)",
        f"{at}:15: temperature of a provider is not imported (it isn't a parameter here)",
        f"{at}:16: the provider ollama:llama3 is not imported (it can't be asked here)",
        f"{at}:17: the provider openai:gpt-4o is not imported (it sets apiBaseUrl; write base_url: by hand)",
        f"{at}:6: a prompt is not imported (evals/prompts/two.txt holds several prompts; give each a file of its own)",
        f"{at}:7: a prompt is not imported, nor at {at}:10 (it runs code, or is no file of the repository)",
        f"{at}:8: a prompt is not imported (it is a list of messages in a text; move it to a file of its own)",
        f"{at}:9: a prompt is not imported (this file doesn't exist)",
        f"{at}:28: a case is not imported (it has no assertion that can be evaluated)",
        f"{at}:31: a case is not imported (a text with {{{{ would be filled in once more)",
        f"{at}:28: no assertion is left that says what is right here (give the case one that can be evaluated)",
    ]


@pytest.mark.parametrize(
    ("assertions", "written", "not_written"),
    [
        ([{"type": "llm-rubric", "value": "kind"}], "rubric: r.yaml", "notes for a judge"),
        (
            [{"type": "llm-rubric", "value": "kind"}, {"type": "contains", "value": "x"}],
            "# 1 case with notes for a judge: add rubric: r.yaml",
            "    rubric: r.yaml",
        ),
    ],
)
def test_a_judge_is_configured_where_nothing_else_scores_a_case(assertions, written, not_written):
    test = json.dumps({"vars": {"country": "x"}, "assert": assertions})
    found, _ = found_in(f"prompts: [prompts/capital.txt]\nproviders: [openai:gpt-4o]\ntests: [{test}]\n")
    text = import_config(found, "t.jsonl", "r.yaml", [])
    assert written in text
    assert not_written not in text
    read_config("c.yaml", text.encode())
    read_rubric("r.yaml", RUBRIC_TEXT.encode())
    assert json.loads(import_cases(found))["rubric"] == "kind"


def test_nothing_in_a_configuration_breaks_out_of_what_is_written():
    evil = json.dumps('x"\n  evil: [a, b]\n# {{q}}')
    name = json.dumps("a\nb: c")
    found, _ = found_in(
        f"prompts: [{{raw: {evil}, label: {name}}}]\nproviders: [{{id: 'openai:gpt', label: {name}}}]\n"
        f"tests: [{{vars: {{q: {evil}}}, assert: [{{type: equals, value: {name}}}]}}]\n"
    )
    config = read_config("c.yaml", import_config(found, "t.jsonl", "r.yaml", []).encode())
    assert (list(config.lineages), list(config.models)) == (["a-b-c"], ["a-b-c"])
    assert len(import_cases(found).splitlines()) == 1
