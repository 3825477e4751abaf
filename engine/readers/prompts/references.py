"""Reads prompts by reference: constants of code, keys of YAML, JSON and TOML, and parts in different places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from engine.readers.bounded import Source, shown
from engine.readers.code.pieces import Hole, MissingConstantError, Syntax, Written, in_one_language
from engine.readers.code.python_code import python_members, read_python
from engine.readers.code.typescript_code import SCRIPT_SUFFIXES, read_typescript, typescript_members
from engine.readers.dialects import variables_of
from engine.readers.guess import INPUT, only_instructs, with_question
from engine.readers.guess import SUFFIXES as LANGUAGES
from engine.readers.prompts.keys import KEYED_SUFFIXES, read_key
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, check_template, prompt_source
from engine.readers.prompts.plain import SUFFIXES, plain_message, settings
from engine.readers.prompts.registry import read_prompt
from schemas.errors import SourceError
from schemas.prompts import LOGICAL, Dialect, Message, Origin, PromptFile, Role
from schemas.references import Place, Reference

PYTHON_SUFFIXES = (".py", ".pyi")
CODE_SUFFIXES = (*PYTHON_SUFFIXES, *SCRIPT_SUFFIXES)
_READERS: Mapping[tuple[str, ...], Callable[[Source, str], tuple[Written, ...]]] = {
    PYTHON_SUFFIXES: read_python,
    SCRIPT_SUFFIXES: read_typescript,
    KEYED_SUFFIXES: read_key,
}
_SYSTEM = re.compile(r"(?:^|[^a-z])system(?:[^a-z]|$)")


def package_instead_of(path: str) -> str | None:
    """Returns the file of the package that Python imports in place of a file of the same name, if there is one."""
    return f"{path.removesuffix('.py')}/__init__.py" if path.endswith(".py") else None


class _Read(NamedTuple):
    """The content of one place."""

    place: Place
    source: Source
    messages: tuple[Written, ...]
    settings: Mapping[str, object]


def members(path: str, blobs: Blobs, name: str) -> tuple[str, ...]:
    """Returns what a dict or a class of a file of code holds, each as it is named after ``#``. Never raises."""
    data = blobs.get(path)
    if data is None or not path.endswith(CODE_SUFFIXES):
        return ()
    try:
        source = prompt_source(path, blobs)
        return (python_members if path.endswith(PYTHON_SUFFIXES) else typescript_members)(source, name)
    except SourceError:
        return ()


def read_reference(reference: Reference, blobs: Blobs, template: Dialect | None = None) -> PromptFile:
    """Returns the prompt at ``reference``.

    Raises MissingConstantError where every file that is named can be read, and none of them has what is named.
    Raises SourceError for whatever can't be read, at its line.
    """
    if reference.file is not None:
        return read_prompt(reference.file, blobs, template)
    found, missing = [], []
    for place in reference.places:
        try:
            found.append(_read(place, blobs))
        except MissingConstantError as error:
            missing.append(error)
    if missing and not found:
        raise missing[0]
    if missing:
        raise SourceError(missing[0].what, where=missing[0].where, hint=missing[0].hint)
    return _prompt(reference, found, blobs, template)


def _read(place: Place, blobs: Blobs) -> _Read:
    data = blobs.get(place.path)
    if data is None:
        raise MissingConstantError("there is no such file", where=shown(place.path, 4096), hint="check the path")
    source = prompt_source(place.path, blobs)
    if (package := package_instead_of(place.path)) and package in blobs:
        what = f"{shown(package, 4096)} is imported in place of this file"
        raise source.error(what, hint="name the prompt in that file, or rename one of them")
    if place.key is None:
        return _whole_file(place, source)
    for suffixes, read in _READERS.items():
        if place.path.endswith(suffixes):
            messages = read(source, place.key)
            if place.role and any(message.role for message in messages):
                what = f"{shown(place.key)} is a list of messages, and here a text is needed"
                raise source.error(what, messages[0].lines[0][0], hint="name the list alone: prompt: file#name")
            return _Read(place, source, messages, {})
    known = ", ".join((*CODE_SUFFIXES, *KEYED_SUFFIXES))
    raise source.error("no name after # is looked up in files of this kind", hint=f"known: {known}")


def _whole_file(place: Place, source: Source) -> _Read:
    """Reads a text file that is one part of a prompt."""
    if place.path.endswith((*CODE_SUFFIXES, *KEYED_SUFFIXES)):
        raise source.error("which part of this file is meant isn't said", hint=f"name it: {shown(place.path)}#NAME")
    if not place.path.endswith(SUFFIXES):
        raise source.error("this is not a text file", hint=f"known: {', '.join(SUFFIXES)}")
    if not source.text.strip():
        return _Read(place, source, (), {})
    message, fields = plain_message(source, place.role or Role.USER)
    language = next((dialect for suffix, dialect in LANGUAGES.items() if place.path.endswith(suffix)), None)
    syntax = Syntax(language.value) if language else Syntax.TEXT
    last = source.text.count("\n") + 1
    return _Read(place, source, (Written((message.content,), ((1, last),), syntax),), settings(fields))


def _prompt(reference: Reference, found: Sequence[_Read], blobs: Blobs, template: Dialect | None) -> PromptFile:
    written = [(read, message) for read in found for message in read.messages]
    if not any(message.text.strip() or _holes(message) for _, message in written):
        raise found[0].source.error("the prompt is empty", 1, hint="write the instructions for the model")
    dialect, texts, guessed = in_one_language([(read.source, message) for read, message in written], template)
    roles = [message.role or read.place.role for read, message in written]
    said = [Message(role=role or Role.USER, content=text) for role, text in zip(roles, texts, strict=True)]
    prompt = PromptFile.model_validate(
        {
            "path": str(reference),
            "format": "reference",
            "dialect": dialect,
            "guessed": guessed,
            "messages": said,
            "origins": [_origin(read.place, message) for read, message in written],
            **_settings(found),
        }
    )
    for message, (read, where) in zip(prompt.messages, written, strict=True):
        check_template(read.source, prompt.model_copy(update={"messages": (message,)}), where.lines[0][0])
    if dialect in LOGICAL:
        first = found[0].source
        at_the_file = included(prompt.model_copy(update={"path": first.path}), first, blobs)
        prompt = at_the_file.model_copy(update={"path": prompt.path})
    return _with_roles(prompt, roles, reference).model_copy(update=_left_over(found))


def _settings(found: Sequence[_Read]) -> dict[str, object]:
    """Returns what the parts say beside their texts. Raises SourceError where two say the same."""
    about: dict[str, object] = {}
    for read in found:
        if twice := sorted(about.keys() & read.settings.keys()):
            raise read.source.error(f"both parts say {twice[0]}", 1, hint="keep it in one of them")
        about |= read.settings
    return about


def _left_over(found: Sequence[_Read]) -> dict[str, object]:
    """Returns what of the files was not read, and what is to be said about them."""
    return {
        "unread": {f"{what} ({read.source.path})": it for read in found for what, it in read.source.unread.items()},
        "warnings": tuple(dict.fromkeys(warning for read in found for warning in read.source.warnings)),
    }


def _origin(place: Place, message: Written) -> Origin:
    return Origin(path=place.path, key=place.key or "", lines=message.lines)


def _holes(message: Written) -> bool:
    return any(isinstance(piece, Hole) for piece in message.pieces)


def _with_roles(prompt: PromptFile, roles: Sequence[Role | None], reference: Reference) -> PromptFile:
    """Returns the prompt with a role for each text without one, and with a user's message.

    A text is the system's if its name says so, or if it takes no inputs. The case's input is then the user's message.
    Where the files leave it open how variables are written, the cases' inputs tell whether it takes any.
    """
    variables = variables_of(prompt)
    if roles == [None] and (_names_system(reference.places[0]) or not (variables or prompt.guessed)):
        instruction = prompt.messages[0].model_copy(update={"role": Role.SYSTEM})
        prompt = prompt.model_copy(update={"messages": (instruction,)})
    return with_question(prompt) if only_instructs(prompt) and INPUT not in variables else prompt


def _names_system(place: Place) -> bool:
    last = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", (place.key or "").rpartition(".")[2])
    return bool(_SYSTEM.search(last.lower()))
