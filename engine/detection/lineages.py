"""One lineage: what the pull request changes about it, and everything that judging it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.detection.commits import Commits
from engine.detection.entries import Entry
from engine.detection.evidence import grading_of, tests_of
from engine.detection.files import below, folder_of
from engine.detection.models import Side, model_of, pair_models
from engine.detection.prompts import (
    Versions,
    approval,
    lines_changed,
    path_before,
    prompt_changes,
    prompt_reasons,
    prompt_warnings,
    read_at,
    versions_of,
)
from engine.detection.quoted import judged, newly_quoted
from engine.detection.settings import folded, settings_of
from engine.prompt_diff import diff_prompts
from schemas.config import Budget, Floor, GateConfig, ModelConfig, RunConfig
from schemas.detection import LineageChange, ModelPair
from schemas.prompts import Dialect, Finding, PromptFile, UseCase
from schemas.scorecard import Change, PromptDiff, Reason, ReasonCode
from schemas.testsets import TestCase


def may_be_affected(entry: Entry, commits: Commits) -> bool:
    """Whether reading it is worth while: a path of it is touched, a setting changes, or what its prompt includes."""
    touches = commits.changes.touches
    if entry.new or entry.policy or entry.models_changed or any(touches(folder_of(path)) for path in entry.paths):
        return True
    before = path_before(entry, commits)
    if before is None:
        return False
    raw = commits.ancestor.get(before)
    if touches(folder_of(before)) or (raw is not None and b"{%" not in raw):
        return touches(folder_of(before))
    prompt = read_at(commits.ancestor, before)
    if not isinstance(prompt, PromptFile):
        return False
    # By name: a file that appears may take the place of the one that was included.
    included = {name.rpartition("/")[2] for name in (*prompt.included, *prompt.partials)}
    return bool(included & commits.changes.names)


def lineage_change(entry: Entry, commits: Commits, base_ref: str) -> LineageChange | None:
    """What changes about the lineage; ``None`` if nothing that matters does."""
    versions = versions_of(entry, commits)
    old, new = versions.old, versions.new
    head_lineage = entry.head_lineage or entry.lineage
    pairs, refused = pair_models(
        Side(entry.config, entry.lineage, old), Side(entry.head_config, head_lineage, new or old)
    )
    gating = tests_of(entry, versions, commits)
    grading = grading_of(entry, commits)
    changes = (
        *prompt_changes(entry, versions),
        *_model_changes(pairs),
        *gating.changes,
        *grading.changes,
        *(Change(kind="policy", detail=change.sentence) for change in entry.policy),
    )
    chosen_anew = entry.models_changed or (old and old.model) != (new and new.model)
    if not changes and not (refused and chosen_anew):
        return None
    cases = (*gating.tests.cases, *gating.cases.added) if gating.tests else gating.cases.added
    quoted, few_quoted = judged(newly_quoted(old, new, cases) if new else (), cases)
    looked_up = _lookups(old, new, cases) if new and new.dialect is Dialect.JINJA else ()
    judge, unknown_judge, other_judge = _judge(entry, versions.judge, pairs)
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
        reference=_reference(entry, commits),
        tests=gating.tests,
        added_cases=gating.cases.added,
        removed_cases=gating.cases.removed,
        edited_cases=gating.cases.edited,
        rubric=grading.rubric,
        judge=judge,
        judge_labels=grading.labels,
        changes=changes,
        reasons=(
            *prompt_reasons(entry, versions),
            *(approval(ReasonCode.POLICY_CHANGED, f"{entry.name}: {why}.") for why in (*refused, *unknown_judge)),
            *gating.reasons,
            *grading.reasons,
            *quoted,
            *looked_up,
        ),
        warnings=(
            *prompt_warnings(entry, versions, commits, base_ref),
            *(gating.tests.warnings if gating.tests else ()),
            *other_judge,
            *few_quoted,
        ),
        diff=_diff(versions, commits),
        measured=not entry.adopted,
    )


def _lookups(old: PromptFile | None, new: PromptFile, cases: Sequence[TestCase]) -> tuple[Reason, ...]:
    from engine.detection.lookups import lookups  # Jinja's parser, that most prompts don't need

    return lookups(old, new, cases)


def _diff(versions: Versions, commits: Commits) -> PromptDiff | None:
    old, new = versions.old, versions.new
    if old is None and new is None:
        return None
    return diff_prompts(old, new).model_copy(update={"file_lines": lines_changed(versions, commits)})


def _model_changes(pairs: Sequence[ModelPair]) -> Iterator[Change]:
    for pair in pairs:
        if pair.swapped:
            yield Change(kind="model", detail=f"{pair.baseline_name} → {pair.name}")
        elif pair.baseline and pair.baseline.parameters != pair.candidate.parameters:
            yield Change(kind="parameters", detail=f"parameters of the model {pair.name}")


def _settings(entry: Entry) -> tuple[GateConfig, RunConfig, Budget]:
    """A new lineage's own gate holds after the merge: until then base's does, with the higher of both floors."""
    gate, run, budget = settings_of(entry.config, entry.lineage)
    if not entry.new or entry.adopted:
        return gate, run, budget
    base, own, gate = entry.config.gate.floor, gate.floor, folded(entry.config.gate)
    slices = {name: max(base.slices.get(name, 0), own.slices.get(name, 0)) for name in {**base.slices, **own.slices}}
    overall = max((floor for floor in (base.overall, own.overall) if floor is not None), default=None)
    return gate.model_copy(update={"floor": Floor(overall=overall, slices=slices)}), run, budget


def _judge(
    entry: Entry, prompt: PromptFile | None, pairs: Sequence[ModelPair]
) -> tuple[ModelConfig | None, tuple[Finding, ...], tuple[Finding, ...]]:
    """The judge's model, why it needs approval, and what is worth a warning. All of it by base's configuration.

    The lineage's own judge; else the one that the prompt's evaluators name, where base configures that model or none at
    all; else base's default; else the model that the prompt itself runs on. A file can't have others pay for a model,
    or send their key anywhere, that base doesn't know.
    """
    config = entry.config
    if entry.lineage.judge:
        model = model_of(entry.lineage.judge.model, config)
        unknown = Finding(what=f"base's configuration has no model {entry.lineage.judge.model!r} to judge with")
        return model, () if model else (unknown,), ()
    asking = [one for one in (prompt.evaluators if prompt else ()) if one.judge_prompt or one.uses]
    if not asking or entry.lineage.rubric or entry.lineage.use_case is not UseCase.GENERATION:
        return None, (), ()
    named = next((one.judge_model for one in asking if one.judge_model), None)
    model = model_of(named, config) if named else None
    if model is not None and (not config.models or model in config.models.values()):
        return model, (), ()
    default = config.defaults.model
    default = default if isinstance(default, str) or default is None else default[0]
    model = model_of(default, config) if default else None
    model = model or next((pair.baseline or pair.candidate for pair in pairs), None)
    if named is None or model is None:
        return model, (), ()
    what = f"the evaluators of {entry.name} name the judge {named!r}, which base does not configure"
    return model, (), (Finding(what=what, mend=f"{model.model} judges instead; add the model to models: in base"),)


def _reference(entry: Entry, commits: Commits) -> PromptFile | None:
    """What a new lineage is compared with: base's version, never the head's."""
    if entry.lineage.reference is None:
        return None
    prompt = read_at(commits.base, below(entry.root, entry.lineage.reference))
    return prompt if isinstance(prompt, PromptFile) else None
