"""What a pull request changes: lineages, and the policy that they are judged by."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from schemas.config import Budget, CommentPolicy, Config, LineageConfig, Mode, ModelConfig, RunConfig
from schemas.diffs import PromptDiff
from schemas.gate_config import GateConfig
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.scorecard import Change
from schemas.testsets import TestCase, TestSet
from schemas.trees import Merge
from schemas.values import Value
from schemas.verdicts import Reason


class Direction(StrEnum):
    """Where a changed setting moves later verdicts."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    NEUTRAL = "neutral"
    """Measured by this very pull request, or without influence on a verdict."""
    UNCLEAR = "not comparable"


class End(StrEnum):
    """How something that differs between base and the merge ends. There is no fourth way."""

    MEASURED = "measured"
    HARMLESS = "harmless"
    NEEDS_REVIEW = "needs_review"


class Ending(Value):
    """One thing that is watched and differs, and how that ends."""

    what: str
    """``prompt``, ``partial``, ``test set``, ``rubric``, ``people's grades`` or ``reference``."""
    path: str
    end: End
    why: str
    """What was measured, the rule by which it is harmless, or why it couldn't be measured."""


class PolicyChange(Value):
    """One setting of the configuration that the head writes differently."""

    key: str
    """The path of the setting: ``lineages.triage.gate.adversarial``."""
    before: str
    after: str
    direction: Direction

    @property
    def needs_review(self) -> bool:
        """The monotone rule: nothing that the head writes may loosen the gate unseen."""
        return self.direction in (Direction.LOOSER, Direction.UNCLEAR)

    @property
    def sentence(self) -> str:
        """``gate.adversarial: guard → watch (looser)``."""
        return f"{self.key}: {self.before} → {self.after} ({self.direction.value})"


class ModelPair(Value):
    """One experiment of a lineage: the model of each arm. Provider, address, key and price are always base's."""

    name: str
    """The candidate's model as the lineage names it."""
    candidate: ModelConfig
    baseline_name: str | None
    baseline: ModelConfig | None
    """``None`` when there is no baseline prompt."""

    @property
    def swapped(self) -> bool:
        """Whether the arms run on different models."""
        return self.baseline is not None and (self.baseline_name, self.baseline.model) != (
            self.name,
            self.candidate.model,
        )


class LineageChange(Value):
    """One lineage that this pull request affects, with all that is needed to plan its experiments."""

    name: str
    """Unique in the pull request: the configured name, after its folder where two configurations use the same."""
    root: str
    """Folder of the configuration; empty at the repository's root. Paths in ``config`` are relative to it."""
    config: LineageConfig
    """From base; from the head for a lineage that is new there."""
    models: tuple[ModelPair, ...]
    """An experiment each; empty when none can be run (a reason says why)."""
    gate: GateConfig
    run: RunConfig
    budget: Budget
    """The configuration's defaults, tightened by the lineage."""
    baseline: PromptFile | None
    """At base; ``None``: there is none (the prompt is new), or it can't be read."""
    candidate: PromptFile | None
    """After the merge; ``None``: deleted, or ``unreadable``."""
    unreadable: Finding | None = None
    """Why the candidate can't be read."""
    judged_by: PromptFile | None = None
    """The version whose inline evaluators score both arms: base's, or the candidate of a new lineage."""
    reference: PromptFile | None = None
    """What a new lineage is compared with, from base."""
    tests: TestSet | None = None
    """The gating cases, as base has them; from the head for a new lineage."""
    added_cases: tuple[TestCase, ...] = ()
    """Cases that only the head has: they may block, and never help."""
    removed_cases: tuple[str, ...] = ()
    edited_cases: tuple[str, ...] = ()
    """Ids of gating cases that the head lacks or writes differently: they run as base has them."""
    rubric: Rubric | None = None
    judge: ModelConfig | None = None
    judge_labels: str | None = None
    """Text of the file with people's grades, from base."""
    changes: tuple[Change, ...] = ()
    endings: tuple[Ending, ...] = ()
    """How everything watched that differs ends; planning looks again at what is to be measured."""
    reasons: tuple[Reason, ...] = ()
    """What already speaks for a verdict before any call."""
    warnings: tuple[Finding, ...] = ()
    diff: PromptDiff | None = None
    measured: bool = True
    """False: linted and planned only (the pull request that installs us); nothing is paid for it."""

    @property
    def matters(self) -> bool:
        """Whether anything that a verdict depends on changes."""
        return bool(self.changes or self.reasons)


class Detection(Value):
    """The answer to "what does this pull request change?"."""

    merge: Merge
    """What the verdict is about: the head, merged into the tip of its base."""
    config: Config | None
    """Base's configuration: the repository's own, else the first one that has an affected lineage."""
    mode: Mode = Mode.ENFORCE
    comment: CommentPolicy = CommentPolicy.CHANGES
    budget_usd: Decimal = Budget().per_run_usd
    """The highest cap of the configurations concerned, for the whole run."""
    lineages: tuple[LineageChange, ...] = ()
    """The affected ones only, by name."""
    harmless: tuple[Ending, ...] = ()
    """What differs in the files of lineages that are not affected, with the rules by which that is harmless."""
    names: tuple[str, ...] | None = None
    """Every lineage that there is, affected or not; ``None``: no path differs, so nobody looked."""
    unaffected: int = 0
    """How many configured lineages this pull request doesn't touch."""
    adoption: bool = False
    """Base has no configuration and the head brings one."""
    policy: tuple[PolicyChange, ...] = ()
    calling: tuple[str, ...] = ()
    """Changed files that lead a workflow to this gate."""
    reasons: tuple[Reason, ...] = ()
    """Reasons of the pull request as a whole."""
    warnings: tuple[Finding, ...] = ()
