"""Reads a prompt set: the document that the hub sends, the cache keeps and a bundle is.

A document is data from elsewhere. It is taken whole or not at all, so a reader never sees half of a promotion.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

from promptverdict_client.prompt import Model, Prompt
from promptverdict_client.rendering.roles import MARKS, ROLES
from promptverdict_client.rendering.template import DIALECTS, Template
from promptverdict_client.rendering.values import Json

VERSION = 1
"""The version of the format. The hub raises it for what an older client would misread."""
MAX_BYTES = 16 * 1024 * 1024
UNDIGESTED = frozenset({"digest", "commit", "path", "moved_at"})
"""Keys of a prompt that its digest doesn't cover."""
_T = TypeVar("_T")


class DocumentError(Exception):
    """A document is malformed, or of another repository or tag."""

    def __init__(self, message: str) -> None:
        # It may quote the document, and ends up in logs.
        line = " ".join(message.split())[:300]
        super().__init__("".join(one if one.isprintable() else "�" for one in line))


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Every prompt of one tag."""

    prompts: dict[str, Prompt]
    moved_at: datetime
    """When the tag moved last."""
    body: bytes
    """The document itself."""


def parse(body: bytes, repository: str, tag: str) -> PromptSet:
    """Returns the prompts of a document. Raises DocumentError."""
    if len(body) > MAX_BYTES:
        raise DocumentError(f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        document = json.loads(body, parse_constant=_no_number)
        return _read(document, repository, tag, body)
    # Texts with half a surrogate pair and numbers with too many digits are ValueErrors as well.
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"it is not a valid prompt set: {error}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _read(document: Json, repository: str, tag: str, body: bytes) -> PromptSet:
    top = _is(document, dict, "the document")
    version = _of(top, "hub_version", int, "the document")
    if version != VERSION:
        raise DocumentError(f"it has version {version}, and this client reads {VERSION}: update promptverdict-client")
    found = _of(top, "repository", str, "the document"), _of(top, "tag", str, "the document")
    if (found[0].lower(), found[1]) != (repository.lower(), tag):  # GitHub's names have no case
        raise DocumentError(f"it is the tag {found[1]!r} of {found[0]!r}, not {tag!r} of {repository!r}")
    prompts = {}
    moved_at = datetime.min.replace(tzinfo=UTC)
    for name, given in _of(top, "prompts", dict, "the document").items():
        value = _is(given, dict, name)
        prompts[name] = _prompt(name, value, found[0], tag)
        moved_at = max(moved_at, _time(_of(value, "moved_at", str, name)))
    return PromptSet(prompts, moved_at, body)


def _time(text: str) -> datetime:
    moved_at = datetime.fromisoformat(text)
    if moved_at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moved_at


def _prompt(name: str, value: dict[str, Json], repository: str, tag: str) -> Prompt:
    if value.get("lineage") != name:
        raise DocumentError(f"{name} is named {value.get('lineage')!r}")
    version = _of(value, "digest", str, name)
    if version != _digest(value):
        raise DocumentError(f"{name} doesn't have the digest that it states: it was changed or damaged")
    messages = tuple(_message(_is(one, dict, name), name) for one in _of(value, "messages", list, name))
    models = tuple(_model(_is(one, dict, name), name) for one in _of(value, "models", list, name))
    if not messages or not models:
        raise DocumentError(f"{name} has no messages or no models")
    dialect = _of(value, "dialect", str, name)
    roles = None if value.get("roles") is None else _of(value, "roles", str, name)
    if dialect not in DIALECTS or not (roles is None or roles in MARKS):
        raise DocumentError(f"{name} is written in {dialect!r} with {roles!r}: update promptverdict-client")
    included = {
        partial: _is(text, str, f"{name}: {partial}") for partial, text in _of(value, "included", dict, name).items()
    }
    return Prompt(
        name=name,
        version=version,
        commit=_of(value, "commit", str, name),
        repository=repository,
        tag=tag,
        models=models,
        model=models[0],
        template=Template(
            dialect=dialect,
            roles=roles,
            messages=messages,
            included=included,
            defaults=_of(value, "defaults", dict, name),
        ),
    )


def _digest(value: dict[str, Json]) -> str:
    covered = {key: inner for key, inner in value.items() if key not in UNDIGESTED}
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _message(value: dict[str, Json], name: str) -> tuple[str, str]:
    role = _of(value, "role", str, name)
    if role not in ROLES:
        raise DocumentError(f"{name} has a message of the role {role!r}")
    return role, _of(value, "content", str, name)


def _model(value: dict[str, Json], name: str) -> Model:
    return Model(
        name=_of(value, "name", str, name),
        provider=_of(value, "provider", str, name),
        model=_of(value, "model", str, name),
        parameters=_of(value, "parameters", dict, name),
    )


def _of(value: dict[str, Json], key: str, kind: type[_T], where: str) -> _T:
    if key not in value:
        raise DocumentError(f"{where} has no {key}")
    return _is(value[key], kind, f"{where}: {key}")


def _is(value: object, kind: type[_T], where: str) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DocumentError(f"{where} is a {type(value).__name__}, not a {kind.__name__}")
    return value
