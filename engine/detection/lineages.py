"""One lineage: its changes by the pull request, and everything needed to judge it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.detection.entries import Entry, reference_in
from engine.detection.evidence import Gating, grading_of, tests_ending, tests_of
from engine.detection.harmless import harmless_rule
from engine.detection.leftovers import leftover_reasons
from engine.detection.models import CommitSide, model_of, models_alone, pair_models
from engine.detection.places import place_after, read_for
from engine.detection.prompt_diff import diff_prompts
from engine.detection.prompts import (
    Versions,
    approval,
    candidate_texts,
    lines_changed,
    prompt_changes,
    prompt_ends,
    prompt_reasons,
    prompt_warnings,
    settled_versions,
    unmeasured_reasons,
    versions_of,
)
from engine.detection.quoted import judged, newly_quoted
from engine.detection.settings import folded, settings_of
from engine.detection.sides import Sides
from engine.detection.snapshot import PROMPT_AND_TESTS, Difference, Watched, configured_paths, differences, made_of
from engine.detection.test_paths import named_by_tests
from engine.detection.unfilled import unfilled_warnings
from engine.readers.file_patterns import is_pattern
from schemas.config import Budget, Config, ModelConfig, RunConfig
from schemas.detection import End, Ending, LineageChange, ModelPair
from schemas.diffs import PromptDiff
from schemas.gate_config import Floor, GateConfig
from schemas.prompts import Dialect, Finding, InlineEvaluator, PromptFile
from schemas.references import Reference
from schemas.scorecard import Change
from schemas.testsets import TestCase
from schemas.use_cases import UseCase
from schemas.verdicts import Reason, ReasonCode


def affected(entries: Sequence[Entry], sides: Sides) -> list[tuple[Entry, tuple[Difference, ...]]]:
    """Returns the lineages that have to be read, each with the differences of its files.

    The others have no difference in a watched file or a setting.
    """
    before = made_of({entry.prompt for entry in entries}, sides.base)
    of_tests = named_by_tests(entries, sides)
    named = {entry.name: _watched(entry, before, of_tests.get(entry.name, {})) for entry in entries}
    reached = [
        entry
        for entry in entries
        if entry.new or entry.policy or entry.models_changed or differences(named[entry.name], sides.changes)
    ]
    _fetch(reached, sides)
    places = {entry.name: place_after(entry, sides) or entry.head_prompt for entry in reached}
    after = made_of(places.values(), sides.merged)
    return [
        (entry, differences({**after[places[entry.name]], **named[entry.name]}, sides.changes)) for entry in reached
    ]


def _fetch(entries: Sequence[Entry], sides: Sides) -> None:
    """Reads the files of lineages with a few requests to git. A request for each file would take most of the time."""
    named = {path for entry in entries for path in entry.paths if not is_pattern(path)}
    new = {path for entry in entries if entry.new for path in entry.paths if not is_pattern(path)}
    prompts = {path for entry in entries for path in (*entry.prompt.paths, *entry.head_prompt.paths)}
    moved = {sides.changes.moves.get(path, path) for path in prompts}
    sides.base.fetch(named)
    sides.base.fetch_prompts(prompts)
    # Most test sets are the same on both sides, and only the base's counts.
    sides.merged.fetch(new | (named & sides.changes.touched))
    sides.merged.fetch_prompts(prompts | moved)


def _watched(entry: Entry, prompts: Mapping[Reference, Watched], of_tests: Watched) -> dict[str, str]:
    """Returns the lineage's files at the base, and the files that the base or the head names for it.

    ``of_tests`` holds what its test set names in turn.
    """
    sides = [lineage for lineage in (entry.lineage, entry.head_lineage) if lineage]
    named = {path: what for lineage in sides for path, what in configured_paths(entry, lineage).items()} | {**of_tests}
    parts = {**prompts[entry.prompt], **dict.fromkeys(entry.head_prompt.paths, "prompt")}
    both = {path: PROMPT_AND_TESTS for path, what in named.items() if what == "test set" and path in parts}
    return {**named, **parts, **both}


def lineage_change(entry: Entry, found: Sequence[Difference], sides: Sides, *, alone: bool = False) -> LineageChange:
    """Returns what changes about the lineage; without any ``changes`` if nothing that matters does.

    ``alone``: the prompt is compared with nothing, and its own commit is the one that is trusted.
    """
    versions = versions_of(entry, sides, [difference for difference in found if difference.of_prompt])
    gating = tests_of(entry, versions, sides, found)
    versions = settled_versions(versions, gating.all_cases, static=entry.lineage.static)
    old, new = versions.old, versions.fresh
    head_lineage = entry.head_lineage or entry.lineage
    after = CommitSide(entry.head_config, head_lineage, new or old)
    pairs, refused = models_alone(after) if alone else pair_models(CommitSide(entry.config, entry.lineage, old), after)
    grading = grading_of(entry, sides, found, alone=alone)
    endings = tuple(_endings(entry, found, versions, gating, sides))
    matters = _matters(entry, found, endings, versions) or (bool(refused) and _chooses_anew(entry, versions))
    changes = (
        *(prompt_changes(entry, versions, found) if matters else ()),
        *_model_changes(pairs),
        *gating.changes,
        *grading.changes,
        *(Change(kind="policy", detail=change.sentence) for change in entry.policy),
    )
    judges, unknown_judge, other_judge = _judges(entry, versions.judge, pairs)
    answers, few_answers = _answers_in_text(versions, gating.all_cases)
    gate, run, budget = _settings(entry)
    return LineageChange(
        name=entry.name,
        root=entry.root,
        config=entry.lineage,
        models=pairs if new else (),
        gate=gate,
        run=run,
        budget=budget,
        baseline=old,
        candidate=new,
        unreadable=versions.candidate if isinstance(versions.candidate, Finding) else None,
        judged_by=versions.judge,
        reference=_reference(entry, sides),
        tests=gating.tests,
        added_cases=gating.cases.added,
        removed_cases=gating.cases.removed,
        edited_cases=gating.cases.edited,
        rubric=grading.rubric,
        scorer=grading.scorer,
        judges=judges,
        judge_labels=grading.labels,
        changes=changes,
        endings=endings,
        reasons=(
            *prompt_reasons(entry, versions),
            *unmeasured_reasons(entry.name, endings, versions),
            *(approval(ReasonCode.POLICY_CHANGED, f"{entry.name}: {why}.") for why in (*refused, *unknown_judge)),
            *gating.reasons,
            *grading.reasons,
            *leftover_reasons(entry.name, old, new),
            *answers,
        ),
        warnings=(
            *prompt_warnings(entry, versions),
            *unfilled_warnings(new, versions.judge, gating.all_cases),
            *(gating.tests.warnings if gating.tests else ()),
            *_unread_notes(entry, versions.judge, gating.all_cases),
            *other_judge,
            *few_answers,
        ),
        diff=_diff(versions, sides),
        texts=candidate_texts(versions, sides),
        measured=not entry.adopted,
    )


def _matters(entry: Entry, found: Sequence[Difference], endings: Sequence[Ending], versions: Versions) -> bool:
    """Returns whether the differences of its files concern the lineage."""
    harmless = all(ending.end is End.HARMLESS for ending in endings)
    moved = versions.before != versions.after or any(difference.moved_only for difference in found)
    return entry.new or not harmless or moved


def _chooses_anew(entry: Entry, versions: Versions) -> bool:
    """Returns whether the pull request has a say in which model is measured."""
    old, new = versions.old, versions.fresh
    return entry.models_changed or (old and old.model) != (new and new.model)


def _answers_in_text(versions: Versions, cases: Sequence[TestCase]) -> tuple[tuple[Reason, ...], tuple[Finding, ...]]:
    """Returns reasons and warnings for a candidate that quotes test cases or looks answers up by an input's text."""
    old, new = versions.old, versions.fresh
    if new is None:
        return (), ()
    quoted, few_quoted = judged(newly_quoted(old, new, cases), cases)
    if new.dialect is not Dialect.JINJA:
        return quoted, few_quoted
    from engine.detection.lookups import lookups  # Jinja's parser, that most prompts don't need

    return (*quoted, *lookups(old, new, cases)), few_quoted


def _endings(
    entry: Entry, found: Sequence[Difference], versions: Versions, gating: Gating, sides: Sides
) -> Iterator[Ending]:
    """How each difference ends. What no rule here names needs review."""
    of_prompt = [difference for difference in found if difference.of_prompt]
    for end, path, why in prompt_ends(entry, versions, of_prompt, sides):
        is_partial = any(difference.what == "partial" for difference in of_prompt if difference.path == path)
        yield Ending(what="partial" if is_partial else "prompt", path=path, end=end, why=why)
    for difference in found:
        if difference.of_tests:
            end, why = tests_ending(difference, gating)
            yield Ending(what="test set", path=difference.path, end=end, why=why)
        elif not difference.of_prompt:
            rule = harmless_rule(difference, sides)
            end, why = (End.HARMLESS, rule) if rule else (End.NEEDS_REVIEW, "the base's version was used")
            yield Ending(what=difference.what, path=difference.path, end=end, why=why)


def _diff(versions: Versions, sides: Sides) -> PromptDiff | None:
    old, new = versions.old, versions.fresh
    # A prompt that can't be read is not deleted, as a diff would show it.
    if isinstance(versions.candidate, Finding) or (old is None and new is None):
        return None
    file, lines = lines_changed(versions, sides)
    return diff_prompts(old, new).model_copy(update={"file": file, "file_lines": lines})


def _model_changes(pairs: Sequence[ModelPair]) -> Iterator[Change]:
    for pair in pairs:
        if pair.swapped:
            yield Change(kind="model", detail=f"{pair.baseline_name} → {pair.name}")
        elif pair.baseline and pair.baseline.parameters != pair.candidate.parameters:
            yield Change(kind="parameters", detail=f"parameters of the model {pair.name}")


def _settings(entry: Entry) -> tuple[GateConfig, RunConfig, Budget]:
    """Returns gate, run settings and budget.

    A new lineage's own gate applies after the merge. Until then, the base's gate applies, with the higher of both
    floors.
    """
    gate, run, budget = settings_of(entry.config, entry.lineage)
    if not entry.new or entry.adopted:
        return gate, run, budget
    base, own, gate = entry.config.gate.floor, gate.floor, folded(entry.config.gate)
    slices = {name: max(base.slices.get(name, 0), own.slices.get(name, 0)) for name in {**base.slices, **own.slices}}
    overall = max((floor for floor in (base.overall, own.overall) if floor is not None), default=None)
    return gate.model_copy(update={"floor": Floor(overall=overall, slices=slices)}), run, budget


def _judges(
    entry: Entry, prompt: PromptFile | None, pairs: Sequence[ModelPair]
) -> tuple[tuple[ModelConfig, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """Returns the judges' models, reasons for review, and warnings. All come from the base's configuration.

    The lineage's own judges come first. Next is the judge that the prompt's evaluators name, if the base configures
    that model or no models at all. Then follow the base's default model and the prompt's own model. A prompt file can't
    use a model, or send a key to an address, that the base doesn't know.
    """
    config = entry.config
    if entry.lineage.judge:
        models, unknown = _own_judges(entry.lineage.judge.models, config)
        return models, unknown, ()
    asking = _asking(entry, prompt)
    if not asking:
        return (), (), ()
    named = next((one.judge_model for one in asking if one.judge_model), None)
    model = model_of(named, config) if named else None
    if model is not None and (not config.models or model in config.models.values()):
        return (model,), (), ()
    model = _default_judge(config, pairs)
    if named is None or model is None:
        return (model,) if model else (), (), ()
    what = f"the evaluators of {entry.name} name the judge {named!r}, which the base does not configure"
    return (
        (model,),
        (),
        (Finding(what=what, hint=f"{model.model} judges instead; add the model to models: in the base configuration"),),
    )


def _own_judges(names: Sequence[str], config: Config) -> tuple[tuple[ModelConfig, ...], tuple[Finding, ...]]:
    """Returns the models of these names, or which of them the base doesn't know."""
    found = {name: model_of(name, config) for name in names}
    unknown = [name for name, model in found.items() if model is None]
    missing = (Finding(what=f"the judge's model {name!r} is not in the base configuration") for name in unknown)
    # Some of the judges alone would be another jury than the configured one.
    return () if unknown else tuple(model for model in found.values() if model is not None), tuple(missing)


def _asking(entry: Entry, prompt: PromptFile | None) -> list[InlineEvaluator]:
    """Returns the evaluators of the prompt file that need a judge."""
    if prompt is None or entry.lineage.rubric or entry.lineage.use_case != UseCase.GENERATION:
        return []
    return [one for one in prompt.evaluators if one.judge_prompt or one.uses]


def _unread_notes(entry: Entry, prompt: PromptFile | None, cases: Sequence[TestCase]) -> tuple[Finding, ...]:
    """Returns a warning if cases have notes for a judge, and no judge is asked."""
    noted = [case for case in cases if case.rubric]
    if not noted or entry.lineage.rubric or _asking(entry, prompt):
        return ()
    what = f"no judge reads the `rubric` of {len(noted)} case{'s' if len(noted) > 1 else ''} of {entry.name}"
    return (Finding(what=what, where=noted[0].where, hint="add rubric: and judge: to the lineage"),)


def _default_judge(config: Config, pairs: Sequence[ModelPair]) -> ModelConfig | None:
    """Returns the base's default model, or else the prompt's own."""
    default = config.defaults.model
    name = default if isinstance(default, str) or default is None else default[0]
    model = model_of(name, config) if name else None
    return model or next((pair.baseline or pair.candidate for pair in pairs), None)


def _reference(entry: Entry, sides: Sides) -> PromptFile | None:
    """Returns the reference for a new lineage: the base's version, never the head's."""
    if entry.lineage.reference is None:
        return None
    prompt = read_for(sides.base, reference_in(entry.root, entry.lineage.reference), entry, entry.tools)
    return prompt if isinstance(prompt, PromptFile) else None
