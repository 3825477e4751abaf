"""Finds settings without effect. Each is a mistake of the configuration and must not pass silently."""

from __future__ import annotations

from collections.abc import Iterator

from engine.readers.bounded import did_you_mean, shown
from engine.readers.field_mistakes import Mistake, Place, of_field
from evaluators.canaries import LEAST, letters_of
from schemas.config import Config, JudgeConfig, LineageConfig, ModelConfig
from schemas.gate_config import GateConfig, GateMode
from schemas.use_cases import UseCase


def of_model(place: Place, model: ModelConfig) -> Iterator[Mistake]:
    """Yields the settings of a model that its provider never receives."""
    if model.recording is not None and not model.spec.recorded:
        yield (
            (*place, "recording"),
            f"a recording is for the provider replay, but the provider is {model.provider}",
            "remove it",
        )
    if model.api is not None and model.api not in model.spec.apis:
        yield (*place, "api"), f"the provider {model.provider} has no api {model.api}", "remove it"


OWN_KEYS = {
    UseCase.CLASSIFICATION: ("labels", "multi_label", "aliases", "defer", "ordinal", "costs"),
    UseCase.AGENT: ("tools", "max_steps"),
}
"""Settings of a lineage that only one use case applies."""


def of_lineage(place: Place, name: str, lineage: LineageConfig, config: Config) -> Iterator[Mistake]:
    """Yields the settings of a lineage that its use case, its fields or its gate ignore."""
    for use_case, keys in OWN_KEYS.items():
        for key in keys if lineage.use_case != use_case else ():
            if getattr(lineage, key) != LineageConfig.model_fields[key].default:
                what = f"{key} is for {use_case}, but {name} is {lineage.use_case}"
                yield (*place, key), what, f"set use_case: {use_case}, or remove {key}:"
    if lineage.judge is not None and lineage.rubric is None:
        yield from _of_judge((*place, "judge"), name, lineage, lineage.judge)
    elif lineage.pairwise:
        yield from _of_comparison(place, name, lineage, config)
    yield from _of_canaries((*place, "canary"), lineage.canaries)
    for field, rule in lineage.fields.items():
        yield from of_field((*place, "fields", field), field, rule)
    if lineage.gate is not None:
        yield from _of_gate((*place, "gate"), lineage.gate, config.gate)
        yield from _unknown((*place, "gate", "margin", "classes"), "class", lineage.gate.margin.classes, lineage.labels)
        if lineage.fields or lineage.use_case != UseCase.EXTRACTION:
            fields = lineage.gate.margin.fields
            yield from _unknown((*place, "gate", "margin", "fields"), "field", fields, tuple(lineage.fields))


def _of_judge(place: Place, name: str, lineage: LineageConfig, judge: JudgeConfig) -> Iterator[Mistake]:
    """Yields the settings of a judge that need a rubric."""
    if lineage.use_case != UseCase.GENERATION:
        yield place, f"{name} has a judge but no rubric", "add rubric:, or remove judge:"
    elif judge.labels is not None:
        yield (*place, "labels"), "people's grades need the rubric that they used", "add rubric:"
    elif len(judge.models) > 1:
        yield (*place, "model"), f"{name} has several judges but no rubric", "add rubric:, or name one judge"
    elif lineage.pairwise:
        yield (
            (*place, "mode"),
            f"{name} compares answers in pairs but has no rubric",
            "add rubric:, or set mode: grades",
        )


def _of_comparison(place: Place, name: str, lineage: LineageConfig, config: Config) -> Iterator[Mistake]:
    """Yields the settings that need each answer's own grade, which a comparison doesn't give."""
    if lineage.use_case != UseCase.GENERATION:
        yield (
            (*place, "judge", "mode"),
            f"pairwise is for generation, but {name} is {lineage.use_case}",
            "set mode: grades",
        )
    gate = lineage.gate or config.gate
    if gate.floor.overall is not None or gate.floor.slices:
        own = (*place, "gate", "floor") if lineage.gate else ("gate", "floor")
        yield (
            own,
            f"{name} compares answers in pairs, which have no score of their own",
            "set mode: grades, or remove floor:",
        )


def _of_canaries(place: Place, canaries: tuple[str, ...]) -> Iterator[Mistake]:
    for canary in canaries:
        if len(letters_of(canary)) < LEAST:
            what = f"the canary {shown(canary, 40)} has fewer than {LEAST} letters and digits"
            yield place, what, "choose a longer text of the prompt, which no answer has by chance"


def of_gate(config: Config) -> Iterator[Mistake]:
    """Yields the settings of the whole file's gate that no lineage can apply."""
    lineages = config.lineages.values()
    if not lineages:
        return
    fixed = any(lineage.gate is not None and lineage.gate.mode is GateMode.FIXED for lineage in lineages)
    if not fixed:
        yield from _of_gate(("gate",), config.gate, None)
    labels = tuple(label for lineage in lineages for label in lineage.labels)
    yield from _unknown(("gate", "margin", "classes"), "class", config.gate.margin.classes, labels)
    by_example = any(lineage.use_case == UseCase.EXTRACTION and not lineage.fields for lineage in lineages)
    if not by_example:
        fields = tuple(field for lineage in lineages for field in lineage.fields)
        yield from _unknown(("gate", "margin", "fields"), "field", config.gate.margin.fields, fields)


def _of_gate(place: Place, gate: GateConfig, default: GateConfig | None) -> Iterator[Mistake]:
    own = gate if default is None or "mode" in gate.model_fields_set else default
    if "repetitions" in gate.model_fields_set and gate.repetitions > 1 and own.mode is not GateMode.FIXED:
        yield (
            (*place, "repetitions"),
            "repetitions are for mode: fixed; a sequential gate chooses its own",
            "mode: fixed, or remove it",
        )


def _unknown(place: Place, what: str, named: dict[str, float], known: tuple[str, ...]) -> Iterator[Mistake]:
    for name in named:
        if name not in known:
            hint = did_you_mean(name, known) if known else "remove it"
            yield (*place, name), f"the margin of the {what} {shown(name)} has no such {what}", hint
