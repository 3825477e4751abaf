"""``gate:`` in ``promptverdict.yaml``: how strict the gate is, with its defaults."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from schemas import margins
from schemas.values import Fraction, Value


class SlicePolicy(StrEnum):
    """How a slice is judged."""

    AVERAGE = "average"
    """Judged by its mean, which must not drop by more than its margin."""
    MUST_PASS = "must_pass"  # noqa: S105
    """Every case must hold: each confirmed break blocks."""
    GUARD = "guard"
    """Blocks when its passing cases break more often than those elsewhere."""
    WATCH = "watch"
    """Never blocks: many confirmed breaks need review."""


class GateMode(StrEnum):
    """Whether a run may stop early."""

    SEQUENTIAL = "sequential"
    FIXED = "fixed"


class Margins(Value):
    """Largest drops that are still acceptable, as fractions (0.05 = 5 points). What is written is never widened."""

    overall: Fraction | None = Field(
        default=None,
        description=f"Of the whole test set. Not written: {margins.OVERALL}, or the smallest drop that the cases can "
        f"rule out, up to {margins.WIDEST}.",
    )
    slice: Fraction | None = Field(
        default=None,
        description=f"Of every slice. Not written: {margins.SLICE}, or the smallest drop that its cases can rule out, "
        f"up to {margins.WIDEST}.",
    )
    slices: dict[str, Fraction] = {}
    """Of single slices, by name."""
    metrics: dict[str, Fraction] = {}
    """Of single metrics, by name: a dimension of the rubric, say."""
    classes: dict[str, Fraction] = {}
    """Of the cases that expect a label, by label: they are judged as a slice then."""
    fields: dict[str, Fraction] = {}
    """Of single fields of an extraction, by name."""


class Floor(Value):
    """Absolute minima for the candidate, as fractions."""

    overall: Fraction | None = None
    """Of the whole test set; ``floor: 0.8`` is short for this."""
    slices: dict[str, Fraction] = {}
    """Of single slices, by name."""


class GateConfig(Value):
    """The policy of one lineage. α, β and the looks are not options."""

    mode: GateMode = GateMode.SEQUENTIAL
    """``sequential`` stops as soon as the verdict is certain; ``fixed`` runs every case so many times, one look."""
    repetitions: int = Field(default=1, ge=1, le=25)
    """``mode: fixed`` only."""
    margin: Margins = Margins()
    """How large a drop must be ruled out."""
    adversarial: SlicePolicy | None = None
    """Short for ``slices: {adversarial: …}``; ``guard`` unless said otherwise."""
    slices: dict[str, SlicePolicy] = {}
    """How single slices are judged; the rest by their size."""
    max_cost_increase: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)] | None = Decimal("0.20")
    """Share by which the cost per case may rise; ``null`` switches the cost gate off."""
    latency: Literal["advisory", "gate"] = "advisory"
    """Whether slower answers block or are only shown."""
    max_latency_increase: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    """Share by which the median latency may rise, where latency gates."""
    floor: Floor = Floor()
    """What the candidate must reach whatever the baseline is."""
    inconclusive: Literal["pass", "block"] = "pass"
    """Whether the check passes where the cases can't tell."""

    @field_validator("floor", mode="before")
    @classmethod
    def _floor_may_be_a_number(cls, value: object) -> object:
        return {"overall": value} if isinstance(value, int | float) and not isinstance(value, bool) else value
