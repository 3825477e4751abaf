"""Edits a prompt where it is committed: texts of messages, the model, parameters.

Every format is edited in the same way. The places that may be meant are tried, and the edited file is read again: it
must say exactly what is wanted, and everything else as before. So a format needs no writer, and a wrong edit can't
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from pydantic import JsonValue

from engine.prompt_edits import NotEditableError
from engine.prompt_edits.overlay import Overlay
from engine.prompt_edits.places import ALIASES, model_places, parameter_places, text_places
from engine.readers.bounded import shown
from engine.readers.dialects import names_in
from engine.readers.guess import without_question
from engine.readers.prompts.references import CODE_SUFFIXES, read_reference
from engine.test_edits import NoEditError
from engine.test_edits.verified import rewritten
from schemas.errors import PromptVerdictError
from schemas.prompts import Dialect, PromptFile
from schemas.references import Reference

MOST_TRIES = 60
"""Candidates of one edit that are read."""
LONGEST = 100_000
"""Characters of an edited text."""


class Editing:
    """One prompt of one tree, and the files that an edit of it would write."""

    def __init__(self, reference: Reference, files: Mapping[str, bytes], template: Dialect | None = None) -> None:
        """Reads the prompt. Raises SourceError."""
        self._reference, self._files, self._template = reference, files, template
        self._changed: dict[str, bytes] = {}
        overlay = Overlay(files, {})
        self.prompt = without_question(read_reference(reference, overlay, template))
        self.paths = tuple(overlay.asked)
        """The files that reading the prompt asked for and found."""

    @property
    def changed(self) -> Mapping[str, bytes]:
        """The whole contents of the files that are edited so far, by path."""
        return self._changed

    def set_text(self, index: int, text: str) -> None:
        """Replaces the text of one message. Raises NotEditableError."""
        old = self.prompt.messages[index].content
        new = like(old, text)
        if new == old:
            return
        if not new.strip() or len(new) > LONGEST:
            raise NotEditableError(f"message {index + 1} must have between 1 and {LONGEST:,} characters")
        message = self.prompt.messages[index].model_copy(update={"content": new})
        messages = (*self.prompt.messages[:index], message, *self.prompt.messages[index + 1 :])
        wanted = self.prompt.model_copy(update={"messages": messages})
        self._take(wanted, lambda path, held: text_places(path, held, old, new), f"message {index + 1}", one=True)

    def set_model(self, model: str) -> None:
        """Replaces the model that the file names. Raises NotEditableError."""
        old = self.prompt.model
        if old is None:
            raise NotEditableError("the file names no model")
        wanted = self.prompt.model_copy(update={"model": model})
        self._take(wanted, lambda path, held: model_places(path, held, old, model), "the model", one=False)

    def set_parameter(self, name: str, value: float | None) -> None:
        """Sets or removes a parameter of the file. Raises NotEditableError."""
        if name not in ALIASES:
            raise NotEditableError(f"{shown(name)} can't be edited here")
        old: JsonValue = getattr(self.prompt.parameters, name)
        if old == value:
            return
        try:
            parameters = type(self.prompt.parameters).model_validate(
                self.prompt.parameters.model_dump(exclude_unset=True, exclude={name})
                | ({} if value is None else {name: value})
            )
        except ValueError:
            raise NotEditableError(f"{name} can't be {value}") from None
        wanted = self.prompt.model_copy(update={"parameters": parameters})

        def places(path: str, text: str) -> Iterator[tuple[str, ...]]:
            return ((each,) for each in parameter_places(path, text, name, value, known=old is not None))

        self._take(wanted, places, name, one=False)

    def _take(
        self, wanted: PromptFile, places: Callable[[str, str], Iterable[tuple[str, ...]]], what: str, *, one: bool
    ) -> None:
        """Keeps the first candidate that reads as ``wanted``. ``one``: there must be only one such place."""
        found: list[tuple[str, bytes]] = []
        left = MOST_TRIES
        for path in self.paths:
            for spellings in _bytes_of(self._content(path), path, places):
                read = (each for each in islice(spellings, left) if self._reads(path, each, wanted))
                left -= len(spellings)
                if (right := next(read, None)) is not None and (path, right) not in found:
                    found.append((path, right))
                if left <= 0 or (found and not one):
                    break
        if not found:
            raise NotEditableError(f"{what} can't be edited safely in {shown(self.prompt.path, 200)}")
        if len(found) > 1:
            raise NotEditableError(f"{what} occurs in several places of {shown(self.prompt.path, 200)}")
        self._changed[found[0][0]] = found[0][1]
        self.prompt = self._read(self._changed)

    def _content(self, path: str) -> bytes:
        return self._changed.get(path, self._files.get(path, b""))

    def _read(self, changed: Mapping[str, bytes]) -> PromptFile:
        overlay = Overlay(self._files, changed)
        return without_question(read_reference(self._reference, overlay, self._template))

    def _reads(self, path: str, content: bytes, wanted: PromptFile) -> bool:
        try:
            read = self._read({**self._changed, path: content})
        except PromptVerdictError:
            return False
        if path.endswith(CODE_SUFFIXES) and _names(read) - _names(self.prompt):
            return False  # a new variable would be code that fills it in
        return _content(read) == _content(wanted)


def like(old: str, new: str) -> str:
    """Returns the new text with the line breaks around it that the old one has."""
    start, end = len(old) - len(old.lstrip("\n")), len(old) - len(old.rstrip("\n"))
    inner = new.replace("\r\n", "\n").strip("\n")
    return "\n" * start + (inner.strip() if old.strip() == old.strip("\n") else inner) + "\n" * end


def _bytes_of(
    data: bytes, path: str, places: Callable[[str, str], Iterable[tuple[str, ...]]]
) -> Iterator[tuple[bytes, ...]]:
    """Yields the candidates as the file is written: with its byte order mark and its line ends."""
    found: list[tuple[str, ...]] = []

    def look(text: str) -> str:
        found.extend(islice(places(path, text), MOST_TRIES))
        return text

    try:
        rewritten(data, look)
    except (UnicodeDecodeError, NoEditError):
        return
    for spellings in found:
        yield tuple(rewritten(data, lambda _, each=each: each) for each in spellings)  # type: ignore[misc]


def _content(prompt: PromptFile) -> dict[str, object]:
    """Returns everything that the file says, without places in it and what follows from its own text."""
    return prompt.model_dump(exclude={"origins", "warnings", "dialect", "guessed", "asks"})


def _names(prompt: PromptFile) -> set[str]:
    return {name for message in prompt.messages for name in names_in(message.content, prompt.dialect)}
