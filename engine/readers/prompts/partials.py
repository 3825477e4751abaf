"""Shared partials of Jinja prompts: ``{% include "path" %}``, only from the same tree.

A name is searched from the root of the tree, then from the prompt's folder.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from engine.readers.bounded import MAX_BYTES, Source, inside, shown, source_of
from engine.readers.prompts.parts import Blobs
from schemas.prompts import PromptFile

MAX_PARTIALS = 100
_INCLUDE = re.compile(
    r"\{%[-+]?\s*(?:include|import|from|extends)\b(?P<rest>(?:[^%]|%(?!\}))*?)[-+]?(?:%\}|\Z|(?=\{%))"
)
_NAME = re.compile(r"""\s*(?:"([^"\\\n]*)"|'([^'\\\n]*)')""")
_FOLDER = re.compile(r"""["']([^"'\n]+)/""")
_PLAIN_REST = re.compile(r"\s*(?:ignore\s+missing\b)?\s*(?:with(?:out)?\s+context\b)?\s*|\s+(?:as|import)\s[^\"'%]*")
"""Text that may follow a name in quotes. With other text, the name is computed."""


def included(prompt: PromptFile, source: Source, blobs: Blobs) -> PromptFile:
    """Returns ``prompt`` with the partials that it includes, directly or through others.

    Raises SourceError for a partial that doesn't exist, that is outside the tree, or whose name is computed.
    """
    texts: dict[str, str] = {}
    paths: dict[str, None] = {}
    folder = PurePosixPath(prompt.path).parent
    letters = 0
    waiting = [(source, message.content) for message in prompt.messages]
    while waiting:
        includer, template = waiting.pop()
        for found in _INCLUDE.finditer(template):
            name = _name(found)
            if name is None:
                raise includer.error(
                    f"the included name {shown(' '.join(found['rest'].split()))} is computed",
                    hint="include files by a name in quotes",
                )
            if name in texts:
                continue
            if len(texts) >= MAX_PARTIALS:
                raise includer.error(f"more than {MAX_PARTIALS} partials", hint="include fewer files")
            path, data = _look_up(name, folder, blobs, includer)
            partial = source_of(path, data)
            letters += len(partial.text)
            if letters > MAX_BYTES:
                raise includer.error("the partials have more than 1 MiB together", hint="include less")
            source.warnings += partial.warnings
            texts[name] = partial.text
            paths[path] = None
            waiting.append((partial, partial.text))
    return prompt.model_copy(update={"included": texts, "partials": tuple(sorted(paths))})


def watched_partials(prompt: str, template: str) -> frozenset[str]:
    """Returns every path that an include in the text may read, whether or not it exists.

    If a name is computed, returns the prompt's folder and the folders in quoted texts, each with ``/`` at its end.
    ``prompt`` is the path of the including prompt. Never raises, since it also serves templates that can't be read.
    """
    folder = PurePosixPath(prompt).parent
    names = [_name(found) for found in _INCLUDE.finditer(template)]
    paths = {_inside(start, name) for name in names if name is not None for start in (PurePosixPath(), folder)}
    if None not in names:
        return frozenset(path for path in paths if path)
    written = {_inside(start, name) for name in _FOLDER.findall(template) for start in (PurePosixPath(), folder)}
    own = prompt.rpartition("/")[0]
    return frozenset(path for path in paths if path) | {f"{path}/" for path in (own, *filter(None, written))}


def _name(include: re.Match[str]) -> str | None:
    """Returns the name in an include, or ``None`` if it is computed."""
    quoted = _NAME.match(include["rest"])
    if quoted is None or not _PLAIN_REST.fullmatch(include["rest"], quoted.end()):
        return None
    return quoted[1] if quoted[1] is not None else quoted[2]


def _look_up(name: str, folder: PurePosixPath, blobs: Blobs, includer: Source) -> tuple[str, bytes]:
    for start in (PurePosixPath(), folder):
        path = _inside(start, name)
        if path is not None and (data := blobs.get(path)) is not None:
            return path, data
    outside = all(_inside(start, name) is None for start in (PurePosixPath(), folder))
    raise includer.error(
        f"the partial {shown(name)} {'is outside the repository' if outside else 'does not exist'}",
        hint="include a file of this repository, by its path from the root or from the prompt's folder",
    )


def _inside(start: PurePosixPath, name: str) -> str | None:
    return None if "\\" in name or not name else inside(str(start), name)
