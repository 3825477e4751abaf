"""The texts of a prompt that an optimizer may edit, and the prompt with other texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from engine.readers import handlebars
from engine.readers.dialects import PATTERNS
from engine.readers.guess import without_question
from engine.readers.jinja import jinja_tokens
from engine.readers.prompts.role_marks import split
from schemas.ports import RenderFailure
from schemas.prompts import LOGICAL, Dialect, Message, PromptFile, Role, RoleSyntax

LONGEST = 40_000
"""Most characters of an edited text."""
LETTERS = 12
"""A message with fewer letters outside of its variables has nothing to edit."""
INVISIBLE = ("Cc", "Cf", "Cs")
"""Unicode categories of characters that are invisible in a review."""
Texts = Mapping[str, str]
"""Text of each editable message, by its name."""


def editable(prompt: PromptFile) -> dict[str, str]:
    """Returns the texts that may be edited, by a name such as ``system 1``.

    Examples of answers, and messages that only pass an input on, are left out.
    """
    own = without_question(prompt)
    return {
        f"{message.role.value} {number}": message.content
        for number, message in enumerate(own.messages, 1)
        if message.role is not Role.ASSISTANT and _letters(message.content, prompt.dialect) >= LETTERS
    }


def with_texts(prompt: PromptFile, texts: Texts) -> PromptFile:
    """Returns the prompt with these texts in place of its own."""
    messages = tuple(
        Message(role=message.role, content=texts.get(f"{message.role.value} {number}", message.content))
        for number, message in enumerate(prompt.messages, 1)
    )
    return prompt.model_copy(update={"messages": messages})


def like(old: str, new: str) -> str:
    """Returns the new text with the line breaks around it that the old one has."""
    start, end = len(old) - len(old.lstrip("\n")), len(old) - len(old.rstrip("\n"))
    return "\n" * start + new.strip("\n") + "\n" * end


def problem(prompt: PromptFile, old: str, new: str, keep: Sequence[str] = ()) -> str | None:
    """Returns why a text can't replace the old one; ``None`` if it can.

    Every variable, partial, tag, role mark and text of ``keep`` must stay. Where a template has logic, the order of its
    tags must stay too.
    """
    return next(_problems(prompt, old, new, keep), None)


def _problems(prompt: PromptFile, old: str, new: str, keep: Sequence[str]) -> Iterator[str]:
    if not new.strip():
        yield "it is empty"
    if len(new) > LONGEST:
        yield f"it has more than {LONGEST:,} characters"
    if any(unicodedata.category(sign) in INVISIBLE and sign not in "\n\t" and sign not in old for sign in new):
        yield "it has invisible characters"
    before, after = marks(old, prompt.dialect), marks(new, prompt.dialect)
    if before != after if prompt.dialect in LOGICAL else Counter(before) != Counter(after):
        yield "it does not keep the variables and tags of the template"
    if prompt.roles is not None and _roles(old, prompt.roles) != _roles(new, prompt.roles):
        yield "it does not keep the role marks"
    if any(text in old and text not in new for text in keep):
        yield "it does not keep a canary"


def marks(text: str, dialect: Dialect) -> list[str]:
    """Returns everything that is not plain text: variables, partials, blocks and comments."""
    if dialect is Dialect.JINJA:
        tokens = [(token.kind == "data", token.value) for token in jinja_tokens(text)]
    elif dialect in LOGICAL:
        tokens = [(token.kind == "data", token.value) for token in handlebars.tokens(text)]
    else:
        return [match[0] for match in PATTERNS[dialect].finditer(text)]
    return [value for plain, value in tokens if not plain and value.strip()]


def _roles(text: str, roles: RoleSyntax) -> list[Role]:
    messages = split(text, roles)
    return [] if isinstance(messages, RenderFailure) else [message.role for message in messages]


def _letters(text: str, dialect: Dialect) -> int:
    for mark in marks(text, dialect):
        text = text.replace(mark, "", 1)
    return len(re.findall(r"[^\W\d_]", text))
