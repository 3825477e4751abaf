"""Reads a folder with ``system.*`` and ``user.*``: two plain files that form one prompt."""

from __future__ import annotations

from pathlib import PurePosixPath

from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, prompt_source
from engine.readers.prompts.plain import SUFFIXES, dialect_of, plain_message, settings
from schemas.prompts import Dialect, PromptFile, Role


class PairReader:
    """Reads pairs. The path of the folder, or of either file, names the pair."""

    name = "pair"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Returns whether both files exist."""
        return _pair(path, blobs) is not None

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError.

        Either file may have a front matter; the same key in both is an error.
        """
        pair = _pair(path, blobs)
        assert pair is not None
        folder, *files = pair
        messages = []
        found: dict[str, object] = {}
        sources = []
        dialect = Dialect.GITHUB
        for file, role in zip(files, (Role.SYSTEM, Role.USER), strict=True):
            source = prompt_source(file, blobs)
            message, fields = plain_message(source, role)
            said = settings(fields)
            if twice := sorted(found.keys() & said.keys()):
                raise source.error(
                    f"both files of the pair have {twice[0]} in their front matter", 1, hint="keep it in one of them"
                )
            found |= said
            messages.append(message)
            sources.append(source)
            if dialect_of(file, message.content) is Dialect.JINJA:
                dialect = Dialect.JINJA
        if messages[0].role is messages[1].role:
            raise sources[1].error("both files of the pair have the same role", 1, hint="remove role: from one of them")
        prompt = PromptFile(path=folder, format=self.name, dialect=dialect, messages=tuple(messages), **found)
        if dialect is Dialect.JINJA:
            at_the_files = included(prompt.model_copy(update={"path": files[0]}), sources[0], blobs)
            prompt = at_the_files.model_copy(update={"path": folder})
        warnings = [warning for source in sources for warning in source.warnings]
        unread = {f"{what} ({source.path})": value for source in sources for what, value in source.unread.items()}
        return prompt.model_copy(update={"unread": unread, "warnings": tuple(warnings)})


def _pair(path: str, blobs: Blobs) -> tuple[str, str, str] | None:
    """Returns the folder and its two files."""
    at = PurePosixPath(path)
    folder = at.parent if at.name.endswith(SUFFIXES) and at.name.split(".")[0] in ("system", "user") else at
    files = []
    for stem in ("system", "user"):
        there = [file for suffix in SUFFIXES if (file := str(folder / f"{stem}{suffix}")) in blobs]
        if len(there) != 1:
            return None
        files.append(there[0])
    return str(folder), files[0], files[1]
