"""The units of a change: parts of it that can be reverted one by one, each giving a whole prompt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import JsonValue

from engine.blame.edits import Edit, edits_of, reverted
from engine.blame.segments import is_mark, messages_of, text_of, text_tokens, tokens_of
from engine.planning.plan import ArmSource
from schemas.blame import Unit, UnitKind
from schemas.config import ModelConfig
from schemas.prompts import Parameters
from schemas.values import canonical_json

MOST = 60
"""The most units of a change. Above it, the neighbors of a text are taken together."""
_TOGETHER = {"json_schema": "response_format"}
"""Parameters that mean nothing alone, by the one that they go with."""


class Document(NamedTuple):
    """A text of both versions as tokens: the messages, or a partial."""

    name: str | None
    """``None``: the messages."""
    before: list[str]
    after: list[str]
    edits: list[Edit]


class Part(NamedTuple):
    """What a unit reverts: an edit of a document, or a setting."""

    document: int | None = None
    edit: Edit | None = None
    setting: str = ""
    """``template``, ``model``, ``prompt.<parameter>`` or ``model.<parameter>``."""


@dataclass(frozen=True)
class ChangeUnits:
    """A change of a prompt and its model, split into units."""

    baseline: ArmSource
    candidate: ArmSource
    documents: tuple[Document, ...]
    units: tuple[tuple[Part, ...], ...]

    def __len__(self) -> int:
        return len(self.units)

    def without(self, undo: Collection[int]) -> ArmSource:
        """Returns the candidate with some units reverted. With all of them, it sends what the baseline sends."""
        parts = {part for unit in undo for part in self.units[unit]}
        settings = {part.setting for part in parts}
        prompt = (self.baseline if "template" in settings else self.candidate).prompt
        texts: dict[str | None, list[str]] = {}
        for number, document in enumerate(self.documents):
            edits = {part.edit for part in parts if part.document == number and part.edit is not None}
            texts[document.name] = reverted(document.before, document.after, document.edits, edits)
        messages = texts.pop(None, None)
        changed: dict[str, object] = {
            "included": {
                # A partial of one version only is harmless in the other.
                **self.baseline.prompt.included,
                **prompt.included,
                **{name: text_of(tokens) for name, tokens in texts.items() if name is not None},
            },
            "parameters": _parameters(
                self.candidate.prompt.parameters, self.baseline.prompt.parameters, settings, "prompt."
            ),
        }
        if messages is not None:
            changed["messages"] = messages_of(messages)
        model = self.baseline.model if "model" in settings else self.candidate.model
        own = _parameters(model.parameters, self.baseline.model.parameters, settings, "model.")
        return ArmSource(prompt.model_copy(update=changed), model.model_copy(update={"parameters": own}))

    def swaps_model(self, undo: Collection[int]) -> bool:
        """Returns whether reverting these units reverts the model."""
        return any(part.setting == "model" for unit in undo for part in self.units[unit])

    def merged(self, unit: int, other: int) -> ChangeUnits:
        """Returns the change with two units as one, at the place of the earlier."""
        first, second = sorted((unit, other))
        units = list(self.units)
        units[first] += units.pop(second)
        return replace(self, units=tuple(units))

    def described(self) -> tuple[Unit, ...]:
        """Returns the units as people read them, without their lines."""
        return tuple(self._described(unit) for unit in self.units)

    def _described(self, unit: Sequence[Part]) -> Unit:
        first = unit[0]
        if first.document is None or first.edit is None:
            return self._setting(first.setting)
        document = self.documents[first.document]
        edits = [part.edit for part in unit if part.edit is not None and part.document == first.document]
        # What lies between the edits of a merged unit belongs to what people have to see.
        i, j = min(edit.i for edit in edits), max(edit.j for edit in edits)
        k, m = min(edit.k for edit in edits), max(edit.m for edit in edits)
        whole = any(is_mark(token) for token in (*document.before[i:j], *document.after[k:m]))
        kind = UnitKind.PARTIAL if document.name else UnitKind.MESSAGES if whole else UnitKind.TEXT
        before, after = text_of(document.before[i:j]), text_of(document.after[k:m])
        return Unit(kind=kind, name=document.name or "", before=before, after=after)

    def _setting(self, setting: str) -> Unit:
        old, new = self.baseline, self.candidate
        if setting == "model":
            return Unit(kind=UnitKind.MODEL, before=old.model.model, after=new.model.model)
        if setting == "template":
            texts = ("\n".join(message.content for message in each.prompt.messages) for each in (old, new))
            before, after = texts
            return Unit(kind=UnitKind.TEMPLATE, before=before, after=after)
        where, _, name = setting.partition(".")
        holders = [side.prompt if where == "prompt" else side.model for side in (old, new)]
        before, after = (_shown(getattr(holder.parameters, name)) for holder in holders)
        return Unit(kind=UnitKind.PARAMETER, name=name, before=before, after=after)


def units_of(baseline: ArmSource, candidate: ArmSource) -> ChangeUnits:
    """Returns the units of a change, in the order of the text; settings come last."""
    documents: list[Document] = []
    old, new = baseline.prompt, candidate.prompt
    settings: list[str] = []
    # Text of one template language means something else in another, so nothing can be mixed.
    if (old.dialect, old.roles, old.defaults) != (new.dialect, new.roles, new.defaults):
        settings.append("template")
    else:
        documents.append(_document(None, tokens_of(old.messages), tokens_of(new.messages)))
        documents += [
            _document(name, text_tokens(old.included[name]), text_tokens(text))
            for name, text in sorted(new.included.items())
            if old.included.get(name, text) != text
        ]
    settings += _settings("prompt.", old.parameters, new.parameters)
    settings += _model_settings(baseline.model, candidate.model)
    texts = [unit for number, document in enumerate(documents) for unit in _passages(number, document)]
    if len(texts) + len(settings) > MOST:
        texts = _neighbors(texts)
    units = (*texts, *((Part(setting=setting),) for setting in settings))
    return ChangeUnits(baseline, candidate, tuple(documents), units)


def _document(name: str | None, before: list[str], after: list[str]) -> Document:
    return Document(name, before, after, edits_of(before, after))


def _passages(number: int, document: Document) -> list[tuple[Part, ...]]:
    """Returns a unit for each edit. One that changes only blanks belongs to the edit beside it."""
    units: list[tuple[Part, ...]] = []
    blank: list[Part] = []
    last: Edit | None = None
    for edit in document.edits:
        part = Part(number, edit)
        near = last is not None and (last.j, last.m) == (edit.i, edit.k)
        if not near and blank:
            units.append(tuple(blank))
            blank = []
        if _is_blank(document, edit):
            if near and units and not blank:
                units[-1] += (part,)
            else:
                blank.append(part)
        else:
            units.append((*blank, part))
            blank = []
        last = edit
    return [*units, tuple(blank)] if blank else units


def _is_blank(document: Document, edit: Edit) -> bool:
    old, new = document.before[edit.i : edit.j], document.after[edit.k : edit.m]
    if any(map(is_mark, (*old, *new))):
        return False
    return text_of(old).split() == text_of(new).split()


def _neighbors(units: Sequence[tuple[Part, ...]]) -> list[tuple[Part, ...]]:
    """Returns the units with those of one place taken together, as in a diff by lines."""
    found: list[tuple[Part, ...]] = []
    for unit in units:
        last, first = found[-1][-1] if found else None, unit[0]
        touching = (
            last is not None
            and last.document == first.document
            and last.edit is not None
            and first.edit is not None
            and (last.edit.j, last.edit.m) == (first.edit.i, first.edit.k)
        )
        found = [*found[:-1], (*found[-1], *unit)] if touching else [*found, unit]
    # Many scattered edits are cut into equal runs, so that the search stays short.
    size = -(-len(found) // MOST)
    return [tuple(part for unit in found[n : n + size] for part in unit) for n in range(0, len(found), size)]


def _settings(prefix: str, before: Parameters, after: Parameters) -> list[str]:
    old, new = dict(before), dict(after)
    names = [_TOGETHER.get(name, name) for name in old if old[name] != new[name]]
    return [prefix + name for name in dict.fromkeys(names)]


def _model_settings(before: ModelConfig, after: ModelConfig) -> list[str]:
    if before.model_copy(update={"parameters": after.parameters}) != after:
        return ["model"]
    return _settings("model.", before.parameters, after.parameters)


def _parameters(now: Parameters, then: Parameters, settings: Collection[str], prefix: str) -> Parameters:
    names = {setting.removeprefix(prefix) for setting in settings if setting.startswith(prefix)}
    names |= {name for name, leader in _TOGETHER.items() if leader in names}
    values: Mapping[str, object] = {name: getattr(then, name) for name in names}
    return now.model_copy(update=dict(values))


def _shown(value: JsonValue) -> str:
    if value is None or value in ((), {}):
        return "not set"
    return value if isinstance(value, str) else canonical_json(value).decode()
