"""GitHub's ``.prompt.yml`` reads as github/gh-models reads it."""

import pytest

from engine.readers.prompts import read_prompt
from engine.readers.testsets import inline_test_set
from schemas.errors import SourceError
from schemas.prompts import Dialect, Role

GOOD = """name: Triage
description: Sorts tickets
model: openai/gpt-4o-mini
modelParameters:
  maxTokens: 40
  temperature: 0.5
  topP: 1
messages:
  - role: System
    content: You sort tickets.
  - role: user
    content: "Ticket: {{input}}"
testData:
  - input: My card was charged twice
    expected: billing
  - {input: no, expected: 010, lang: 2024-01-02}
evaluators:
  - name: right
    string: {equals: "{{expected}}"}
  - name: judge
    llm:
      modelId: openai/gpt-4o
      prompt: "Is {{completion}} right?"
      choices: [{choice: yes, score: 1}, {choice: 2, score: 0.5}]
  - name: alike
    uses: github/similarity
"""


def read(text, path="triage.prompt.yml"):
    return read_prompt(path, {path: text if isinstance(text, bytes) else text.encode()})


def mistake(text, path="triage.prompt.yml"):
    with pytest.raises(SourceError) as caught:
        read(text, path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}:")


def test_a_good_file():
    prompt = read(GOOD)
    assert (prompt.format, prompt.dialect, prompt.model) == ("github", Dialect.GITHUB, "openai/gpt-4o-mini")
    assert [message.role for message in prompt.messages] == [Role.SYSTEM, Role.USER]
    assert (prompt.parameters.max_tokens, prompt.parameters.temperature, prompt.parameters.top_p) == (40, 0.5, 1)
    assert prompt.test_data[1] == {"input": "no", "expected": 8, "lang": "2024-01-02"}
    right, judge, alike = prompt.evaluators
    assert right.equals == "{{expected}}"
    assert [(choice.choice, choice.score) for choice in judge.choices] == [("yes", 1), ("2", 0.5)]
    assert alike.uses == "github/similarity"
    assert [str(warning) for warning in prompt.warnings] == [
        "triage.prompt.yml:16: 010 is the octal spelling of 8 (quote it if it is text, or drop the zero)"
    ]


def test_its_test_data_is_a_test_set():
    first, second = inline_test_set(read(GOOD)).cases
    assert (first.inputs, first.expected) == ({"input": "My card was charged twice"}, "billing")
    assert second.inputs == {"input": "no", "lang": "2024-01-02"}
