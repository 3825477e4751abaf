"""Where a file may hold what is edited: candidates that only reading the edited file can tell apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from engine.prompt_edits import json_places, yaml_places
from engine.prompt_edits.plain_places import edited_text
from engine.readers.code.typescript_code import SCRIPT_SUFFIXES
from engine.readers.prompts.parts import YAML_SUFFIXES

ALIASES: Mapping[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "max_tokens": (
        "max_tokens", "maxTokens", "maxCompletionTokens", "maxOutputTokens", "max_completion_tokens",
        "max_output_tokens",
    ),
    "top_p": ("top_p", "topP"),
    "top_k": ("top_k", "topK"),
    "seed": ("seed",),
    "frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
    "presence_penalty": ("presence_penalty", "presencePenalty"),
}  # fmt: skip
"""The parameters that can be edited, with their names in all formats."""
CONTAINERS = ("modelParameters", "model_params", "config", "parameters", "options")
"""Maps that hold parameters in some format."""
BESIDE = (*CONTAINERS, "model", "messages", "api", "description", "name")
"""Keys beside which a format may have parameters or a map of them."""
_FENCE = re.compile(r"\A(?:(?:#[^\n]*\n|[ \t]*\n)*)---[ \t]*\n(?P<matter>(?:.*\n)*?)---[ \t]*(?:\n|\Z)")
_BRACES = re.compile(r"\{(\w+)\}")
_CAMEL = re.compile(r"[a-z][A-Z]")


def text_places(path: str, text: str, old: str, new: str) -> Iterator[tuple[str, ...]]:
    """Yields, for each place of a message's text, the file with the new one, in one or several spellings."""
    if path.endswith(YAML_SUFFIXES):
        yield from yaml_places.edited_scalars(text, old, new)
    elif path.endswith(".json"):
        yield from json_places.edited_texts(text, old, new)
    else:
        fence = _FENCE.match(text)
        start = fence.end() if fence else 0
        pairs = [(old, new)]
        if path.endswith(SCRIPT_SUFFIXES):
            # A template literal is read with our variables in place of its own.
            pairs.append((_BRACES.sub(r"${\1}", old), _BRACES.sub(r"${\1}", new)))
        for was, now in dict.fromkeys(pairs):
            yield from ((text[:start] + body,) for body in edited_text(text[start:], was, now))


def model_places(path: str, text: str, old: str, new: str) -> Iterator[tuple[str, ...]]:
    """Yields, for each place where a structured part of the file reads ``old``, the file with ``new`` there."""
    if path.endswith(".json"):
        yield from json_places.edited_texts(text, old, new)
    else:
        for before, matter, after in _yaml_parts(path, text):
            for spelled in yaml_places.edited_scalars(matter, old, new):
                yield tuple(before + each + after for each in spelled)


def parameter_places(path: str, text: str, name: str, value: JsonValue, *, known: bool) -> Iterator[str]:
    """Yields the file with another value of a parameter; ``None`` removes it. ``known``: the file sets it today."""
    if path.endswith(".json"):
        yield from _in_map(json_places, text, name, value, known=known)
        return
    for before, matter, after in _yaml_parts(path, text):
        yield from (before + each + after for each in _in_map(yaml_places, matter, name, value, known=known))
        if not known:
            for container in CONTAINERS:
                for spelled in _spellings(matter, name):
                    made = yaml_places.with_map(matter, container, {spelled: value})
                    if made is not None:
                        yield before + made + after


def _in_map(form: object, text: str, name: str, value: JsonValue, *, known: bool) -> Iterator[str]:
    edits: Mapping[str, Callable[..., Iterable[str]]] = vars(form)
    if known:
        found = edits["without_key"](text, ALIASES[name]) if value is None else None
        yield from edits["with_number"](text, ALIASES[name], value) if found is None else found
        return
    # Beside another parameter first, which is surely the right map; then wherever a format may have parameters.
    others = [alias for aliases in ALIASES.values() for alias in aliases]
    for beside in (others, BESIDE):
        for spelled in _spellings(text, name):
            yield from edits["with_key"](text, beside, spelled, value)


def _spellings(text: str, name: str) -> Sequence[str]:
    """Returns the names of a parameter, in the file's own style first."""
    camel = _CAMEL.search(re.sub(r"[\"'][^\"']*[\"']", "", text)) is not None
    return sorted(ALIASES[name], key=lambda alias: (_CAMEL.search(alias) is not None) != camel)


def _yaml_parts(path: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Yields the part of the file that is YAML, between what stands before and after it."""
    if path.endswith(YAML_SUFFIXES):
        yield "", text, ""
    elif (fence := _FENCE.match(text)) is not None:
        start, end = fence.span("matter")
        yield text[:start], text[start:end], text[end:]
