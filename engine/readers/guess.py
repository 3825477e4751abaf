"""Tells how a prompt's variables are written where its format doesn't say: by its text, then by the cases' inputs.

Also adds a user message to a prompt that has only instructions: models expect one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

from engine.readers import handlebars
from engine.readers.dialects import GITHUB_VARIABLE, PATTERNS, names_in, texts_of, variables_of, written
from engine.readers.jinja import parses
from schemas.prompts import INSTRUCTING, Dialect, Message, PromptFile, Role

SUFFIXES = {
    ".j2": Dialect.JINJA, ".jinja": Dialect.JINJA, ".jinja2": Dialect.JINJA, ".hbs": Dialect.HANDLEBARS,
    ".handlebars": Dialect.HANDLEBARS, ".mustache": Dialect.MUSTACHE,
}  # fmt: skip
"""Names of files that say it."""
JINJA_SUFFIXES = tuple(suffix for suffix, dialect in SUFFIXES.items() if dialect is Dialect.JINJA)
INPUT = "input"
"""The input that a case has where it names none."""
MAX_OUTPUTS = 100
"""Outputs of one text that are looked at."""
MAX_OUTPUT = 1_000
"""Most characters of one of them."""
_LOGIC = re.compile(r"\{%[-+]?\s*[a-z]|\{\{-?\s*\w+\s*[.|(\[]")
"""What only Jinja understands. Bare ``{{ name }}`` is filled in the same way without it."""
_OUTPUT = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}", re.DOTALL)
_SECTION = re.compile(r"\{\{[#^][ \t]*([\w.]+)[ \t]*\}\}")
_TRIPLE = re.compile(r"\{\{\{[ \t]*([A-Za-z_]\w*)[ \t]*\}\}\}")
_BRACES = re.compile(r"(?<![${])\{([A-Za-z_]\w*)\}(?!\})")
"""``{name}`` that is part of no other dialect's variable."""


def dialect_of(path: str, text: str) -> Dialect:
    """Returns what a text alone tells: by the file's name, by what only one language writes, else ``{{ name }}``.

    Whatever else stands in double braces is Jinja where Jinja can read it: ``{{ a if b }}`` is, ``{{"a": 1}}`` isn't.
    """
    named = next((dialect for suffix, dialect in SUFFIXES.items() if path.endswith(suffix)), None)
    if named:
        return named
    if "{%" not in text and (other := _beside_jinja(text)) is not None:
        return other
    if _LOGIC.search(text):
        return Dialect.JINJA
    short = (output for output in _OUTPUT.findall(text) if len(output) <= MAX_OUTPUT)
    outputs = dict.fromkeys(output for output in short if not GITHUB_VARIABLE.fullmatch(output))
    return Dialect.JINJA if any(map(parses, islice(outputs, MAX_OUTPUTS))) else Dialect.GITHUB


def _beside_jinja(text: str) -> Dialect | None:
    """Returns the language whose tags, or whose variables alone, stand in a text without tags of Jinja."""
    if handlebars.TAGS.search(text):
        return Dialect.HANDLEBARS
    if _SECTION.search(text):
        return Dialect.MUSTACHE
    if any(not name.startswith(".") for name in names_in(text, Dialect.GITHUB)):
        return None
    return next((dialect for dialect in (Dialect.KERNEL, Dialect.GO) if PATTERNS[dialect].search(text)), None)


def settled(prompts: Sequence[PromptFile], inputs: Collection[str], *, static: bool = False) -> list[PromptFile]:
    """Returns the versions of one prompt as they are to be filled in, once the cases' inputs are known.

    A version that uses none of the inputs is written as the others are: a variable that is misspelt there is one that
    has no value. ``static``: the prompt takes no inputs, so that nothing is added to it.
    """
    bare = [without_question(prompt) for prompt in prompts]
    bare = [bare[0], *(_as_before(bare[0], prompt) for prompt in bare[1:])] if bare else []
    told = [_told(prompt, inputs) for prompt in bare]
    common = next((dialect for dialect in told[::-1] if dialect), None)
    spoken = [
        prompt if dialect is None else prompt.model_copy(update={"dialect": dialect})
        for prompt, own in zip(bare, told, strict=True)
        for dialect in [own or (common if _is_open(prompt) and not _uses(prompt) else None)]
    ]
    return _asking(spoken, prompts, inputs, static=static)


def _is_open(prompt: PromptFile) -> bool:
    return prompt.guessed and prompt.dialect is Dialect.GITHUB


def _uses(prompt: PromptFile) -> bool:
    return bool(variables_of(prompt))


def _as_before(old: PromptFile, new: PromptFile) -> PromptFile:
    """Returns the new version in the old one's language, if a tag of another language is all that speaks against it.

    Whatever fills the prompt in today sends such a tag as it stands.
    """
    switched = new.guessed and new.dialect in (Dialect.HANDLEBARS, Dialect.MUSTACHE, Dialect.GO, Dialect.KERNEL)
    if switched and old.guessed and old.dialect is Dialect.GITHUB and _uses(old):
        return new.model_copy(update={"dialect": old.dialect})
    return new


def _told(prompt: PromptFile, inputs: Collection[str]) -> Dialect | None:
    """Returns the dialect in which a prompt uses most of the inputs; ``None``: it uses none, or needn't be asked."""
    if not _is_open(prompt):
        return None
    text = "\n".join(texts_of(prompt))
    used = {
        Dialect.HANDLEBARS: _TRIPLE.findall(text),
        Dialect.GITHUB: [name for name in names_in(text, Dialect.GITHUB) if f"{{{{{{{name}" not in text],
        Dialect.BRACES: _BRACES.findall(text),
        Dialect.JAVASCRIPT: list(names_in(text, Dialect.JAVASCRIPT)),
        Dialect.SHELL: list(names_in(text, Dialect.SHELL)),
    }
    counts = {dialect: len(set(inputs) & set(names)) for dialect, names in used.items()}
    best = max(counts, key=lambda dialect: counts[dialect])
    return best if counts[best] else None


def without_question(prompt: PromptFile) -> PromptFile:
    """Returns the prompt without the message that was added to it."""
    if prompt.asks is None:
        return prompt
    return prompt.model_copy(update={"messages": prompt.messages[:-1], "asks": None})


def with_question(prompt: PromptFile, name: str = INPUT) -> PromptFile:
    """Returns the prompt with an input as the user's message."""
    asked = Message(role=Role.USER, content=written(prompt.dialect, name))
    return prompt.model_copy(update={"messages": (*prompt.messages, asked), "asks": name})


def only_instructs(prompt: PromptFile) -> bool:
    """Returns whether nothing in the prompt asks the model something."""
    return prompt.roles is None and all(message.role in INSTRUCTING for message in prompt.messages)


def _asking(
    prompts: Sequence[PromptFile], read: Sequence[PromptFile], inputs: Collection[str], *, static: bool
) -> list[PromptFile]:
    """Returns the prompts, with an input that none of them uses as the message of the user where it is missing."""
    used = frozenset(name for prompt in prompts for name in variables_of(prompt))
    free = sorted(set(inputs) - used)
    name = INPUT if INPUT in free else free[0] if len(free) == 1 else None
    done = []
    for prompt, before in zip(prompts, read, strict=True):
        if only_instructs(prompt) and (before.asks or (prompt.guessed and not static)):
            done.append(_asked(prompt, before, free, name, known=bool(inputs)))
        elif name is None or used or static:
            done.append(prompt)
        else:
            done.append(_instructing(prompt, name))
    return done


def _instructing(prompt: PromptFile, name: str) -> PromptFile:
    """Returns a text that takes no inputs as what the system says, with the input as what the user asks."""
    if not prompt.guessed or prompt.roles or len(prompt.messages) > 1:
        return prompt
    instruction = prompt.messages[0].model_copy(update={"role": Role.SYSTEM})
    return with_question(prompt.model_copy(update={"messages": (instruction,)}), name)


def _asked(
    prompt: PromptFile, before: PromptFile, free: Collection[str], name: str | None, *, known: bool
) -> PromptFile:
    """Returns the prompt with the question that it lacks. Where several inputs could be it, the usual one stands, and
    a case without it can't be filled in."""
    if name is not None and name in variables_of(with_question(prompt, name)):
        return with_question(prompt, name)
    return with_question(prompt, before.asks) if before.asks and (free or not known) else prompt
