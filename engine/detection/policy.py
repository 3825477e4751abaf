"""The monotone rule: whether the head's configuration loosens, tightens or keeps each setting.

Every setting of schemas.config has its direction here. A change that isn't known to be harmless needs review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from engine.detection.settings import folded, settings_of
from engine.readers.bounded import shown
from schemas.check_config import Check
from schemas.config import Budget, Config, Defaults, LineageConfig, ModelConfig, duration
from schemas.detection import Direction, PolicyChange
from schemas.field_config import FieldRule
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.margins import default_margin
from schemas.references import Reference, reference_of, renamed
from schemas.values import Value, canonical_json
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

NOTHING = "not set"
LOOSER, TIGHTER, NEUTRAL, UNCLEAR = Direction.LOOSER, Direction.TIGHTER, Direction.NEUTRAL, Direction.UNCLEAR

Flat = dict[str, JsonValue]
"""Settings as JSON, by dotted key."""
Judge = Callable[[JsonValue, JsonValue], Direction]
"""Returns the direction of a change from one JSON value to another. ``None``: the setting is missing."""


def compare_policies(base: Config, head: Config, *, moved: Mapping[str, str] | None = None) -> tuple[PolicyChange, ...]:
    """Returns every setting that differs in ``head``, by key.

    ``moved`` holds the paths that the same pull request renames, relative to the configuration's folder. A setting that
    follows its file is neutral.
    """
    return tuple(sorted(_changes(base, head, moved or {}), key=lambda change: change.key))


def policy_reasons(changes: Iterable[PolicyChange], path: str) -> tuple[Reason, ...]:
    """Returns a reason for each change that needs review. ``path`` is the configuration's."""
    words = {LOOSER: "loosens its own gate", UNCLEAR: "changes its own gate"}
    return tuple(
        Reason(
            code=ReasonCode.POLICY_CHANGED,
            status=VerdictStatus.NEEDS_REVIEW,
            sentence=f"This pull request {words[change.direction]} in `{path}`: "
            f"{change.key}: {change.before} → {change.after}.",
        )
        for change in changes
        if change.needs_review
    )


def counterparts(base: Config, head: Config, moved: Mapping[str, str]) -> dict[str, str]:
    """Returns the names of the base's lineages with their names in the head: the same name, or another one for the same
    prompt."""
    named = {name: name for name in base.lineages if name in head.lineages}
    free = {_prompt(lineage, {}): name for name, lineage in head.lineages.items() if name not in named}
    for name, lineage in base.lineages.items():
        if name not in named and (other := free.pop(_prompt(lineage, moved), None)):
            named[name] = other
    return named


def _prompt(lineage: LineageConfig, moved: Mapping[str, str]) -> Reference:
    return reference_of(lineage.prompt).moved(moved)


# -- directions


def _up_is(direction: Direction) -> Judge:
    """Judges numbers: growth has this direction, shrinking the opposite. A missing value counts as infinite."""

    def judge(before: JsonValue, after: JsonValue) -> Direction:
        grows = _number(after) > _number(before)
        return direction if grows else (TIGHTER if direction is LOOSER else LOOSER)

    return judge


def _number(value: JsonValue) -> Decimal:
    return Decimal("Infinity") if value is None else Decimal(str(value))


def _always(direction: Direction) -> Judge:
    return lambda _before, _after: direction


def _ordered(*from_loose_to_tight: JsonValue) -> Judge:
    """Judges settings with few values. A change to or from a value that isn't listed is unclear."""

    def judge(before: JsonValue, after: JsonValue) -> Direction:
        if before not in from_loose_to_tight or after not in from_loose_to_tight:
            return UNCLEAR
        return TIGHTER if from_loose_to_tight.index(after) > from_loose_to_tight.index(before) else LOOSER

    return judge


def _margin(slice_name: str | None) -> Judge:
    """Judges margins. A missing margin is the default, or wider if the test set can't certify the default."""
    default = default_margin(slice_name)

    def judge(before: JsonValue, after: JsonValue) -> Direction:
        if after is None:
            # Removing a margin brings back the default, which may be widened. So only a margin up to the default is
            # certainly tighter than that.
            return LOOSER if _number(before) <= _number(default) else UNCLEAR
        if before is None:
            return TIGHTER if _number(after) <= _number(default) else UNCLEAR
        return LOOSER if _number(after) > _number(before) else TIGHTER

    return judge


def _names(direction: Direction) -> Judge:
    """Judges lists of names: one that only grows has this direction, one that only shrinks the opposite."""

    def judge(before: JsonValue, after: JsonValue) -> Direction:
        old, new = ({str(name) for name in names} if isinstance(names, list) else set() for names in (before, after))
        if old < new:
            return direction
        return (TIGHTER if direction is LOOSER else LOOSER) if new < old else UNCLEAR

    return judge


def _slice(before: JsonValue, after: JsonValue) -> Direction:
    """Judges slice policies. Watched is the loosest. Guarded is looser than must-pass. A mean compares with neither."""
    if SlicePolicy.WATCH in (before, after):
        return LOOSER if after == SlicePolicy.WATCH else TIGHTER
    return _ordered(SlicePolicy.GUARD, SlicePolicy.MUST_PASS)(before, after)


def _floor(before: JsonValue, after: JsonValue) -> Direction:
    return TIGHTER if _number(after or 0) > _number(before or 0) else LOOSER


def _age(before: JsonValue, after: JsonValue) -> Direction:
    old, new = duration(str(before)), duration(str(after))
    return NEUTRAL if old == new else LOOSER if new > old else TIGHTER


def _canary(before: JsonValue, after: JsonValue) -> Direction:
    """Judges canaries: more are tighter, fewer are looser, and others are unclear."""
    old, new = _texts(before), _texts(after)
    return TIGHTER if old < new else LOOSER if new < old else UNCLEAR


def _texts(value: JsonValue) -> set[str]:
    return {value} if isinstance(value, str) else {str(one) for one in value} if isinstance(value, list) else set()


def _entry(before: JsonValue, after: JsonValue) -> Direction:
    """Judges a check that appears (tighter), disappears (looser) or changes (unclear)."""
    return TIGHTER if before is None else LOOSER if after is None else UNCLEAR


GATE: Mapping[str, Judge] = {
    "mode": _always(UNCLEAR),
    "repetitions": _up_is(TIGHTER),
    "margin": _margin(None),
    "margin.slice": _margin("any"),
    "margin.slices": _margin("any"),
    "adversarial": _slice,
    "slices": _slice,
    "max_cost_increase": _up_is(LOOSER),
    "latency": _ordered("advisory", "gate"),
    "max_latency_increase": _up_is(LOOSER),
    "floor": _floor,
    "inconclusive": _ordered("pass", "block"),
}
"""Judges by setting. A key inside a map uses its own entry, or else the map's."""
GENERAL = {"margin.slices": "margin.slice", "margin.metrics": "margin.overall", "margin.fields": "margin.overall"}
"""Settings that apply if a key is missing in a map."""
RUN: Mapping[str, Judge] = {
    "max_concurrency": _always(NEUTRAL),
    "timeout_s": _always(NEUTRAL),
    "deadline_s": _always(NEUTRAL),
    "max_age": _age,
}
EXPLAIN: Mapping[str, Judge] = {"budget_usd": _always(NEUTRAL)}  # it comes after the verdict
SUGGEST: Mapping[str, Judge] = {"budget_usd": _always(NEUTRAL), "model": _always(NEUTRAL)}  # no verdict depends on it
LINEAGE: Mapping[str, Judge] = {
    "use_case": _always(UNCLEAR),
    "prompt": _always(UNCLEAR),
    "tests": _always(NEUTRAL),  # the cases themselves are compared
    "columns": _always(NEUTRAL),  # likewise
    "labels": _always(UNCLEAR),
    "multi_label": _always(UNCLEAR),
    "aliases": _always(UNCLEAR),
    "defer": _always(UNCLEAR),
    "ordinal": _always(UNCLEAR),
    "costs": _always(UNCLEAR),
    "output": _entry,
    "tools": _always(UNCLEAR),
    "max_steps": _up_is(LOOSER),
    "rubric": _entry,
    "canary": _canary,
    "scorer": _always(UNCLEAR),  # code, whose effect no rule can tell
    "judge": _always(UNCLEAR),
    "reference": _always(UNCLEAR),
    "static": _always(UNCLEAR),
    "template": _always(UNCLEAR),
    "production": _always(UNCLEAR),  # kept content may be personal data
}
TAGS: Mapping[str, Judge] = {
    "immutable": _names(TIGHTER),
    "follow": _always(UNCLEAR),  # another way to move what applications run
}
FIELD: Mapping[str, Judge] = {
    "kind": _always(UNCLEAR),
    "tolerance": _up_is(LOOSER),
    "match": _ordered("fuzzy", "normalised", "exact"),
    "threshold": _up_is(TIGHTER),
    "relative": _up_is(LOOSER),
    "unit": _always(UNCLEAR),
    "locale": _always(UNCLEAR),
    "formats": _always(UNCLEAR),
    "day_first": _always(UNCLEAR),
    "values": _always(UNCLEAR),
    "ordered": _ordered(False, True),
    "key": _always(UNCLEAR),
    "fields": _always(UNCLEAR),
    "pattern": _always(UNCLEAR),
    "any_of": _ordered(True, False),
    "optional": _ordered(True, False),
    "weight": _always(UNCLEAR),
    "in_input": _ordered(False, True),
}
MODEL: Mapping[str, Judge] = {
    "model": _always(NEUTRAL),  # a swap is measured, or refused if the base doesn't list the model
    "parameters": _always(NEUTRAL),
}


GENERAL_SETTINGS: Mapping[str, Judge] = {
    "mode": _ordered("inform", "enforce"),
    "comment": _always(NEUTRAL),
    "uncovered": _ordered("ignore", "warn", "needs_review"),
}


# -- the comparison


def _general(base: Config, head: Config) -> Iterator[PolicyChange]:
    # These settings apply to every lineage, so they are compared once and not per lineage.
    for name, judge in GENERAL_SETTINGS.items():
        old, new = getattr(base, name).value, getattr(head, name).value
        if old != new:
            yield _change(name, old, new, judge(old, new))


def _changes(base: Config, head: Config, moved: Mapping[str, str]) -> Iterator[PolicyChange]:
    yield from _general(base, head)
    yield from _model_choice("defaults.model", base.defaults, head.defaults)
    yield from _budget("budget", base.budget, head.budget)
    yield from _settings("run", _flat(_json(base.run)), _flat(_json(head.run)), RUN)
    yield from _settings("explain", _flat(_json(base.explain)), _flat(_json(head.explain)), EXPLAIN)
    yield from _settings("suggest", _json(base.suggest), _json(head.suggest), SUGGEST)
    yield from _settings("tags", _json(base.tags), _json(head.tags), TAGS)
    yield from _settings("gate", _gate(base.gate), _gate(head.gate), GATE)
    for name in sorted(base.models.keys() | head.models.keys()):
        # A judge's model decides scores, so none of its settings is neutral.
        judges = any(lineage.judge and name in lineage.judge.models for lineage in base.lineages.values())
        yield from _model(f"models.{name}", base.models.get(name), head.models.get(name), judges=judges)
    names = counterparts(base, head, moved)
    for name, lineage in base.lineages.items():
        if name not in names:
            yield _change(f"lineages.{name}", "gated", "no longer gated", LOOSER)
        else:
            if names[name] != name:
                yield _change(f"lineages.{name}", name, names[name], NEUTRAL)
            yield from _lineage(f"lineages.{name}", (base, lineage), (head, head.lineages[names[name]]), moved)
    for name in head.lineages:
        if name not in names.values():
            yield _change(f"lineages.{name}", "not gated", "gated", TIGHTER)


def _lineage(
    key: str, base: tuple[Config, LineageConfig], head: tuple[Config, LineageConfig], moved: Mapping[str, str]
) -> Iterator[PolicyChange]:
    old, new = base[1], head[1]
    before, after = _json(old), _json(new)
    for name, judge in LINEAGE.items():
        if before[name] == after[name]:
            continue
        direction = judge(before[name], after[name])
        # Renaming a prompt together with its configuration is the same prompt, so it loosens nothing.
        followed = after[name] is not None and renamed(before[name], moved) == after[name]
        yield _change(f"{key}.{name}", before[name], after[name], NEUTRAL if followed else direction)
    yield from _model_choice(f"{key}.model", old, new)
    yield from _fields(f"{key}.fields", old.fields, new.fields)
    yield from _checks(f"{key}.checks", old.checks, new.checks)
    if old.budget or new.budget:
        yield from _budget(f"{key}.budget", old.budget or base[0].budget, new.budget or head[0].budget)
    runs = [(_flat(_json(config.run)), _flat(_json(settings_of(config, own)[1]))) for config, own in (base, head)]
    yield from _own(f"{key}.run", RUN, *runs)
    gates = [(_gate(config.gate), _gate(settings_of(config, own)[0])) for config, own in (base, head)]
    yield from _own(f"{key}.gate", GATE, *gates)


def _budget(key: str, old: Budget, new: Budget) -> Iterator[PolicyChange]:
    before, after = old.per_run_usd, new.per_run_usd
    if before != after:
        yield _change(f"{key}.per_run_usd", str(before), str(after), LOOSER if after > before else TIGHTER)


def _checks(key: str, old: Sequence[Check], new: Sequence[Check]) -> Iterator[PolicyChange]:
    before, after = ({check.name: _json(check) for check in checks} for checks in (old, new))
    for name in sorted(before.keys() | after.keys()):
        pair = before.get(name), after.get(name)
        if pair[0] != pair[1]:
            yield _change(f"{key}.{name}", *pair, _entry(*pair))


def _own(
    key: str, judges: Mapping[str, Judge], old: tuple[Flat, Flat], new: tuple[Flat, Flat]
) -> Iterator[PolicyChange]:
    """Yields changes of a lineage's effective settings. Changes of the defaults are left out, since they are reported
    there."""
    inherited = set(_settings(key, old[0], new[0], judges))
    yield from (change for change in _settings(key, old[1], new[1], judges) if change not in inherited)


def _model_choice(key: str, old: Defaults | LineageConfig, new: Defaults | LineageConfig) -> Iterator[PolicyChange]:
    """Yields a change of models. Another model is measured, so it is neutral; fewer models are fewer experiments."""
    if old.model != new.model:
        counts = [1 if isinstance(model, str) else len(model or ()) for model in (old.model, new.model)]
        yield _change(key, _json(old)["model"], _json(new)["model"], LOOSER if counts[0] > counts[1] > 0 else NEUTRAL)


def _fields(key: str, old: Mapping[str, FieldRule], new: Mapping[str, FieldRule]) -> Iterator[PolicyChange]:
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            yield from _settings(f"{key}.{name}", _json(old[name]), _json(new[name]), FIELD)
        else:
            pair = _json(old[name]) if name in old else None, _json(new[name]) if name in new else None
            yield _change(f"{key}.{name}", *pair, _entry(*pair))


def _model(key: str, old: ModelConfig | None, new: ModelConfig | None, *, judges: bool) -> Iterator[PolicyChange]:
    if old is None or new is None:
        model = old or new
        # A new model with its own address, key variable or recording decides where requests and keys go.
        elsewhere = model is not None and (model.base_url or model.api_key_env or model.recording)
        pair = _json(old) if old else None, _json(new) if new else None
        yield _change(key, *pair, UNCLEAR if new is not None and elsewhere else NEUTRAL)
    else:
        yield from _settings(key, _json(old), _json(new), {} if judges else MODEL)


def _settings(key: str, before: Flat, after: Flat, judges: Mapping[str, Judge]) -> Iterator[PolicyChange]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        of_map, _, _ = name.rpartition(".")
        # The most specific rule wins. A setting that no rule knows needs a review.
        judge = judges.get(name) or judges.get(of_map) or judges.get(name.partition(".")[0]) or _always(UNCLEAR)
        general = GENERAL.get(of_map, name)
        # A key that is missing in a map has the value of the general setting, so that value is compared.
        direction = judge(before.get(name, before.get(general)), after.get(name, after.get(general)))
        yield _change(f"{key}.{name}", before.get(name), after.get(name), direction)


def _gate(gate: GateConfig) -> Flat:
    """Returns a gate's settings by key. The adversarial slice is guarded unless the configuration says otherwise."""
    flat = _flat(_json(folded(gate)))
    # Two settings name this slice. Keeping one key compares them with each other.
    flat.pop("slices.adversarial", None)
    return flat | {"adversarial": flat["adversarial"] or SlicePolicy.GUARD.value}


def _flat(values: Mapping[str, JsonValue], key: str = "") -> Flat:
    flat: Flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{key}{name}.") if isinstance(value, dict) else {f"{key}{name}": value}
    return flat


def _json(value: Value) -> Flat:
    return value.model_dump(mode="json")


def _change(key: str, before: JsonValue, after: JsonValue, direction: Direction) -> PolicyChange:
    return PolicyChange(key=shown(key, 160), before=_words(before), after=_words(after), direction=direction)


def _words(value: JsonValue) -> str:
    value = _given(value)
    if value is None or value in ([], {}):
        return NOTHING
    return shown(value if isinstance(value, str) else canonical_json(value).decode(), 80)


def _given(value: JsonValue) -> JsonValue:
    """Returns ``value`` without the keys of its maps that are not set."""
    if isinstance(value, list):
        return [_given(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _given(item) for key, item in value.items() if item not in (None, [], {})}
