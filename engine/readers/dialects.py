"""Renders the dialects without logic, and finds the variables of a prompt. adapters/sandbox.py renders the others.

A variable is filled in by one pass of replacement: values are never read as templates themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pydantic import JsonValue

from engine.readers import handlebars
from engine.readers.jinja import jinja_variables, jinja_without_comments
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message, PromptFile, RoleSyntax

MAX_OUTPUT = 4 * 1024 * 1024
"""Most characters of one rendered job, about a million tokens of text."""

GITHUB_VARIABLE = re.compile(r"\{\{[ \t]*(?P<name>[\w.-]+)[ \t]*\}\}")
BRACES_VARIABLE = re.compile(r"\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
PATTERNS = {
    Dialect.GITHUB: GITHUB_VARIABLE,
    Dialect.BRACES: BRACES_VARIABLE,
    Dialect.FSTRING: re.compile(r"\{\{|\}\}|\{(?P<name>[^{}!:.\[\]]+)\}"),
    Dialect.SHELL: re.compile(r"\$(?:\$|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII),
    Dialect.JAVASCRIPT: re.compile(r"\$\{[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*\}", re.ASCII),
    Dialect.KERNEL: re.compile(r"\{\{\s*\$(?P<name>\w+)\s*\}\}", re.ASCII),
    Dialect.GO: re.compile(r"\{\{[ \t]*\.(?P<name>[A-Za-z_]\w*)[ \t]*\}\}"),
    Dialect.BRACKETS: re.compile(r"\[\[[ \t]*(?P<name>[\w.-]+)[ \t]*\]\]"),
    Dialect.ANGLES: re.compile(r"<(?P<name>[A-Za-z_][\w-]*)>"),
}
"""The dialects without logic. A match without a name is an escape."""
WRITTEN = {
    Dialect.BRACES: "{{{}}}", Dialect.FSTRING: "{{{}}}", Dialect.SHELL: "${{{}}}", Dialect.JAVASCRIPT: "${{{}}}",
    Dialect.KERNEL: "{{{{${}}}}}", Dialect.GO: "{{{{.{}}}}}", Dialect.BRACKETS: "[[{}]]", Dialect.ANGLES: "<{}>",
}  # fmt: skip
"""The dialects that don't write ``{{name}}``."""
_ESCAPES = {"{{": "{", "}}": "}", "$$": "$"}


def written(dialect: Dialect, name: str) -> str:
    """Returns how a dialect writes a variable."""
    return WRITTEN.get(dialect, "{{{{{}}}}}").format(name)


def name_of(match: re.Match[str]) -> str | None:
    """Returns the name in a match of one of ``PATTERNS``; ``None`` for an escape."""
    return match[match.lastgroup] if match.lastgroup else None


def value_text(value: JsonValue) -> str:
    """Returns a variable's value as it appears in a prompt: texts unchanged, everything else as JSON (5.0 as 5)."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def fill_in(job: RenderJob) -> tuple[Message, ...] | RenderFailure:
    """Renders a job of a dialect without logic. A name without a value is a failure that names it."""
    pattern = PATTERNS[job.dialect]
    text_of = str if job.dialect is Dialect.FSTRING else value_text
    room = MAX_OUTPUT
    rendered = []
    for message in job.messages:
        names = _names(message.content, job.dialect)
        for name in names:
            if name not in job.variables:
                return missing(name, job.variables)
        texts = {name: text_of(job.variables[name]) for name in set(names)}
        room -= len(message.content) + sum(len(texts[name]) for name in names)
        if room < 0:
            return RenderFailure(message=f"the rendered prompt is longer than {MAX_OUTPUT // 2**20} MiB")

        def value(match: re.Match[str], texts: Mapping[str, str] = texts) -> str:
            name = name_of(match)
            return _ESCAPES[match[0]] if name is None else texts[name]

        rendered.append(Message(role=message.role, content=pattern.sub(value, message.content)))
    return tuple(rendered)


def missing(name: str, variables: Mapping[str, JsonValue]) -> RenderFailure:
    """Returns the failure for a variable that the case doesn't have."""
    has = ", ".join(sorted(variables)[:8]) or "none"
    return RenderFailure(message=f"the variable {name} has no value (the case has: {has})", variable=name)


def without_comments(prompt: PromptFile) -> tuple[tuple[Message, ...], dict[str, str]]:
    """Returns messages and partials without Jinja's comments that leave the text around them unchanged."""
    if prompt.dialect is not Dialect.JINJA:
        return prompt.messages, prompt.included
    messages = tuple(Message(role=each.role, content=jinja_without_comments(each.content)) for each in prompt.messages)
    return messages, {name: jinja_without_comments(text) for name, text in prompt.included.items()}


def texts_of(prompt: PromptFile) -> list[str]:
    """Returns the texts that a template engine fills in."""
    return [*(message.content for message in prompt.messages), *prompt.included.values()]


def variables_of(prompt: PromptFile) -> frozenset[str]:
    """Returns the names that a case's inputs must have, including those with a default.

    For Jinja: the names that are read before anything sets them, nested names by their first part; empty where the
    template can't be parsed. A partial also sees what other texts set. For Handlebars: what no block gives.
    """
    if prompt.dialect is Dialect.JINJA:
        return jinja_variables([message.content for message in prompt.messages], list(prompt.included.values()))
    if prompt.dialect in (Dialect.HANDLEBARS, Dialect.MUSTACHE):
        return handlebars.variables(texts_of(prompt), helpers_of(prompt))
    return frozenset(name for message in prompt.messages for name in names_in(message.content, prompt.dialect))


def helpers_of(prompt: PromptFile) -> frozenset[str]:
    """Returns the helpers of Handlebars that a prompt's format brings along."""
    return handlebars.DOTPROMPT_HELPERS if prompt.roles is RoleSyntax.DOTPROMPT else frozenset()


@lru_cache(64)
def _names(text: str, dialect: Dialect) -> tuple[str, ...]:
    """Returns ``names_in``. A prompt is filled in for thousands of cases."""
    return tuple(names_in(text, dialect))


def names_in(text: str, dialect: Dialect) -> Iterator[str]:
    """Yields the variables in a text of a dialect without logic."""
    return (name for match in PATTERNS[dialect].finditer(text) if (name := name_of(match)) is not None)
