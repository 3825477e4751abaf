"""Takes over a promptfoo configuration: its prompts, models and tests, and a list of what can't be taken over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from engine.commands.init_pairing import free_name, name_of
from engine.readers.assertions import LeftOut
from engine.readers.bounded import shown
from engine.readers.cases import not_imported
from engine.readers.nodes import Node, plain
from engine.readers.promptfoo_files import CODE, ConfigFiles
from engine.readers.promptfoo_parts import items_of
from engine.readers.promptfoo_tests import tests_and_left_out
from engine.readers.prompts.references import read_reference
from engine.readers.test_source import TestFiles
from evaluators.assertions import SET
from schemas.errors import PromptVerdictError, SourceError
from schemas.prompts import Dialect, Finding, Parameters
from schemas.references import PromptParts, reference_of
from schemas.testsets import Assertion, TestCase

_PATH = re.compile(r"(?:file://)?[\w@{}*?. /-]+\.(?:txt|md|json|ya?ml|j2|jinja2?|prompt|prompty|csv|jsonl)")
_TEXTS = (".txt", ".md", ".j2", ".jinja", ".jinja2")
_SEVERAL = re.compile(r"^---[ \t]*$", re.MULTILINE)
"""Separates prompts within one text file."""
_BRACES = ("{{", "{%", "{#")
_OPENAI = {"": "chat", "chat": "chat", "responses": "responses"}
_PARAMETERS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty", "stop",
    "seed",
)  # fmt: skip


class Source(TestFiles, Protocol):
    """The files of a repository."""

    def get(self, path: str, /) -> bytes | None:
        """Returns a file's content, ``None`` if it doesn't exist."""
        ...


class ImportedModel(NamedTuple):
    """A model that the configuration asks."""

    provider: str
    model: str
    api: str | None
    parameters: Mapping[str, JsonValue]


class ImportedPrompt(NamedTuple):
    """A prompt and how our configuration names it."""

    written: str | PromptParts
    template: Dialect | None


class Imported(NamedTuple):
    """A promptfoo configuration in our terms."""

    path: str
    models: Mapping[str, ImportedModel]
    prompts: Mapping[str, ImportedPrompt]
    cases: tuple[Mapping[str, JsonValue], ...]
    """The cases as our test sets write them."""
    judged: bool
    """Whether some cases have nothing but notes for a judge."""
    noted: int
    """How many cases have notes for a judge."""
    left_out: tuple[Finding, ...]
    """Everything that is not taken over, with its place."""


def imported(path: str, files: Source) -> Imported:
    """Returns the promptfoo configuration at ``path`` in our terms. Raises SourceError for one that can't be read."""
    config = ConfigFiles(path, files)
    tests, of_tests = tests_and_left_out(path, files)
    left: list[LeftOut] = []
    models = dict(_models(config, left))
    prompts = _prompts(config, files, left)
    cases = []
    for case in tests.cases:
        if why := _unwritable(case):
            left.append(LeftOut("a case", why, case.where or path))
        else:
            cases.append(_row(case))
    kept = [case for case in tests.cases if not _unwritable(case)]
    return Imported(
        path=path,
        models=models,
        prompts=prompts,
        cases=tuple(cases),
        judged=any(case.rubric and not case.assertions for case in kept),
        noted=sum(case.rubric is not None for case in kept),
        left_out=tuple(not_imported([*of_tests, *((None, one) for one in left)], most=None)),
    )


# -- cases


def _unwritable(case: TestCase) -> str | None:
    """Returns why a case can't be written, or gates nothing."""
    if not case.assertions and case.rubric is None:
        return "it has no assertion that can be evaluated"
    texts = [text for one in _flat(case.assertions) for text in _texts(one.value)]
    if any(sign in text for text in texts for sign in _BRACES):
        return "a text with {{ would be filled in once more"
    return None


def _flat(assertions: tuple[Assertion, ...]) -> Iterator[Assertion]:
    for one in assertions:
        yield one
        yield from _flat(one.members)


def _texts(value: JsonValue) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _row(case: TestCase) -> dict[str, JsonValue]:
    """Returns a case as a test set writes it. Reading it gives the same case."""
    row: dict[str, JsonValue] = {"id": case.id, "inputs": case.inputs}
    if case.assertions:
        row["assert"] = [_written(one) for one in case.assertions]
        if case.threshold is not None:
            row["threshold"] = case.threshold
    about = case.model_dump(mode="json", exclude_defaults=True, exclude={"id", "inputs", "expected"})
    return row | {key: value for key, value in about.items() if key not in ("assertions", "threshold")}


def _written(one: Assertion) -> dict[str, JsonValue]:
    written: dict[str, JsonValue] = {"type": f"{'not-' if one.negated else ''}{one.type}"}
    if one.type == SET:
        written["assert"] = [_written(member) for member in one.members]
    elif one.value is not None or one.type == "equals":
        written["value"] = one.value
    if one.threshold is not None:
        written["threshold"] = one.threshold
    return written | ({} if one.weight == 1 else {"weight": one.weight})


# -- prompts


def _prompts(config: ConfigFiles, files: Source, left: list[LeftOut]) -> dict[str, ImportedPrompt]:
    found: dict[str, ImportedPrompt] = {}
    node = config.entries.get("prompts")
    if node is not None and isinstance(node.value, dict):
        left.append(LeftOut("prompts", "a map of prompts isn't read", config.source.where(node.line)))
        return found
    for index, item in enumerate(items_of(node)):
        key = "prompts" if node is item else f"prompts.{index}"
        try:
            for label, written in _written_prompts(config, config.followed(item), key):
                name = free_name(label or name_of(written), found)
                found[name] = _readable(written, files)
        except SourceError as error:
            left.append(LeftOut("a prompt", error.what, config.source.where(item.line)))
    return found


def _written_prompts(config: ConfigFiles, item: Node, key: str) -> Iterator[tuple[str, str | PromptParts]]:
    """Yields names (empty: none) and places of the prompts that one entry stands for."""
    label, chosen = "", item
    if isinstance(item.value, dict):
        about = item.value
        name = next((name for name in ("raw", "id", "path") if name in about), "")
        key, chosen = f"{key}.{name}", about.get(name, item)
        label = _slug(about["label"].text or "") if "label" in about else ""
    if chosen.text is None:
        raise SourceError("it is neither a text nor a file")
    if _PATH.fullmatch(chosen.text):
        yield from ((label, _of_file(config, path)) for path in config.named(chosen.text))
        return
    if (why := _no_text(chosen.text)) is not None:
        raise SourceError(why)
    yield label or _slug(config.folder.rpartition("/")[2]) or "prompt", PromptParts(user=f"{config.path}#{key}")


def _no_text(text: str) -> str | None:
    """Returns why an entry isn't the text of a prompt itself."""
    if text.startswith(("file://", "exec:")) or "://" in text.partition(" ")[0] or CODE.search(text):
        return "it runs code, or is no file of the repository"
    return "it is a list of messages in a text; move it to a file of its own" if _is_chat(text) else None


def _of_file(config: ConfigFiles, path: str) -> str | PromptParts:
    if path.endswith((".csv", ".jsonl")):
        raise SourceError("prompts in this format aren't read")
    if not path.endswith(_TEXTS):
        return path
    text = config.text(path)
    if _SEVERAL.search(text):
        raise SourceError(f"{shown(path, 80)} holds several prompts; give each a file of its own")
    # promptfoo sends every text as the user's message.
    return path if _is_chat(text) else PromptParts(user=path)


def _readable(written: str | PromptParts, blobs: Source) -> ImportedPrompt:
    """Returns a prompt that we read: with promptfoo's template language, or with that of its own format."""
    problem = ""
    for template in (Dialect.JINJA, None):
        try:
            read_reference(reference_of(written), blobs, template)  # type: ignore[arg-type] # only get is called
        except PromptVerdictError as error:
            problem = str(error)
        else:
            return ImportedPrompt(written, template)
    raise SourceError(problem)


def _is_chat(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list | dict)
    except (ValueError, RecursionError):
        return False


# -- models


def _models(config: ConfigFiles, left: list[LeftOut]) -> Iterator[tuple[str, ImportedModel]]:
    names: set[str] = set()
    node = config.entries.get("providers") or config.entries.get("targets")
    for item in map(config.followed, items_of(node)):
        where = config.source.where(item.line)
        identity, settings, label = _provider(item)
        model = _model(identity)
        if model is None:
            left.append(LeftOut(f"the provider {shown(identity or item.kind)}", "it can't be asked here", where))
            continue
        address = sorted(
            key for key in settings if key.lower().startswith(("api", "base", "azure", "headers", "organization"))
        )
        if address:
            left.append(
                LeftOut(
                    f"the provider {shown(identity)}",
                    f"it sets {shown(address[0])}; write base_url: by hand",
                    where,
                )
            )
            continue
        parameters = _parameters(settings)
        unread = sorted(settings.keys() - parameters.keys())
        left += [LeftOut(f"{shown(key)} of a provider", "it isn't a parameter here", where) for key in unread]
        name = free_name(_slug(label) or _slug(model.model), names)
        names.add(name)
        yield name, model._replace(parameters=parameters)


def _provider(item: Node) -> tuple[str, dict[str, JsonValue], str]:
    """Returns a provider's name, settings and label: ``openai:x``, ``{id: openai:x}`` or ``{openai:x: {…}}``."""
    if not isinstance(item.value, dict):
        return item.text or "", {}, ""
    about, identity = item.value, item.value["id"].text if "id" in item.value else None
    if identity is None and len(item.value) == 1:
        ((identity, inner),) = item.value.items()
        about = inner.value if isinstance(inner.value, dict) else {}
    settings = plain(about["config"]) if "config" in about else {}
    label = about["label"].text if "label" in about else None
    return identity or "", settings if isinstance(settings, dict) else {}, label or ""


def _parameters(settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the parameters that we have too."""
    found: dict[str, JsonValue] = {}
    for key in _PARAMETERS:
        value = settings.get(key)
        given: JsonValue = [value] if key == "stop" and isinstance(value, str) else value
        try:
            Parameters.model_validate({**found, key: given})
        except ValueError:
            continue
        if given is not None:
            found[key] = given
    return found


def _model(identity: str) -> ImportedModel | None:
    provider, _, rest = identity.partition(":")
    kind, colon, model = rest.partition(":")
    if not colon:
        kind, model = "", rest
    if provider == "openai" and kind in _OPENAI and model:
        return ImportedModel("openai", model, None if _OPENAI[kind] == "chat" else _OPENAI[kind], {})
    if provider == "anthropic" and kind in ("", "messages") and model:
        return ImportedModel("anthropic", model, None, {})
    return None


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:50].strip("-._")
