"""A stored experiment: its design and the result of every cell. ``promptverdict decide`` replays it offline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.values import Fraction, Value


class ExperimentCase(Value):
    """One case as the gate sees it, without any text."""

    id: str
    slices: tuple[str, ...] = ()
    cluster: str | None = None
    protected: bool = False
    identical: bool = False
    """Whether both arms send the same request."""
    forbids: bool = False
    """Whether it forbids texts in the answer."""
    added: bool = False
    """Whether only the head has it."""
    label: str | None = None
    """The expected class."""


class CaseHistory(Value):
    """Stored runs of the same baseline request when the experiment was designed."""

    runs: int = Field(ge=0)
    means: tuple[float | None, ...] = ()
    """By metric; ``None`` without runs."""
    variances: tuple[float | None, ...] = ()
    """By metric, between runs; ``None`` below two runs."""


class CellOutcome(Value):
    """The result of one cell."""

    case: int = Field(ge=0)
    arm: Literal[0, 1]
    """0 baseline, 1 candidate."""
    repetition: int = Field(ge=0)
    scores: tuple[Fraction | None, ...] | None
    """By metric. ``None`` for a metric that could not be computed; all are ``None`` without an answer."""
    forbidden: bool = False
    """Whether the answer contains text that its case forbids."""
    input_tokens: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    output_tokens: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    cost_usd: float | None = Field(default=0, ge=0, allow_inf_nan=False)
    """What the call costs without a provider's prompt cache. ``None``, as for the tokens: not reported."""
    latency_s: float = Field(default=0, ge=0, allow_inf_nan=False)
    made_at: float | None = Field(default=None, allow_inf_nan=False)
    """Time of the answer, in seconds since 1970."""


class ExperimentRecord(Value):
    """One lineage and one model, with all inputs of its decision."""

    experiment_version: Literal[1] = 1
    lineage: str = ""
    model: str = ""
    content_digest: str
    """Digest of the requests of both arms, the gating tests and the policy."""
    gate: GateConfig
    metrics: tuple[MetricSpec, ...]
    cases: tuple[ExperimentCase, ...]
    history: tuple[CaseHistory, ...] | None = None
    """One for each case."""
    prompts: tuple[str, str] = ("", "")
    """A name for the requests of each arm, derived from them; empty for a missing arm."""
    lineages: int = Field(default=1, ge=1)
    """Number of comparisons of the pull request."""
    paired: bool = True
    """False: a new prompt, without a baseline."""
    new: bool = False
    """Whether the base has no version of this prompt. The baseline, if any, is then a reference."""
    flips: int = Field(default=9_999, ge=99, le=99_999)
    outcomes: tuple[CellOutcome, ...] = ()
