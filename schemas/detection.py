"""The changes of a pull request: lineages, and the policy that judges them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from schemas.config import Budget, CommentPolicy, Config, LineageConfig, Mode, ModelConfig, RunConfig
from schemas.diffs import PromptDiff
from schemas.gate_config import GateConfig
from schemas.ports import ScorerSource
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.scorecard import Change
from schemas.testsets import TestCase, TestSet
from schemas.trees import Merge
from schemas.values import Value
from schemas.verdicts import Reason


class Direction(StrEnum):
    """The effect of a changed setting on later verdicts."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    NEUTRAL = "neutral"
    """Measured by this pull request, or without effect on a verdict."""
    UNCLEAR = "not comparable"


class End(StrEnum):
    """The handling of a difference between base and merge. There are exactly three."""

    MEASURED = "measured"
    HARMLESS = "harmless"
    NEEDS_REVIEW = "needs_review"


class Ending(Value):
    """One watched difference and its handling."""

    what: str
    """``prompt``, ``partial``, ``test set``, ``rubric``, ``people's grades``, ``scorer`` or ``reference``."""
    path: str
    end: End
    why: str
    """What was measured, the rule that makes it harmless, or why it couldn't be measured."""


class PolicyChange(Value):
    """One setting that differs in the head's configuration."""

    key: str
    """The dotted path of the setting: ``lineages.triage.gate.adversarial``."""
    before: str
    after: str
    direction: Direction

    @property
    def needs_review(self) -> bool:
        """Whether it needs review. No change may loosen the gate without one."""
        return self.direction in (Direction.LOOSER, Direction.UNCLEAR)

    @property
    def sentence(self) -> str:
        """``gate.adversarial: guard → watch (looser)``."""
        return f"{self.key}: {self.before} → {self.after} ({self.direction.value})"


class ModelPair(Value):
    """One experiment of a lineage: the model of each arm. Provider, address, key and price always come from the
    base."""

    name: str
    """Name of the candidate's model in the lineage."""
    candidate: ModelConfig
    baseline_name: str | None
    baseline: ModelConfig | None
    """``None`` if there is no baseline prompt."""

    @property
    def swapped(self) -> bool:
        """Whether the arms run on different models."""
        return self.baseline is not None and (self.baseline_name, self.baseline.model) != (
            self.name,
            self.candidate.model,
        )


class LineageChange(Value):
    """One lineage that this pull request affects, with everything needed to plan its experiments."""

    name: str
    """Unique in the pull request: the configured name, prefixed by its folder if two configurations use the same."""
    root: str
    """Folder of the configuration; empty at the repository's root. Paths in ``config`` are relative to it."""
    config: LineageConfig
    """From the base, or from the head for a new lineage."""
    models: tuple[ModelPair, ...]
    """One experiment each. Empty if none can run (a reason says why)."""
    gate: GateConfig
    run: RunConfig
    budget: Budget
    """The configuration's defaults, overridden by the lineage."""
    baseline: PromptFile | None
    """The prompt at the base. ``None``: it is new, or can't be read."""
    candidate: PromptFile | None
    """The prompt after the merge. ``None``: deleted, or ``unreadable``."""
    unreadable: Finding | None = None
    """Why the candidate can't be read."""
    judged_by: PromptFile | None = None
    """The version whose inline evaluators score both arms: the base's, or the candidate of a new lineage."""
    reference: PromptFile | None = None
    """The reference of a new lineage, from the base."""
    tests: TestSet | None = None
    """The gating cases from the base, or from the head for a new lineage."""
    added_cases: tuple[TestCase, ...] = ()
    """Cases that only the head has. They may block, but never help."""
    removed_cases: tuple[str, ...] = ()
    edited_cases: tuple[str, ...] = ()
    """Ids of gating cases that the head removes or edits. The base's versions run."""
    rubric: Rubric | None = None
    scorer: ScorerSource | None = None
    """The lineage's own scorer, from the base."""
    judges: tuple[ModelConfig, ...] = ()
    judge_labels: str | None = None
    """Text of the file with people's grades, from the base."""
    changes: tuple[Change, ...] = ()
    endings: tuple[Ending, ...] = ()
    """The handling of every watched difference. Planning checks the measured ones again."""
    reasons: tuple[Reason, ...] = ()
    """Reasons that are known before any call."""
    warnings: tuple[Finding, ...] = ()
    diff: PromptDiff | None = None
    texts: dict[str, str] = {}
    """Text of the candidate's changed files, by path, in which its changed lines are found."""
    measured: bool = True
    """False: only checked and planned, without paid calls (in the pull request that installs the gate)."""

    @property
    def matters(self) -> bool:
        """Whether anything that a verdict depends on changes."""
        return bool(self.changes or self.reasons)


class Detection(Value):
    """The answer to "what does this pull request change?"."""

    merge: Merge
    """The merge of the head into the tip of its base, which the verdict is about."""
    config: Config | None
    """The base's configuration: the repository's own, or the first one with an affected lineage."""
    configs: dict[str, Config] = {}
    """Every configuration by its folder. Only of a commit that is compared with nothing."""
    mode: Mode = Mode.ENFORCE
    comment: CommentPolicy = CommentPolicy.CHANGES
    budget_usd: Decimal = Budget().per_run_usd
    """The highest cap of the affected configurations, for the whole run."""
    explain_usd: Decimal = Budget().per_run_usd / 10
    """The most that finding the guilty parts may cost, within ``budget_usd``."""
    lineages: tuple[LineageChange, ...] = ()
    """The affected lineages, by name."""
    harmless: tuple[Ending, ...] = ()
    """Harmless differences in the files of lineages that are not affected."""
    names: tuple[str, ...] | None = None
    """All lineages, affected or not. ``None``: no path differs, so they were not read."""
    unaffected: int = 0
    """Number of configured lineages that this pull request doesn't affect."""
    adoption: bool = False
    """Whether the base has no configuration and the head adds one."""
    policy: tuple[PolicyChange, ...] = ()
    calling: tuple[str, ...] = ()
    """Changed files through which a workflow calls this gate."""
    reasons: tuple[Reason, ...] = ()
    """Reasons about the pull request as a whole."""
    warnings: tuple[Finding, ...] = ()

    def config_of(self, lineage: LineageChange) -> Config | None:
        """Returns the configuration of a lineage's folder, of a commit that is compared with nothing."""
        return self.configs.get(lineage.root, self.config)
