"""A stored experiment: what was designed and what every cell gave. ``promptverdict decide`` replays it offline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.values import Fraction, Value


class ExperimentCase(Value):
    """One case as the gate sees it: no text."""

    id: str
    slices: tuple[str, ...] = ()
    cluster: str | None = None
    protected: bool = False
    identical: bool = False
    """Both arms send the same request."""
    forbids: bool = False
    """It has texts that the answer must not hold."""
    added: bool = False
    """Only the head has it."""
    label: str | None = None
    """The expected class."""


class CaseHistory(Value):
    """Stored runs of the identical baseline request, when the experiment was designed."""

    runs: int = Field(ge=0)
    means: tuple[float | None, ...] = ()
    """By metric; ``None`` without runs."""
    variances: tuple[float | None, ...] = ()
    """By metric, between runs; ``None`` below two runs."""


class CellOutcome(Value):
    """What one cell gave."""

    case: int = Field(ge=0)
    arm: Literal[0, 1]
    """0 baseline, 1 candidate."""
    repetition: int = Field(ge=0)
    scores: tuple[Fraction | None, ...] | None
    """By metric; ``None`` for one that could not be computed, or for all when there was no answer."""
    forbidden: bool = False
    """The answer holds a text that its case forbids."""
    input_tokens: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    output_tokens: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    cost_usd: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    """Cache-neutral. ``None``, as for the tokens: the provider said nothing about it."""
    latency_s: float = Field(default=0, ge=0, allow_inf_nan=False)
    made_at: float | None = Field(default=None, allow_inf_nan=False)
    """When the answer came, in seconds since 1970."""


class ExperimentRecord(Value):
    """One lineage × one model, with everything that its decision was made from."""

    experiment_version: Literal[1] = 1
    lineage: str = ""
    model: str = ""
    content_digest: str
    """Of the requests of both arms, the gating tests and the policy."""
    gate: GateConfig
    metrics: tuple[MetricSpec, ...]
    cases: tuple[ExperimentCase, ...]
    history: tuple[CaseHistory, ...] | None = None
    """One for each case."""
    prompts: tuple[str, str] = ("", "")
    """A name for what each arm sends, made of its requests; empty for an arm that isn't there."""
    lineages: int = Field(default=1, ge=1)
    """Comparisons of the pull request."""
    paired: bool = True
    """False: a new prompt, without a baseline."""
    new: bool = False
    """Base has no version of this prompt, so that the baseline, if any, is a reference."""
    flips: int = Field(default=9_999, ge=99, le=99_999)
    outcomes: tuple[CellOutcome, ...] = ()
