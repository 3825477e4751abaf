"""Texts with holes, as found in code and documents, and the template language of a whole prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from string import Formatter
from typing import NamedTuple

from engine.readers.bounded import Source, shown
from engine.readers.dialects import BRACES_VARIABLE, GITHUB_VARIABLE
from engine.readers.guess import dialect_of
from schemas.errors import SourceError
from schemas.prompts import Dialect, Role

MAX_SIGNS = 100_000
"""Most words, signs and line ends of a file of code. A syntax tree takes up to 1 KB for each."""
_SIGN = re.compile(r"\w+|[^\w\s]|\n")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LOOKED_UP = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\w+\])+", re.ASCII)
_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?z?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?")
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_PATTERNS = {Dialect.GITHUB: GITHUB_VARIABLE, Dialect.BRACES: BRACES_VARIABLE}
_WRITTEN = {Dialect.GITHUB: "{{%s}}", Dialect.BRACES: "{%s}"}


class MissingConstantError(SourceError):
    """The file can be read, but has nothing of that name."""


class Hole(NamedTuple):
    """A place in a text that a value fills."""

    name: str


Pieces = tuple[str | Hole, ...]


class Syntax(Enum):
    """The syntax of holes in a text."""

    TEXT = "text"
    """Like any prompt: inferred from what is in braces."""
    CODE = "code"
    """Only by its ``Hole`` pieces: anything in braces is text."""
    FORMAT = "format"
    """As ``str.format`` reads it: ``{name}``, and doubled braces for single ones."""
    JINJA = "jinja"
    MUSTACHE = "mustache"


class Written(NamedTuple):
    """One message as a file holds it."""

    pieces: Pieces
    lines: tuple[tuple[int, int], ...]
    """First and last lines of everything that it was read from, starting with the constant itself."""
    syntax: Syntax = Syntax.TEXT
    role: Role | None = None

    @property
    def text(self) -> str:
        """All of the text, without the holes."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))


def check_size(source: Source) -> None:
    """Raises SourceError for code that takes too much memory as a syntax tree."""
    if sum(1 for _ in _SIGN.finditer(source.text)) > MAX_SIGNS:
        raise source.error(
            f"the file has more than {MAX_SIGNS:,} words and signs", 1, hint="move the prompt into a smaller file"
        )


def joined(pieces: Iterable[str | Hole]) -> Pieces:
    """Returns the pieces with neighboring texts joined, without empty ones."""
    found: list[str | Hole] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)


def in_one_language(messages: Sequence[tuple[Source, Written]]) -> tuple[Dialect, tuple[str, ...]]:
    """Returns the messages as templates of one dialect: the first that keeps their meaning.

    Raises SourceError at a message's line for a field that isn't a plain name, texts that no dialect can tell from
    holes, and characters that can't be sent.
    """
    read = [_read(source, message) for source, message in messages]
    dialects = {dialect for dialect, _ in read if dialect}
    if Dialect.JINJA in dialects:
        return Dialect.JINJA, tuple(
            _beside_jinja(*message, dialect, pieces) for message, (dialect, pieces) in zip(messages, read, strict=True)
        )
    order = (Dialect.BRACES, Dialect.GITHUB) if dialects == {Dialect.BRACES} else (Dialect.GITHUB, Dialect.BRACES)
    for dialect in order:
        texts = [_as_written(pieces, dialect) for _, pieces in read]
        if all(_split(text, dialect) == pieces for text, (_, pieces) in zip(texts, read, strict=True)):
            return dialect, tuple(texts)
    source, message = messages[0]
    raise source.error(
        "the text has names in single and in doubled braces beside its holes, which no template can tell apart",
        message.lines[0][0],
        hint="write the braces that are text in another way",
    )


def _read(source: Source, message: Written) -> tuple[Dialect | None, Pieces]:
    """Returns the dialect of the message, if it has one, and its pieces."""
    if found := _UNSENDABLE.search(message.text):
        code = f"U+{ord(found[0]):04X}"
        raise source.error(f"the text has the character {code}", message.lines[0][0], hint="remove the escape")
    pieces = joined(message.pieces)
    if any(isinstance(piece, Hole) for piece in pieces):
        return Dialect.GITHUB, pieces
    match message.syntax:
        case Syntax.JINJA:
            return Dialect.JINJA, pieces
        case Syntax.FORMAT:
            return Dialect.BRACES, _fields(source, message, strict=True) or ()
        case Syntax.MUSTACHE:
            return Dialect.GITHUB, _split(message.text, Dialect.GITHUB)
        case Syntax.TEXT:
            return _read_text(source, message, pieces)
    return None, pieces


def _read_text(source: Source, message: Written, pieces: Pieces) -> tuple[Dialect | None, Pieces]:
    """As ``_read`` for a text whose code doesn't say in which dialect it is."""
    if dialect_of("", message.text) is Dialect.JINJA:
        return Dialect.JINJA, pieces
    if GITHUB_VARIABLE.search(message.text):
        return Dialect.GITHUB, _split(message.text, Dialect.GITHUB)
    fields = _fields(source, message, strict=False)
    split = _split(message.text, Dialect.BRACES) if fields is None else fields
    return (Dialect.BRACES, split) if any(isinstance(piece, Hole) for piece in split) else (None, pieces)


def _fields(source: Source, message: Written, *, strict: bool) -> Pieces | None:
    """Returns the pieces of a text for ``str.format``, or ``None`` if it isn't one, unless ``strict``.

    Raises SourceError for a field with a format or a look-up, and with ``strict`` for any other mistake.
    """
    pieces: list[str | Hole] = []
    line = message.lines[0][0]
    hint = "give it a plain name in braces, and double the braces that are text"
    try:
        fields = list(Formatter().parse(message.text))
    except ValueError as error:
        if strict:
            raise source.error(f"not a format string: {shown(str(error))}", line, hint=hint) from None
        return None
    foreign = False
    for text, name, spec, conversion in fields:
        pieces.append(text)
        if name is None:
            continue
        plain = bool(_NAME.fullmatch(name))
        if plain and not spec and not conversion:
            pieces.append(Hole(name))
        elif strict or _LOOKED_UP.fullmatch(name) or (plain and (conversion or _SPEC.fullmatch(spec or ""))):
            raise source.error(f"the field {{{shown(name)}}} isn't filled in as it stands", line, hint=hint)
        else:
            foreign = True
    return None if foreign else joined(pieces)


def _split(text: str, dialect: Dialect) -> Pieces:
    parts = _PATTERNS[dialect].split(text)
    return joined(Hole(part) if number % 2 else part for number, part in enumerate(parts))


def _as_written(pieces: Pieces, dialect: Dialect) -> str:
    return "".join(piece if isinstance(piece, str) else _WRITTEN[dialect] % piece.name for piece in pieces)


def _beside_jinja(source: Source, message: Written, dialect: Dialect | None, pieces: Pieces) -> str:
    """Returns the message as Jinja, which another message of the prompt needs."""
    if dialect is not Dialect.JINJA and any(
        sign in piece for piece in pieces if isinstance(piece, str) for sign in ("{{", "{%", "{#")
    ):
        raise source.error(
            "this message has Jinja's braces as text, and another message of the prompt is Jinja",
            message.lines[0][0],
            hint="write both in the same template language",
        )
    return _as_written(pieces, Dialect.GITHUB)
