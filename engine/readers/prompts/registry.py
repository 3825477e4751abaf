"""Chooses the reader of a file."""

from __future__ import annotations

import re
from typing import Protocol

from engine.readers.bounded import shown
from engine.readers.prompts.baml import BamlReader
from engine.readers.prompts.chat import ChatReader
from engine.readers.prompts.dotprompt import DotpromptReader
from engine.readers.prompts.github import GitHubReader
from engine.readers.prompts.kernel import KernelReader
from engine.readers.prompts.langchain import LangChainReader
from engine.readers.prompts.pair import PairReader
from engine.readers.prompts.parts import Blobs, OpenReader
from engine.readers.prompts.plain import PlainReader
from engine.readers.prompts.promptflow import PromptflowReader
from engine.readers.prompts.prompty import PromptyReader
from engine.readers.prompts.studio import StudioReader
from schemas.errors import SourceError
from schemas.prompts import Dialect, PromptFile


class PromptReader(Protocol):
    """A prompt format. To add one, write such an object and add it to ``READERS``."""

    @property
    def name(self) -> str:
        """The format's name, as in ``PromptFile.format``."""
        ...

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Returns whether the file at ``path`` has this format. Never raises: a broken file is recognized by its
        name."""
        ...

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        ...


READERS: tuple[PromptReader, ...] = (
    PromptyReader(),
    DotpromptReader(),
    PromptflowReader(),
    KernelReader(),
    BamlReader(),
    LangChainReader(),
    GitHubReader(),
    PairReader(),
    StudioReader(),
    ChatReader(),
    PlainReader(),
)
"""The readers, in the order in which they are asked."""

_BY_NAME = re.compile(
    r"\.prompt\.(?:ya?ml|md|txt|j2|jinja2?|json)$|\.prompty?$|[_-]prompt\.ya?ml$|(?:^|/)(?:skprompt\.txt|system\.md)$"
)
_IN_FOLDER = re.compile(
    r"(?:^|/)(?:[\w-]*[_-])?prompts?/(?:.*/)?[^/]+\.(?:ya?ml|md|txt|j2|jinja2?|json)$", re.IGNORECASE
)
_NEVER = re.compile(
    r"(?:^|/)(?:readme|changelog|contributing|license)\b|(?:^|/)(?:node_modules|vendor|\.(?!github/)[^/]+)/",
    re.IGNORECASE,
)
_AN_EDITORS = re.compile(r"(?:^|/)\.github/(?!.*\.prompt\.ya?ml$)")
"""The folder in which editors keep prompts of their own. Only GitHub's format is ours there."""


def read_prompt(path: str, blobs: Blobs, template: Dialect | None = None) -> PromptFile:
    """Returns the prompt at ``path`` (a file, or the folder of a ``system`` + ``user`` pair).

    ``blobs`` holds the contents of the tree by path, including partials; it may be lazy. ``template`` is the language
    of a prompt whose format leaves it open. Raises SourceError if the file doesn't exist, has no known format or has a
    mistake, at its line.
    """
    for reader in READERS:
        if reader.recognizes(path, blobs):
            if template is None:
                return reader.read(path, blobs)
            if isinstance(reader, OpenReader):
                return reader.read_as(path, blobs, template)
            raise SourceError(
                f"template: can't be set for the format {reader.name}, which says itself how variables are written",
                where=shown(path, 4096),
                hint="remove template:",
            )
    known = path in blobs
    raise SourceError(
        "this prompt format is not supported" if known else "this prompt doesn't exist",
        where=shown(path, 4096),
        hint="known: .prompt.yml, .prompty, .prompt, YAML or JSON with messages, .md, .txt, .j2, .hbs, skprompt.txt, "
        "a folder with system.md and user.md"
        if known
        else "check the path; it is relative to the configuration's folder",
    )


def is_prompt_path(path: str) -> bool:
    """Returns whether the name alone marks a prompt: ``*.prompt.yml`` and similar, or a suitable file in a folder named
    ``prompt`` or ``prompts``. Lineages may name any other file."""
    if _NEVER.search(path) or _AN_EDITORS.search(path):
        return False
    return bool(_BY_NAME.search(path) or _IN_FOLDER.search(path))


_WORD = r"(?:[^/]*[_.-])?(?:sk)?prompts?(?:[_.-][^/]*)?"
_TEXT_OR_CODE = (
    r"(?:ya?ml|mdx?|txt|j2|jinja2?|json|toml|xml|hbs|handlebars|mustache|liquid"
    r"|py|[cm]?[jt]sx?|go|rb|java|kt|cs|php|rs)"
)
_MAY_HOLD = re.compile(
    rf"(?:^|/){_WORD}\.{_TEXT_OR_CODE}$|(?:^|/)(?:[\w-]*[_-])?prompts?/(?:.*/)?[^/]+\.{_TEXT_OR_CODE}$"
    r"|\.(?:prompt|prompty|poml|promptl|baml)$|(?:^|/)(?:system|user)(?:[_-](?:prompt|message))?\.(?:md|txt|j2|jinja2?)$",
    re.IGNORECASE,
)
_NO_PROMPT = re.compile(
    r"(?:^|/)(?:__init__\.py|(?:test_[^/]*|conftest)\.py|[^/]*[._](?:test|spec)\.[^/]+)$|(?:^|/)tests?/"
)


def may_hold_prompt(path: str) -> bool:
    """Returns whether the name suggests prompts in the file, in a supported format or another."""
    if _NEVER.search(path) or _AN_EDITORS.search(path) or _NO_PROMPT.search(path):
        return False
    return is_prompt_path(path) or bool(_MAY_HOLD.search(path))
