"""Reads GitHub's ``.prompt.yml``, as github/gh-models does (``pkg/prompt/prompt.go``, ``cmd/eval/eval.go``).

The reference leaves an unknown ``{{name}}`` in the text. Here that holds for what only some cases of a ``.prompt.yml``
lack. Else rendering fails.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, shown
from engine.readers.dialects import GITHUB_VARIABLE
from engine.readers.guess import dialect_of
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Fields, Node, plain
from engine.readers.patterns import schema_mistake
from engine.readers.prompts.parts import (
    YAML_SUFFIXES,
    Blobs,
    OpenReader,
    check_template,
    document,
    messages_of,
    parameters_of,
    prompt_source,
    top_level,
)
from schemas.prompts import ChoiceScore, Dialect, InlineEvaluator, Parameters, PromptFile

PARAMETERS = {
    "maxCompletionTokens": "max_tokens",
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop",
}
"""Keys of the format. The reference reads the first four; its web editor writes the others."""
SUFFIXES = (".prompt.yml", ".prompt.yaml")
FORMATS = ("text", "json_object", "json_schema")
USES = ("similarity", "relevance", "coherence", "fluency", "groundedness")


class GitHubReader(OpenReader):
    """Reads ``*.prompt.yml``, ``*.prompt.yaml``, and any YAML map with ``messages``."""

    name = "github"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name, or else by content."""
        if path.endswith(SUFFIXES):
            return path in blobs
        if not path.endswith(YAML_SUFFIXES) or path not in blobs:
            return False
        root = top_level(path, blobs)
        return root is not None and isinstance(root.value, dict) and "messages" in root.value

    def read_as(self, path: str, blobs: Blobs, template: Dialect | None) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        root = document(source)
        fields = Fields(source, root, "the prompt file")
        items = fields.items("messages")
        if not items:
            raise source.error("the prompt file has no messages", root.line, hint="add messages: with role and content")
        prompt = PromptFile(
            path=path,
            format=self.name,
            dialect=Dialect.GITHUB,
            messages=messages_of(source, items, "message"),
            name=fields.text("name"),
            description=fields.text("description"),
            model=fields.text("model") or None,
            parameters=Parameters.model_validate(
                parameters_of(fields.fields("modelParameters"), PARAMETERS) | _response_format(fields)
            ),
            test_data=_test_data(source, fields),
            evaluators=tuple(
                _evaluator(source, item, number) for number, item in enumerate(fields.items("evaluators"), 1)
            ),
        )
        fields.report_unknown()
        if not path.endswith(SUFFIXES):
            text = "\n".join(message.content for message in prompt.messages)
            prompt = prompt.model_copy(update={"dialect": dialect_of(path, text), "guessed": True})
        if template is not None:
            prompt = prompt.model_copy(update={"dialect": template, "guessed": False})
        check_template(source, prompt)
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def keeping_unfilled(prompt: PromptFile, inputs: Collection[str]) -> PromptFile:
    """Returns a ``.prompt.yml`` that keeps a variable as it is written where a case lacks it, as the reference does.

    ``inputs`` are the names that any case has. A variable that none of them has is a mistake, which rendering names.
    """
    if prompt.format != "github" or not prompt.path.endswith(SUFFIXES) or prompt.dialect is not Dialect.GITHUB:
        return prompt
    found = [match for message in prompt.messages for match in GITHUB_VARIABLE.finditer(message.content)]
    return prompt.model_copy(update={"defaults": {each["name"]: each[0] for each in found if each["name"] in inputs}})


def _response_format(fields: Fields) -> dict[str, JsonValue]:
    name = fields.text("responseFormat")
    schema = fields.take("jsonSchema")
    if schema is not None and name != "json_schema":
        fields.leave_unread("jsonSchema")
    if name is None:
        return {}
    source = fields.source
    node = fields.entries["responseFormat"]
    if name not in FORMATS:
        raise source.error(
            f"unknown responseFormat {shown(name)}", node.line, node.column, hint=did_you_mean(name, FORMATS)
        )
    if name != "json_schema":
        return {"response_format": name}
    if schema is None:
        raise source.error("responseFormat json_schema without a jsonSchema", node.line, hint="add jsonSchema: |")
    return {"response_format": name, "json_schema": _json_schema(source, schema)}


def _json_schema(source: Source, node: Node) -> JsonValue:
    if not isinstance(node.value, str):
        raise source.error(
            f"jsonSchema is {node.kind}",
            node.line,
            node.column,
            hint="write it as text that contains JSON: jsonSchema: |",
        )
    opening = source.text.split("\n")[node.line - 1].rstrip()
    below = opening.endswith(("|", "|-", "|+", ">", ">-", ">+"))  # a block scalar's text starts below its key
    root = read_json(Source(source.path, node.value, failure=source.failure, first_line=node.line + below))
    fields = Fields(source, root, "jsonSchema")
    fields.required("name")
    schema = fields.take("schema")
    if schema is None:
        raise source.error("jsonSchema has no schema", node.line, hint='add "schema": {…}')
    if (mistake := schema_mistake(plain(schema))) is not None:
        raise source.error(f"jsonSchema is not a usable schema: {mistake}", node.line, hint="fix the schema")
    return plain(root)


def _test_data(source: Source, fields: Fields) -> tuple[dict[str, JsonValue], ...]:
    rows = []
    for number, item in enumerate(fields.items("testData"), 1):
        Fields(source, item, f"testData {number}")
        row = plain(item)
        assert isinstance(row, dict)
        rows.append(row)
    return tuple(rows)


def _evaluator(source: Source, node: Node, number: int) -> InlineEvaluator:
    fields = Fields(source, node, f"evaluator {number}")
    name = fields.text("name") or f"evaluator {number}"
    string, llm, uses = fields.fields("string"), fields.fields("llm"), fields.text("uses")
    if sum(kind is not None for kind in (string, llm, uses)) != 1:
        raise source.error(
            f"evaluator {shown(name)} must have exactly one of string, llm and uses", node.line, hint="keep one of them"
        )
    if string is not None:
        evaluator = _string(source, name, string)
    elif llm is not None:
        evaluator = _judge(source, name, llm)
    else:
        short = (uses or "").removeprefix("github/")
        if short not in USES:
            raise source.error(
                f"unknown evaluator {shown(uses or '')}",
                node.line,
                hint=did_you_mean(uses or "", [f"github/{known}" for known in USES]),
            )
        evaluator = InlineEvaluator(name=name, uses=f"github/{short}")
    fields.report_unknown()
    return evaluator


def _string(source: Source, name: str, fields: Fields) -> InlineEvaluator:
    """Reads a string evaluator. Only the first rule counts, in this order; empty texts count as not set."""
    rules = {
        ours: fields.text(theirs)
        for theirs, ours in (
            ("equals", "equals"),
            ("contains", "contains"),
            ("startsWith", "starts_with"),
            ("endsWith", "ends_with"),
        )
    }
    fields.report_unknown()
    given = [(ours, text) for ours, text in rules.items() if text]
    if not given:
        raise source.error(
            f"evaluator {shown(name)} has no rule",
            fields.node.line,
            hint="add equals, contains, startsWith or endsWith",
        )
    if len(given) > 1:
        source.warn(f"evaluator {shown(name)} has several rules, but only {given[0][0]} counts", fields.node.line)
        for _, text in given[1:]:
            source.unread[f"{shown(text)} of evaluator {shown(name)}"] = text
    return InlineEvaluator.model_validate({"name": name, given[0][0]: given[0][1]})


def _judge(source: Source, name: str, fields: Fields) -> InlineEvaluator:
    choices = []
    for number, item in enumerate(fields.items("choices"), 1):
        choice = Fields(source, item, f"choice {number}")
        score = choice.number("score")
        if score is None:
            raise source.error(f"choice {number} of {shown(name)} has no score", item.line, hint="add score:")
        choices.append(ChoiceScore(choice=choice.required("choice"), score=score))
        choice.report_unknown()
    if not choices:
        raise source.error(f"evaluator {shown(name)} has no choices", fields.node.line, hint="add choices:")
    evaluator = InlineEvaluator(
        name=name,
        judge_model=fields.text("modelId"),
        judge_prompt=fields.required("prompt"),
        judge_system_prompt=fields.text("systemPrompt"),
        choices=tuple(choices),
    )
    fields.report_unknown()
    return evaluator
