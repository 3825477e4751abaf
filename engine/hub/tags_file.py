"""Reads the file with which a repository says what its tags point to (``tags: {follow: …}``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError

from engine.readers.bounded import source_of
from engine.readers.nodes import find, plain
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import ConfigError
from schemas.hub import TagName

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Lineage = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9._-]*[A-Za-z0-9_-]/)*[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)
]
"""The configured name of a prompt, with its folder if two configurations use the same name."""
TagsFile = dict[str, dict[str, str]]
"""Commits by tag and prompt."""
_FILE = TypeAdapter(dict[TagName, dict[Lineage, Commit]])


def read_tags_file(path: str, data: bytes) -> TagsFile:
    """Returns the commits by tag and prompt. Raises ConfigError with ``path:line`` for the first mistake."""
    source = source_of(path, data, failure=ConfigError)
    root = read_yaml(source)
    try:
        return dict(_FILE.validate_python(plain(root) or {}))
    except ValidationError as error:
        steps = [step for step in error.errors(include_url=False)[0]["loc"] if step != "[key]"]
        node = find(root, tuple(steps))
        what = f"{'.'.join(map(str, steps)) or 'the file'} is not a commit of a prompt"
        hint = "write a tag, below it the prompts, and the full id of a commit for each"
        raise source.error(what, node.line, node.column, hint=hint) from None
