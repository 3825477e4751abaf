"""Reads the messages of a request and the text of its answer from a span or a log record, in each dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from evaluators.json_answers import encodable
from schemas.production import ContentMessage, SpanRecord

LONGEST_TEXT = 100_000
"""Characters of one text."""
MOST_MESSAGES = 200
LARGEST_JSON = 2_000_000
ROLES = ("system", "user", "assistant", "tool")


class Content(NamedTuple):
    """What a span or record says."""

    messages: tuple[ContentMessage, ...]
    output: str | None


def output_of(record: SpanRecord) -> str | None:
    """Returns the text of the first answer; ``None`` if the record has none."""
    given = record.attributes
    latest = next(_messages(_json(given.get("gen_ai.output.messages"))), None)
    if latest is not None:
        return latest.text
    for text in (_choice(record), _indexed(given, "llm.output_messages", 0), given.get("gen_ai.completion.0.content")):
        if isinstance(text, str):
            return text[:LONGEST_TEXT]
    for name in ("ai.response.text", "ai.response.object"):
        text = given.get(name)
        if isinstance(text, str) and text:
            return text[:LONGEST_TEXT]
    return None


def content_of(record: SpanRecord) -> Content:
    """Returns input and output, cut to their limits."""
    messages: list[ContentMessage] = []
    for message in _input(record):
        if len(messages) == MOST_MESSAGES:
            break
        messages.append(message)
    return Content(tuple(messages), output_of(record))


def _input(record: SpanRecord) -> Iterator[ContentMessage]:
    given = record.attributes
    system = _text(_json(given.get("gen_ai.system_instructions")))
    if system:
        yield ContentMessage(role="system", text=system)
    yield from _messages(_json(given.get("gen_ai.input.messages")))
    yield from _old_input(record)
    yield from _numbered(given, "llm.input_messages.{}.message.role", "llm.input_messages")
    yield from _vercel(given)


def _old_input(record: SpanRecord) -> Iterator[ContentMessage]:
    """Up to 1.36: one log record, or event of the span, for each message."""
    for name, body in ((record.name, record.body), *record.events):
        role = name.removeprefix("gen_ai.").removesuffix(".message")
        if role in ROLES and name == f"gen_ai.{role}.message" and isinstance(body, Mapping):
            text = _text(body.get("content"))
            if text:
                yield ContentMessage(role=role, text=text)
    yield from _numbered(record.attributes, "gen_ai.prompt.{}.role", "gen_ai.prompt")


def _choice(record: SpanRecord) -> JsonValue:
    for name, body in ((record.name, record.body), *record.events):
        if name == "gen_ai.choice" and isinstance(body, Mapping) and body.get("index") in (None, 0):
            message = _json(body.get("message"))
            return _text(message.get("content")) if isinstance(message, Mapping) else _text(message)
    return None


def _numbered(given: Mapping[str, JsonValue], role_name: str, prefix: str) -> Iterator[ContentMessage]:
    for number in range(MOST_MESSAGES):
        role = given.get(role_name.format(number))
        if not isinstance(role, str):
            return
        text = given.get(f"{prefix}.{number}.content") or _indexed(given, prefix, number)
        if isinstance(text, str) and text:
            yield ContentMessage(role=role[:20], text=text[:LONGEST_TEXT])


def _indexed(given: Mapping[str, JsonValue], prefix: str, number: int) -> JsonValue:
    """OpenInference: one attribute for each text of a message."""
    at = f"{prefix}.{number}.message"
    whole = given.get(f"{at}.content")
    if isinstance(whole, str):
        return whole
    parts = (given.get(f"{at}.contents.{part}.message_content.text") for part in range(20))
    return "\n".join(part for part in parts if isinstance(part, str)) or None


def _vercel(given: Mapping[str, JsonValue]) -> Iterator[ContentMessage]:
    if "ai.prompt.messages" in given:
        yield from _messages(_json(given["ai.prompt.messages"]))
        return
    prompt = _json(given.get("ai.prompt"))
    if not isinstance(prompt, Mapping):
        return
    for role, name in (("system", "system"), ("user", "prompt")):
        text = prompt.get(name)
        if isinstance(text, str) and text:
            yield ContentMessage(role=role, text=text[:LONGEST_TEXT])
    yield from _messages(prompt.get("messages"))


def _messages(value: JsonValue) -> Iterator[ContentMessage]:
    """Yields the messages of a list of ``{role, parts}`` or ``{role, content}``."""
    for one in value if isinstance(value, list) else []:
        if isinstance(one, Mapping) and isinstance(one.get("role"), str):
            text = _text(one.get("parts")) or _text(one.get("content"))
            yield ContentMessage(role=str(one["role"])[:20], text=text)


def _text(value: JsonValue) -> str:
    """Returns a text, or the texts of parts. Pictures and tool calls are left out."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    parts = value if isinstance(value, list) else []
    texts = (part.get("content", part.get("text")) for part in parts if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))[:LONGEST_TEXT]


def _json(value: JsonValue) -> JsonValue:
    """Returns a structure that a sender may have written as JSON text."""
    if not isinstance(value, str) or len(value) > LARGEST_JSON or value[:1] not in "[{":
        return value
    try:
        found: JsonValue = json.loads(value)
    except (ValueError, RecursionError):
        return value
    # Half a surrogate pair can be written in JSON, but not be stored.
    return encodable(found)
