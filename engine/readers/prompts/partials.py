"""Shared partials of Jinja and Handlebars: ``{% include "path" %}`` and ``{{> name}}``, from the same tree only.

A path is searched from the root of the tree, then from the prompt's folder. A name of Handlebars is the file
``_name.prompt``, or ``name.hbs`` and its like, in the prompt's folder. Else it is the one ``_name.prompt`` in a folder
around it or in the folder ``partials`` of one: any of them may be the one that dotprompt's store reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from engine.readers import handlebars
from engine.readers.bounded import MAX_BYTES, Source, inside, shown, source_of
from engine.readers.dialects import helpers_of
from engine.readers.prompts.parts import Blobs, check_size
from schemas.prompts import Dialect, PromptFile

MAX_PARTIALS = 100
_FILES = ("_{}.prompt", "{}.prompt", "{}.hbs", "_{}.hbs", "{}.handlebars", "{}.mustache", "{}")
"""Names of files for a partial of Handlebars, in the prompt's folder."""
_STORED = ("_{}.prompt", "partials/_{}.prompt")
"""The same in the folders around it."""
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
        check_size(includer, template, prompt.dialect)
        for name, said in _names(template, prompt.dialect):
            if name is None:
                raise includer.error(
                    f"the included name {shown(said)} is computed", hint="include files by a name in quotes"
                )
            if name in texts:
                continue
            if len(texts) >= MAX_PARTIALS:
                raise includer.error(f"more than {MAX_PARTIALS} partials", hint="include fewer files")
            path, data = _look_up(name, folder, blobs, includer, prompt.dialect)
            partial = source_of(path, data)
            _check(partial, prompt)
            letters += len(partial.text)
            if letters > MAX_BYTES:
                raise includer.error("the partials have more than 1 MiB together", hint="include less")
            source.warnings += partial.warnings
            texts[name] = partial.text
            paths[path] = None
            waiting.append((partial, partial.text))
    return prompt.model_copy(update={"included": texts, "partials": tuple(sorted(paths))})


def _check(partial: Source, prompt: PromptFile) -> None:
    if prompt.dialect is not Dialect.JINJA and (found := handlebars.mistake(partial.text, helpers_of(prompt))):
        raise partial.error(found.what, found.line, hint="fix the tag")


def _names(template: str, dialect: Dialect) -> Iterator[tuple[str | None, str]]:
    """Yields each included name (``None`` where it is computed), and what is written."""
    if dialect is Dialect.JINJA:
        yield from ((_name(found), " ".join(found["rest"].split())) for found in _INCLUDE.finditer(template))
    else:
        yield from ((name or None, name) for name, _ in handlebars.partials(template))


def _paths(name: str, folder: PurePosixPath, dialect: Dialect) -> Iterator[str | None]:
    """Yields where a partial may lie; ``None`` for a place outside of the tree."""
    if dialect is Dialect.JINJA:
        yield from (_inside(start, name) for start in (PurePosixPath(), folder))
    else:
        yield from (_inside(folder, _in_its_folder(pattern, name)) for pattern in _FILES)
        for around in (folder, *folder.parents):
            yield from (_inside(around, _in_its_folder(pattern, name)) for pattern in _STORED)


def _in_its_folder(pattern: str, name: str) -> str:
    """Returns the path of the file ``pattern`` for a name with folders: ``tones/_kind.prompt`` for ``tones/kind``."""
    above, slash, last = name.rpartition("/")
    return f"{above}{slash}{pattern.format(last)}"


def watched_partials(prompt: str, template: str) -> frozenset[str]:
    """Returns every path that an include in the text may read, whether or not it exists.

    If a name is computed, returns the prompt's folder and the folders in quoted texts, each with ``/`` at its end.
    ``prompt`` is the path of the including prompt. Never raises, since it also serves templates that can't be read.
    """
    folder = PurePosixPath(prompt).parent
    names = [_name(found) for found in _INCLUDE.finditer(template)]
    paths = {path for name in names if name is not None for path in _paths(name, folder, Dialect.JINJA)}
    paths |= {path for name, _ in handlebars.partials(template) for path in _paths(name, folder, Dialect.HANDLEBARS)}
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


def _look_up(name: str, folder: PurePosixPath, blobs: Blobs, includer: Source, dialect: Dialect) -> tuple[str, bytes]:
    paths = list(_paths(name, folder, dialect))
    found = [path for path in dict.fromkeys(paths) if path is not None and path in blobs]
    near = dialect is Dialect.JINJA or not found or found[0] in paths[: len(_FILES)]
    if len(found) > 1 and not near:
        listed = ", ".join(shown(path) for path in found[:3])
        raise includer.error(f"the partial {shown(name)} may be any of {listed}", hint="rename one of them")
    if found and (data := blobs.get(found[0])) is not None:
        return found[0], data
    outside = all(path is None for path in paths)
    raise includer.error(
        f"the partial {shown(name)} {'is outside the repository' if outside else 'does not exist'}",
        hint="include a file of this repository, by its path from the root or from the prompt's folder"
        if dialect is Dialect.JINJA
        else f"write it as {' or '.join(filter(None, (paths[0], paths[2])))}",
    )


def _inside(start: PurePosixPath, name: str) -> str | None:
    return None if "\\" in name or not name else inside(str(start), name)
