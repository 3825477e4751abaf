"""Splits a prompt into the pieces that a change is measured in: sentences, list items and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from schemas.prompts import Message, Role

_ROLE, _TEXT = "role ", "text "
"""First characters of a token. They keep a text that looks like a role from becoming one."""
_SENTENCE = re.compile(r"(?<=[.!?])(?:[\"'”’)\]]*)[ \t]+(?=[\"'“‘(\[{<]?[A-Z0-9])")
_ENDS = re.compile(r"[.!?:;>|}]\W*$")
"""A line that ends a sentence, or a tag."""


def pieces(text: str) -> list[str]:
    """Returns the sentences and list items of a text. Joined, they are the text."""
    return [piece for passage in _passages(text) for piece in _sentences(passage)]


def _passages(text: str) -> Iterator[str]:
    """Yields the lines of a text. A line that goes on in lower case takes the next one with it."""
    open_lines = ""
    for line in text.splitlines(keepends=True):
        if open_lines and not (_goes_on(open_lines) and line[:1].islower()):
            yield open_lines
            open_lines = ""
        open_lines += line
    if open_lines:
        yield open_lines


def _goes_on(passage: str) -> bool:
    last = passage.splitlines()[-1].strip()
    return bool(last) and not _ENDS.search(last)


def _sentences(passage: str) -> Iterator[str]:
    start = 0
    for gap in _SENTENCE.finditer(passage):
        yield passage[start : gap.end()]
        start = gap.end()
    yield passage[start:]


def tokens_of(messages: Sequence[Message]) -> list[str]:
    """Returns a mark for each message, followed by the pieces of its text."""
    return [
        token
        for message in messages
        for token in (_ROLE + message.role.value, *(_TEXT + piece for piece in pieces(message.content)))
    ]


def text_tokens(text: str) -> list[str]:
    """Returns the pieces of a text as tokens."""
    return [_TEXT + piece for piece in pieces(text)]


def is_mark(token: str) -> bool:
    """Returns whether a message starts here."""
    return token.startswith(_ROLE)


def text_of(tokens: Sequence[str]) -> str:
    """Returns what people read of tokens: their text, and each message below its role."""
    shown = "".join(f"\n{token[len(_ROLE) :]}:\n" if is_mark(token) else token[len(_TEXT) :] for token in tokens)
    return shown.strip("\n") if any(map(is_mark, tokens)) else shown


def messages_of(tokens: Sequence[str]) -> tuple[Message, ...]:
    """Returns the messages that tokens spell. The first token is a mark."""
    found: list[tuple[Role, list[str]]] = []
    for token in tokens:
        if is_mark(token):
            found.append((Role(token[len(_ROLE) :]), []))
        else:
            found[-1][1].append(token[len(_TEXT) :])
    return tuple(Message(role=role, content="".join(texts)) for role, texts in found)
