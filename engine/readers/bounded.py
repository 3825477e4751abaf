"""Decodes one file as text, within bounds. Every reader starts here.

Any problem with a file becomes one ``ConfigError`` or ``SourceError`` that says what, where (``path:line:column``) and
how to fix it. Files of a pull request are data: nothing here trusts their size, encoding or content.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from schemas.errors import ConfigError, SourceError
from schemas.prompts import Finding

MAX_BYTES = 1024 * 1024
"""Prompts, configurations, rubrics, and test sets written as YAML."""
MAX_TEST_SET_BYTES = 16 * 1024 * 1024
"""Largest test set as JSONL or CSV, which are read line by line. 5,000 cases of 2 KiB are a normal test set."""
MAX_DEPTH = 40
"""Deepest nesting of sequences and mappings."""
MAX_NODES = 50_000
"""Most values and keys in one document, with YAML aliases counted at each use."""
MAX_FILLED = 64 * 1024 * 1024
"""Most characters of what is made of one file by repetition."""
MAX_WARNINGS = 50
"""Most warnings about one file."""
MAX_INTEGER_DIGITS = 18
"""Most digits of a number. Longer ones are identifiers: they would lose digits and belong in quotes."""

_LFS = b"version https://git-lfs.github.com/spec/v1"
_LINK = re.compile(r"(?:\.{1,2}/|/)*(?:[\w.-]+/)*[\w-]+\.(?:md|txt|ya?ml|json|jsonl|csv|j2|jinja2?)")
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MIB = 1024 * 1024


class Source:
    """The text of one file, its path, and warnings about it.

    ``failure`` is the kind of error that mistakes in this file raise. ``first_line`` is the number of its first line
    (more than 1 for the body below a front matter).
    """

    def __init__(
        self,
        path: str,
        text: str,
        *,
        failure: type[ConfigError] | type[SourceError] = SourceError,
        first_line: int = 1,
    ) -> None:
        self.path = path
        self.text = text
        self.failure = failure
        self.first_line = first_line
        self.warnings: list[Finding] = []
        self.unread: dict[str, JsonValue] = {}
        """Values that the format's reader ignores, by their place: ``tools of the prompt file``."""
        self.filled = 0
        """Characters of what was made of it by repetition."""

    def where(self, line: int | None = None, column: int | None = None) -> str:
        """Returns ``path``, ``path:line`` or ``path:line:column``. Lines and columns count from 1."""
        place = shown(self.path, 4096)
        if line is not None:
            place += f":{line}"
            if column is not None:
                place += f":{column}"
        return place

    def error(
        self, what: str, line: int | None = None, column: int | None = None, *, hint: str | None = None
    ) -> ConfigError | SourceError:
        """Returns the exception to raise for a mistake at this place."""
        return self.failure(what, where=self.where(line, column), hint=hint)

    def charge(self, characters: int) -> None:
        """Counts what is made of the file by repetition: defaults of each case, texts that are filled in.

        Raises ``failure`` if it is too much together.
        """
        self.filled += characters
        if self.filled > MAX_FILLED:
            raise self.error(
                f"its cases are over {MAX_FILLED // _MIB} MiB large together", hint="use fewer or shorter ones"
            )

    @property
    def has_said_enough(self) -> bool:
        """Whether the limit of warnings is reached."""
        return len(self.warnings) >= MAX_WARNINGS

    def warn(self, what: str, line: int | None = None, *, hint: str | None = None) -> None:
        """Adds a warning. The last possible one says that there are more."""
        if len(self.warnings) == MAX_WARNINGS - 1:
            what, hint = "there are more warnings", "fix these first"
        if not self.has_said_enough:
            self.warnings.append(Finding(what=what, where=self.where(line), hint=hint))


def within_limit(warnings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Returns the warnings, or of too many the first ones and how many there are besides."""
    if len(warnings) <= MAX_WARNINGS:
        return tuple(warnings)
    more = Finding(what=f"there are {len(warnings) - MAX_WARNINGS + 1} more warnings", hint="fix these first")
    return (*warnings[: MAX_WARNINGS - 1], more)


def source_of(
    path: str,
    data: bytes,
    *,
    failure: type[ConfigError] | type[SourceError] = SourceError,
    limit: int = MAX_BYTES,
) -> Source:
    """Decodes one blob: UTF-8 with or without a BOM (which is reported). CRLF becomes LF.

    Raises ``failure`` for files over ``limit`` bytes, Git LFS pointers, symbolic links, binary files and other
    encodings.
    """
    source = Source(path, "", failure=failure)
    if len(data) > limit:
        raise source.error(
            f"the file is {len(data) / _MIB:.1f} MiB large, and at most {limit / _MIB:g} MiB are read",
            hint="split it or shorten it",
        )
    if data.startswith(_LFS):
        raise source.error(
            "this is a Git LFS pointer, not the file itself",
            hint="commit the file without LFS: `git lfs untrack` it and add it again",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise source.error("the file is UTF-16", hint="save it as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if b"\x00" in data:
            raise source.error("the file is binary, not text", hint="commit UTF-8 text") from None
        line, column = _position(data[: error.start].decode("utf-8", "replace"))
        raise source.error("invalid UTF-8", line, column, hint="save the file as UTF-8") from None
    if text.startswith("\ufeff"):
        text = text[1:]
        source.warn("the file starts with a byte order mark", 1, hint="save it as UTF-8 without BOM")
    if control := _NOT_TEXT.search(text):
        line, column = _position(text[: control.start()])
        raise source.error(
            f"control character U+{ord(control[0]):04X}: the file is binary or damaged",
            line,
            column,
            hint="commit UTF-8 text",
        )
    if len(text) <= 1024 and _LINK.fullmatch(text):
        raise source.error(
            f"this is a symbolic link to {shown(text)}, not the file itself",
            hint="commit the file; links are not followed",
        )
    source.text = text.replace("\r\n", "\n")
    return source


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def inside(folder: str, path: str) -> str | None:
    """Returns ``path`` from ``folder`` without its dots; ``None`` where it leads out of the repository."""
    if path.startswith("/"):
        return None
    steps: list[str] = []
    for step in (*folder.split("/"), *path.split("/")):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def shown(text: str, limit: int = 60) -> str:
    """Returns untrusted text for one line of a message: unprintable characters replaced, clipped to ``limit``
    characters."""
    clipped = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in clipped)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that ``name`` probably misspells, if any. Case and ``-``/``_`` are ignored."""
    if len(name) > 64:
        return None
    plain = {_plain(candidate): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the fix for an unknown name: the nearest known one, or else all of them."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean {shown(near)}?"
    return f"known: {', '.join(map(shown, names[:20]))}" + (", …" if len(names) > 20 else "") if names else "remove it"
