"""Reads a folder with ``system.*`` and ``user.*``: two plain files that form one prompt.

Either may be empty or missing. Without a user part, the case's ``input`` is the user's message.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from engine.readers import guess
from engine.readers.bounded import Source
from engine.readers.dialects import variables_of
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, OpenReader, check_template, prompt_source
from engine.readers.prompts.plain import SUFFIXES, plain_message, settings, template_prompt
from schemas.prompts import LOGICAL, Dialect, Message, PromptFile, Role


class PairReader(OpenReader):
    """Reads pairs. The path of the folder, or of either file, names the pair. A file alone is a plain file."""

    name = "pair"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Returns whether both files exist, or ``path`` is a folder with one of them."""
        pair = _pair(path, blobs)
        return pair is not None and (len(pair[1]) == 2 or pair[0] == path)

    def read_as(self, path: str, blobs: Blobs, template: Dialect | None) -> PromptFile:
        """Reads the prompt. Raises SourceError.

        Either file may have a front matter; the same key in both is an error.
        """
        pair = _pair(path, blobs)
        assert pair is not None
        folder, files = pair
        read: list[tuple[Source, Message]] = []
        found: dict[str, object] = {}
        sources: list[Source] = []
        for file, role in files:
            source = prompt_source(file, blobs)
            sources.append(source)
            if not source.text.strip():
                continue
            message, fields = plain_message(source, role)
            said = settings(fields)
            if twice := sorted(found.keys() & said.keys()):
                raise source.error(
                    f"both files of the pair have {twice[0]} in their front matter", 1, hint="keep it in one of them"
                )
            found |= said
            if read and read[0][1].role is message.role:
                raise source.error("both files of the pair have the same role", 1, hint="remove role: from one of them")
            read.append((source, message))
        if not read:
            raise sources[0].error("the prompt is empty", 1, hint="write the instructions for the model")
        prompt = _prompt(read, folder, found, template)
        if prompt.dialect in LOGICAL:
            source = read[0][0]
            at_the_files = included(prompt.model_copy(update={"path": source.path}), source, blobs)
            prompt = at_the_files.model_copy(update={"path": folder})
        if guess.only_instructs(prompt) and guess.INPUT not in variables_of(prompt):
            prompt = guess.with_question(prompt)
        warnings = [warning for source in sources for warning in source.warnings]
        unread = {f"{what} ({source.path})": value for source in sources for what, value in source.unread.items()}
        return prompt.model_copy(update={"unread": unread, "warnings": tuple(warnings)})


def _prompt(
    read: list[tuple[Source, Message]], folder: str, about: dict[str, object], template: Dialect | None
) -> PromptFile:
    """Returns the two texts in the language that either of them needs."""
    each = [
        template_prompt(source, folder, PairReader.name, (message,), template=template, about=about)
        for source, message in read
    ]
    spoken = next((prompt for prompt in each if prompt.dialect is not Dialect.GITHUB), each[0])
    for source, message in read:
        check_template(source, spoken.model_copy(update={"messages": (message,)}))
    return spoken.model_copy(update={"messages": tuple(message for _, message in read)})


def _pair(path: str, blobs: Blobs) -> tuple[str, list[tuple[str, Role]]] | None:
    """Returns the folder, and its files with the role of each; ``None`` where there are none, or several of a role."""
    at = PurePosixPath(path)
    folder = at.parent if at.name.endswith(SUFFIXES) and at.name.split(".")[0] in ("system", "user") else at
    files = []
    for role in (Role.SYSTEM, Role.USER):
        there = [file for suffix in SUFFIXES if (file := str(folder / f"{role}{suffix}")) in blobs]
        if len(there) > 1:
            return None
        files += [(file, role) for file in there]
    return (str(folder), files) if files else None
