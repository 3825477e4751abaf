"""``.prompty``, version 1 and 2 (microsoft/prompty).

Role lines split the rendered body, ``sample`` (version 1) and ``default`` stand in for inputs that a case lacks, and
nothing is read from the environment.
"""

from __future__ import annotations

from pydantic import JsonValue

from engine.readers.bounded import Source, shown
from engine.readers.nodes import Fields, Node, plain
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, check_template, front_matter, parameters_of, prompt_source
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Role, RoleSyntax

PARAMETERS = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "maxOutputTokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "topP": "top_p",
    "top_k": "top_k",
    "topK": "top_k",
    "seed": "seed",
    "stop": "stop",
    "stopSequences": "stop",
    "frequency_penalty": "frequency_penalty",
    "frequencyPenalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "presencePenalty": "presence_penalty",
    "tools": "tools",
}
"""Version 1 writes them under ``model.parameters``, version 2 under ``model.options``."""
LANGUAGES = {"jinja2": Dialect.JINJA, "mustache": Dialect.MUSTACHE}
_APIS = ("chat", "responses", "completion", "")


class PromptyReader:
    """``*.prompty``."""

    name = "prompty"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return path.endswith(".prompty") and path in blobs

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        fields, body, line = front_matter(source)
        if not body.strip():
            raise source.error("the prompt is empty", line, hint="write system: and what the model should do")
        prompt = PromptFile.model_validate(
            {
                "path": path,
                "format": self.name,
                "dialect": Dialect.JINJA,
                "messages": (Message(role=Role.SYSTEM, content=body),),
                "roles": RoleSyntax.PROMPTY,
                **_settings(source, fields),
            }
        )
        check_template(source, prompt, line)
        if prompt.dialect is Dialect.JINJA:
            prompt = included(prompt, source, blobs)
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def _settings(source: Source, fields: Fields | None) -> dict[str, object]:
    """Returns what the front matter says, as fields of PromptFile."""
    if fields is None:
        return {}
    fields.ignore("authors", "tags", "version", "metadata", "displayName", "kind", "$schema")
    found: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "defaults": {**_inputs(fields), **_sample(fields)},
        **_model(source, fields),
    }
    if (dialect := _language(source, fields)) is not None:
        found["dialect"] = dialect
    fields.report_unknown()
    return {key: value for key, value in found.items() if value is not None}


def _model(source: Source, fields: Fields) -> dict[str, object]:
    node = fields.take("model")
    if node is None:
        return {}
    if node.text is not None:
        return {"model": _literal(node)}
    model = Fields(source, node, "model")
    api = model.text("api") or model.text("apiType") or ""
    if api not in _APIS:
        raise source.error(f"the API {shown(api)} is no chat", node.line, hint="use a prompt of the API chat")
    model.ignore("provider", "connection", "response")
    name = model.take("id") or model.take("name")
    configuration = model.fields("configuration")
    if configuration is not None:
        name = (
            configuration.take("azure_deployment") or configuration.take("name") or configuration.take("model") or name
        )
    given = [parameters_of(each, PARAMETERS) for each in (model.fields("parameters"), model.fields("options"))]
    model.report_unknown()
    return {
        "model": _literal(name) if name is not None else None,
        "parameters": Parameters.model_validate(given[0] | given[1]),
    }


def _literal(node: Node) -> str | None:
    """Returns a text that isn't to be looked up in an environment: ``${env:…}`` names no model."""
    return None if node.text is None or node.text.startswith("${") else node.text


def _language(source: Source, fields: Fields) -> Dialect | None:
    node = fields.take("template")
    if node is None:
        return None
    name = node.text
    if name is None:
        template = Fields(source, node, "template")
        format_node = template.take("format") or template.take("type")
        name = format_node.text if format_node else "jinja2"
        if name is None and format_node is not None:
            kind = Fields(source, format_node, "format")
            kind.ignore("strict", "options")
            name = kind.text("kind") or "jinja2"
        template.ignore("parser")
        template.report_unknown()
    if name not in LANGUAGES:
        raise source.error(
            f"unknown template language {shown(str(name))}", node.line, hint=f"known: {', '.join(LANGUAGES)}"
        )
    return LANGUAGES[name]


def _inputs(fields: Fields) -> dict[str, JsonValue]:
    """Returns the defaults of ``inputs``: a map of properties or of defaults, or a list of properties with names."""
    node = fields.take("inputs")
    if node is None:
        return {}
    found: dict[str, JsonValue] = {}
    if isinstance(node.value, list):
        for number, item in enumerate(node.value, 1):
            one = Fields(fields.source, item, f"input {number}")
            _put_default(found, one.required("name"), item)
    else:
        for name, item in Fields(fields.source, node, "inputs").entries.items():
            _put_default(found, name, item)
    return found


def _put_default(found: dict[str, JsonValue], name: str, item: Node) -> None:
    if isinstance(item.value, dict):
        held = item.value.get("default") or item.value.get("sample")
        if held is not None and held.value is not None:
            found[name] = plain(held)
    elif item.value is not None:
        found[name] = plain(item)


def _sample(fields: Fields) -> dict[str, JsonValue]:
    node = fields.take("sample")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        fields.leave_unread("sample")
        fields.source.warn("a sample in another file is not read", node.line, hint="give each case all inputs")
        return {}
    value = plain(node)
    assert isinstance(value, dict)
    return value
