"""Handlebars templates, taken apart and never rendered: adapters/sandbox.py does that."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from engine.readers.bounded import shown
from engine.readers.jinja import Token

BUILT_IN = frozenset({"if", "unless", "each", "with", "lookup"})
DOTPROMPT_HELPERS = frozenset({"role", "history", "media", "section", "json", "ifEquals", "unlessEquals"})
TAGS = re.compile(r"\{\{~?[#/](?:if|unless|each|with)\b|\{\{~?else\b|\{\{~?role\s+[\"']")
"""What no other template language writes: its blocks, and the roles of dotprompt."""
MAX_TAGS = 10_000
"""Tags of one template that are looked at; a prompt has a few."""
MAX_DEPTH = 90
"""Blocks within blocks; the renderer's own bound is 100."""
_SAME_SCOPE = ("if", "unless", "ifEquals", "unlessEquals")
"""Blocks whose body sees what is around it. Each other block may bring a value of its own."""
_COMMENT_END = re.compile(r"--~?\}\}")
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|[()|]|[^\s()|\"'=]+=?|=")
_LITERAL = re.compile(r"[\"'].*|-?\d+(?:\.\d+)?|true|false|null|undefined", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_$][\w$-]*")


class Tag(NamedTuple):
    """One ``{{…}}`` of a template."""

    start: int
    end: int
    line: int
    kind: str
    """``#``, ``^``, ``/``, ``else``, ``!``, ``>``, or empty for an output."""
    words: tuple[str, ...]
    """What it says, without ``#`` and its like: names, quoted texts, ``(``, ``)``, ``key=``."""


class Mistake(NamedTuple):
    """What is wrong with a template, and the line."""

    what: str
    line: int


def tags(text: str) -> Iterator[Tag]:
    """Yields the tags, up to the first that isn't closed, and ``MAX_TAGS`` of them."""
    return islice(_tags(text), MAX_TAGS)


def _tags(text: str) -> Iterator[Tag]:
    at, line, counted = 0, 1, 0
    while (start := text.find("{{", at)) >= 0:
        if text[max(0, start - 2) : start].endswith("\\") and not text[max(0, start - 2) : start].endswith("\\\\"):
            at = start + 2  # \{{ is text
            continue
        end = _end(text, start)
        if end is None:
            return
        line += text.count("\n", counted, start)
        counted = start
        yield _tag(text, start, end, line)
        at = end


def _end(text: str, start: int) -> int | None:
    if text.startswith(("{{!--", "{{~!--"), start):
        found = _COMMENT_END.search(text, start + 5)
        return found.end() if found else None
    closing = "}}}" if text.startswith(("{{{", "{{~{"), start) else "}}"
    end = text.find(closing, start + 2)
    return None if end < 0 else end + len(closing)


def _tag(text: str, start: int, end: int, line: int) -> Tag:
    body = text[start:end].strip("{}").strip("~").strip("{}").strip()
    kind = body[:1] if body[:1] in ("#", "^", "/", "!", ">", "&") else ""
    words = () if kind == "!" else tuple(_WORD.findall(body[len(kind) :]))
    if not kind and words[:1] == ("else",):
        return Tag(start, end, line, "else", words[1:])
    return Tag(start, end, line, "" if kind == "&" else kind, words)


def mistake(text: str, helpers: Collection[str] = ()) -> Mistake | None:
    """Returns the first thing that can't be rendered: an open tag or block, an unknown helper, what isn't supported."""
    known = {*BUILT_IN, *helpers}
    opened: list[Tag] = []
    last = 0
    for number, tag in enumerate(_tags(text)):
        last = tag.end
        if number == MAX_TAGS:
            return Mistake(f"there are more than {MAX_TAGS:,} tags", tag.line)
        if text.startswith("{{{{", tag.start):
            return Mistake("raw blocks {{{{ are not supported", tag.line)
        if found := _mistake(text, tag, opened, known):
            return Mistake(found, tag.line)
        if len(opened) > MAX_DEPTH:
            return Mistake(f"blocks are nested more than {MAX_DEPTH} deep", tag.line)
    return _unclosed(text, last, opened)


def _unclosed(text: str, last: int, opened: Sequence[Tag]) -> Mistake | None:
    """Returns the tag or block that the end of the text leaves open. ``last`` is where the last tag ends."""
    rest = text.find("{{", last)
    while rest > 0 and text[rest - 1] == "\\":
        rest = text.find("{{", rest + 2)
    if rest >= 0:
        return Mistake("{{ is never closed", text.count("\n", 0, rest) + 1)
    if opened:
        return Mistake(f"{{{{#{shown(opened[-1].words[0])}}}}} is never closed", opened[-1].line)
    return None


def _mistake(text: str, tag: Tag, opened: list[Tag], known: Collection[str]) -> str | None:
    """Returns what is wrong with one tag. Keeps ``opened`` up to date."""
    said = shown(" ".join(text[tag.start : min(tag.end, tag.start + 60)].split()))
    wrong = None
    if not tag.words and tag.kind not in ("!", "else"):
        wrong = f"{said} says nothing"
    elif tag.kind == "else" and not opened:
        wrong = "{{else}} stands outside of a block"
    elif tag.kind == "/" and (not opened or opened.pop().words[0] != tag.words[0]):
        wrong = f"{said} closes no block of that name"
    elif tag.kind in ("#", ">") and tag.words[0].startswith(("*", ">")):
        wrong = f"{said} is not supported: partials defined inside a template"
    elif tag.kind in ("#", "^"):
        opened.append(tag)
    unknown = [word for word in _called(tag) if word not in known]
    return wrong or (f"{said} calls {shown(unknown[0])}, which is no helper that is known" if unknown else None)


def _called(tag: Tag) -> Iterator[str]:
    """Yields the helpers that a tag calls."""
    words = tag.words
    calls = {"else": len(words) > 0, "#": len(words) > 1 and words[1] != "as", "": len(words) > 1}
    if calls.get(tag.kind, False):
        yield words[0]
    yield from (words[at + 1] for at in range(len(words) - 1) if words[at] == "(")


def partials(text: str) -> Iterator[tuple[str, int]]:
    """Yields the name of each partial that is included, with its line. A computed name is the empty text."""
    for tag in tags(text):
        if tag.kind == ">" and tag.words:
            yield tag.words[0].strip("\"'") if tag.words[0] != "(" else "", tag.line


def variables(texts: Iterable[str], helpers: Collection[str] = ()) -> frozenset[str]:
    """Returns the names that are read from a case's inputs, nested names by their first part.

    What a block such as ``{{#each}}`` reads from its own value is no input.
    """
    return frozenset(name for text in texts for name in _read(text)) - frozenset(helpers)


def _read(text: str) -> Iterator[str]:
    scopes: list[tuple[bool, frozenset[str]]] = []
    """Of the blocks around a tag: whether each has a value of its own, and the names that it gives to it."""
    for tag in tags(text):
        if tag.kind == "/":
            scopes = scopes[:-1]
            continue
        yield from _inputs(tag, scopes)
        if tag.kind in ("#", "^") and tag.words:
            given = tag.words[tag.words.index("|") + 1 :] if "|" in tag.words else ()
            own = tag.kind == "#" and tag.words[0] not in _SAME_SCOPE and not given
            scopes.append((own, frozenset(given)))


def _inputs(tag: Tag, scopes: Sequence[tuple[bool, frozenset[str]]]) -> Iterator[str]:
    if tag.kind in ("!", ">"):
        return
    words = tag.words[: tag.words.index("|")] if "|" in tag.words else tag.words
    above = sum(own for own, _ in scopes)
    hidden = frozenset(_called(tag)).union(("this", "as"), *(names for _, names in scopes))
    for word in words:
        up, name = _steps(word)
        if name and name not in hidden and up >= above:
            yield name


def _steps(word: str) -> tuple[int, str | None]:
    """Returns how many values a path leaves behind, and its first name; no name for a literal or a key."""
    if word.endswith("=") or _LITERAL.fullmatch(word):
        return 0, None
    path = word.removeprefix("@root.")
    up = MAX_DEPTH if path != word else 0
    while path.startswith("../"):
        path, up = path[3:], up + 1
    name = _NAME.match(path.removeprefix("this.").removeprefix("./"))
    return up, name[0] if name else None


def tokens(text: str) -> tuple[Token, ...]:
    """Returns the template in tokens, as Jinja's are named: all values together are the text."""
    found: list[Token] = []
    at, line = 0, 1
    for tag in tags(text):
        if tag.start > at:
            found.append(Token(line, "data", text[at : tag.start]))
        raw = text[tag.start : tag.end]
        if tag.kind == "!":
            found.append(Token(tag.line, "comment", raw))
        else:
            what = "block" if tag.kind in ("#", "^", "/", "else") else "variable"
            found += (
                Token(tag.line, f"{what}_begin", raw[:2]),
                Token(tag.line, "path", raw[2:-2]),
                Token(tag.line, f"{what}_end", raw[-2:]),
            )
        line = tag.line + raw.count("\n")
        at = tag.end
    if at < len(text):
        found.append(Token(line, "data", text[at:]))
    return tuple(found)
