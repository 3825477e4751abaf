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


def test_a_variable_that_the_messages_use_stays_an_input():
    text = GOOD.replace("Ticket: {{input}}", "Ticket: {{input}} ({{lang}}, not {{ expected }})")
    case = inline_test_set(read(text)).cases[1]
    assert case.inputs == {"input": "no", "expected": 8, "lang": "2024-01-02"}
    assert case.expected == 8


def test_test_data_may_carry_what_a_test_case_carries():
    text = GOOD.replace("{input: no,", "{input: no, id: c2, slice: edge, protected: true,")
    case = inline_test_set(read(text)).cases[1]
    assert (case.id, case.slices, case.protected, case.inputs) == (
        "c2",
        ("edge",),
        True,
        {"input": "no", "lang": "2024-01-02"},
    )


def test_the_same_test_data_twice_is_an_error_that_names_both():
    text = GOOD.replace("{input: no, expected: 010, lang: 2024-01-02}", "input: My card was charged twice")
    with pytest.raises(SourceError, match="testData 1 and testData 2"):
        inline_test_set(read(text))


def test_any_yaml_with_messages_is_read_in_the_same_way():
    assert read(GOOD, "prompts/triage.yaml").digest == read(GOOD).digest


def test_a_json_schema_is_text_that_holds_json():
    schema = 'responseFormat: json_schema\njsonSchema: |\n  {"name": "x", "schema": {"type": "object"}}\n'
    parameters = read(GOOD + schema).parameters
    assert parameters.response_format == "json_schema"
    assert parameters.json_schema == {"name": "x", "schema": {"type": "object"}}
    assert read(GOOD + "responseFormat: json_object\n").parameters.response_format == "json_object"


def test_unknown_keys_are_warnings_with_the_nearest_name():
    _, misspelt, foreign = read(GOOD.replace("maxTokens:", "max_tokens:") + "tags: [a]\n").warnings
    assert str(misspelt) == (
        "triage.prompt.yml:5: unknown key max_tokens in modelParameters is ignored (did you mean maxTokens?)"
    )
    assert str(foreign) == "triage.prompt.yml:27: unknown key tags in the prompt file is ignored"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("role: user", "role: usr", "11:11: unknown role usr (did you mean user?)"),
        ("maxTokens: 40", "maxTokens: many", "5:14: maxTokens of modelParameters is text (maxTokens must be a whole number)"),
        ("maxTokens: 40", "maxTokens: 0", "5:14: maxTokens can't be 0 (it should be greater than 0)"),
        ("temperature: 0.5", "temperature: hot", "6:16: temperature of modelParameters is text (temperature must be a number)"),
        ('    content: "Ticket: {{input}}"\n', "", "11: message 2 has no content (add content:)"),
        ("- role: System\n    content", "- content", "9: message 1 has no role (add role:)"),
        ("github/similarity", "github/similarty", "25: unknown evaluator github/similarty (did you mean github/similarity?)"),
        ("    uses: github/similarity\n", "", "25: evaluator alike must have exactly one of string, llm and uses (keep one of them)"),
        ('{equals: "{{expected}}"}', "{}", "19: evaluator right has no rule (add equals, contains, startsWith or endsWith)"),
        (", score: 0.5", "", "24: choice 2 of judge has no score (add score:)"),
        ("[{choice: yes, score: 1}, {choice: 2, score: 0.5}]", "[]", "22: evaluator judge has no choices (add choices:)"),
        ("description: Sorts tickets", "responseFormat: yaml", "2:17: unknown responseFormat yaml (known: json_object, json_schema, text)"),
        ("description: Sorts tickets", "responseFormat: json_schema", "2: responseFormat json_schema without a jsonSchema (add jsonSchema: |)"),
        ("messages:", "mesages:", "1: the prompt file has no messages (add messages: with role and content)"),
        ("testData:\n", "testData:\n  - just text\n", "14:5: testData 1 is text (testData 1 must be a map of keys)"),
        ("messages:\n", "messages: hello\nx:\n", "8:11: messages of the prompt file is text (messages must be a list)"),
        ("name: Triage", "name: [a]", "1:7: name of the prompt file is a list (name must be text)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place_and_the_mend(right, wrong, said):
    assert right in GOOD
    found = mistake(GOOD.replace(right, wrong, 1))
    assert found == said


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('jsonSchema: {"name": "x"}', "28:13: jsonSchema is a map (write it as text that contains JSON: jsonSchema: |)"),
        ('jsonSchema: |\n  {"name": "x",\n   }', "30:2: expected a key in quotes here (check commas, quotes and brackets here)"),
        ('jsonSchema: "{]"', "28:2: expected a key in quotes here (check commas, quotes and brackets here)"),
        ('jsonSchema: |\n  {"name": "x"}', '28: jsonSchema has no schema (add "schema": {…})'),
        ('jsonSchema: |\n  {"schema": {}}', "29: jsonSchema has no name (add name:)"),
        ('jsonSchema: |\n  {"name": "x", "schema": {"$ref": "file:///etc/passwd"}}', "28: jsonSchema is not a usable schema: the reference file:///etc/passwd leaves the schema (fix the schema)"),
        ('jsonSchema: |\n  {"name": "x", "schema": {"properties": {"a": {"pattern": "(?<=a)"}}}}', "28: jsonSchema is not a usable schema: pattern (?<=a): invalid perl operator: (?<= (fix the schema)"),
    ],
)  # fmt: skip
def test_a_json_schema_that_cant_be_used_is_refused(schema, said):
    assert mistake(GOOD + "responseFormat: json_schema\n" + schema + "\n") == said


@pytest.mark.parametrize(
    ("written", "unread", "limit"),
    [
        ("maxTokens: 40", [], 40),
        ("maxCompletionTokens: 50", [], 50),
        ("max_tokens: 40", ["max_tokens of modelParameters"], None),
        ("max_completion_tokens: 40", ["max_completion_tokens of modelParameters"], None),
        ("maxTokens: 40\n  responseFormat: json_object", ["responseFormat of modelParameters"], 40),
        ("topK: 4\n  maxTokens: 40", ["topK of modelParameters"], 40),
    ],
)
def test_settings_mean_what_they_mean_to_the_reference(written, unread, limit):
    """It reads no snake case, no format among the parameters, and no schema without its format."""
    prompt = read(GOOD.replace("maxTokens: 40", written))
    assert list(read(f"{GOOD}jsonSchema: '{{}}'\n").unread) == ["jsonSchema of the prompt file"]
    assert (list(prompt.unread), prompt.parameters.max_tokens) == (unread, limit)
    assert prompt.parameters.response_format is prompt.parameters.json_schema is None


def test_only_the_first_rule_of_a_string_evaluator_counts():
    prompt = read(GOOD.replace('{equals: "{{expected}}"}', "{endsWith: c, startsWith: b, contains: a, equals: ''}"))
    assert (prompt.evaluators[0].contains, prompt.evaluators[0].ends_with) == ("a", None)
    assert "only contains counts" in prompt.warnings[1].what
