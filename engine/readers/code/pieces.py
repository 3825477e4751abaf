"""Texts with holes, as found in code and documents, and the template language of a whole prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from string import Formatter
from typing import NamedTuple

from engine.readers.bounded import Source, shown
from engine.readers.dialects import GITHUB_VARIABLE, PATTERNS, written
from engine.readers.guess import dialect_of
from schemas.errors import SourceError
from schemas.prompts import LOGICAL, Dialect, Role

MAX_SIGNS = 100_000
"""Most words, signs and line ends of a file of code. A syntax tree takes up to 1 KB for each."""
_SIGN = re.compile(r"\w+|[^\w\s]|\n")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LOOKED_UP = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\w+\])+", re.ASCII)
_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?z?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?")
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


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
    HANDLEBARS = "handlebars"


_LANGUAGES = {
    Syntax.JINJA: Dialect.JINJA,
    Syntax.MUSTACHE: Dialect.MUSTACHE,
    Syntax.HANDLEBARS: Dialect.HANDLEBARS,
}


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


class Templates(NamedTuple):
    """The messages of a prompt as templates of one dialect."""

    dialect: Dialect
    texts: tuple[str, ...]
    guessed: bool
    """Whether nothing in the files says how variables are written: the cases' inputs tell it."""


def in_one_language(messages: Sequence[tuple[Source, Written]], template: Dialect | None = None) -> Templates:
    """Returns the messages as templates. What code or LangChain fill in means exactly what it means there.

    ``template`` is how the configuration says that variables are written. Raises SourceError at a message's line: code
    that says itself where its holes are beside ``template`` or beside another language, a field that isn't a plain
    name, a character that can't be sent.
    """
    exact = [_exact(source, message) for source, message in messages]
    said = next((place for place, known in zip(messages, exact, strict=True) if known), None)
    if said is None:
        texts = tuple(message.text for _, message in messages)
        return Templates(template or dialect_of("", "\n".join(texts)), texts, guessed=template is None)
    if template:
        what = "template: can't be set: the code itself says where variables are"
        raise said[0].error(what, said[1].lines[0][0], hint="remove template:")
    known = [each or _inferred(message.text) for each, (_, message) in zip(exact, messages, strict=True)]
    return _filled_in(messages, known)


def _filled_in(messages: Sequence[tuple[Source, Written]], known: Sequence[tuple[Dialect, Pieces]]) -> Templates:
    """Returns messages that say where their holes are, as format strings, or in the language with logic of one."""
    languages = {dialect for dialect, _ in known if dialect is not Dialect.FSTRING}
    if not languages:
        return Templates(Dialect.FSTRING, tuple(_as_format(pieces) for _, pieces in known), guessed=False)
    language = min(languages)
    texts = [_beside(*place, language, *said) for place, said in zip(messages, known, strict=True)]
    return Templates(language, tuple(texts), guessed=False)


def _check_characters(source: Source, message: Written) -> None:
    if found := _UNSENDABLE.search(message.text):
        code = f"U+{ord(found[0]):04X}"
        raise source.error(f"the text has the character {code}", message.lines[0][0], hint="remove the escape")


def _exact(source: Source, message: Written) -> tuple[Dialect, Pieces] | None:
    """Returns the dialect that a message says it is in, and its pieces; ``None`` for a text that leaves it open."""
    _check_characters(source, message)
    pieces, syntax = joined(message.pieces), message.syntax
    if syntax in _LANGUAGES:
        return _LANGUAGES[syntax], pieces
    if syntax is Syntax.FORMAT:
        return Dialect.FSTRING, _fields(source, message, strict=True) or ()
    if syntax is Syntax.CODE or any(isinstance(piece, Hole) for piece in pieces):
        return Dialect.FSTRING, pieces
    fields = _fields(source, message, strict=False)
    escaped = "{{" in message.text or "}}" in message.text
    if fields is None or not escaped or GITHUB_VARIABLE.search(message.text):
        return None
    return (Dialect.FSTRING, fields) if any(isinstance(piece, Hole) for piece in fields) else None


def _inferred(text: str) -> tuple[Dialect, Pieces]:
    """Returns the dialect of a text beside one that says its own."""
    if (dialect := dialect_of("", text)) in LOGICAL:
        return dialect, (text,)
    found = Dialect.GITHUB if GITHUB_VARIABLE.search(text) else Dialect.BRACES
    parts = PATTERNS[found].split(text)
    return Dialect.FSTRING, joined(Hole(part) if number % 2 else part for number, part in enumerate(parts))


def _fields(source: Source, message: Written, *, strict: bool) -> Pieces | None:
    """Returns the pieces of a text for ``str.format``, or ``None`` if it isn't one, unless ``strict``.

    Raises SourceError for a field with a format or a look-up, and for any other mistake where it has to be one.
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


def _as_format(pieces: Pieces) -> str:
    return "".join(
        piece.replace("{", "{{").replace("}", "}}") if isinstance(piece, str) else f"{{{piece.name}}}"
        for piece in pieces
    )


def _beside(source: Source, message: Written, language: Dialect, dialect: Dialect, pieces: Pieces) -> str:
    """Returns the message as Jinja, which another message of the prompt needs."""
    literal = [piece for piece in pieces if isinstance(piece, str)]
    if dialect not in (language, Dialect.FSTRING) or (
        dialect is not language and any(sign in piece for piece in literal for sign in ("{{", "{%", "{#"))
    ):
        raise source.error(
            f"this message can't be written in {language}, as another message of the prompt is",
            message.lines[0][0],
            hint="write all of them in the same template language",
        )
    return "".join(piece if isinstance(piece, str) else written(language, piece.name) for piece in pieces)
