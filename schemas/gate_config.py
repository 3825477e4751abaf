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
    """Every case must pass: each confirmed break blocks."""
    GUARD = "guard"
    """Blocks if its passing cases break more often than the other cases."""
    WATCH = "watch"
    """Never blocks. Many confirmed breaks need review."""


class GateMode(StrEnum):
    """Whether a run may stop early."""

    SEQUENTIAL = "sequential"
    FIXED = "fixed"


class Margins(Value):
    """Largest acceptable drops, as fractions (0.05 = 5 points). Configured margins are never widened."""

    overall: Fraction | None = Field(
        default=None,
        description=f"Of the whole test set. By default {margins.OVERALL}, or the smallest drop that the cases can "
        f"rule out, up to {margins.WIDEST}.",
    )
    slice: Fraction | None = Field(
        default=None,
        description=f"Of every slice. By default {margins.SLICE}, or the smallest drop that its cases can rule out, "
        f"up to {margins.WIDEST}.",
    )
    slices: dict[str, Fraction] = {}
    """Of single slices, by name."""
    metrics: dict[str, Fraction] = {}
    """Of single metrics, by name, such as a dimension of the rubric."""
    classes: dict[str, Fraction] = {}
    """Of the cases that expect a label, by label. They are then judged as a slice."""
    fields: dict[str, Fraction] = {}
    """Of single fields of an extraction, by name."""


class Floor(Value):
    """Absolute minima of the candidate's score, as fractions."""

    overall: Fraction | None = None
    """Of the whole test set. ``floor: 0.8`` is short for this."""
    slices: dict[str, Fraction] = {}
    """Of single slices, by name."""


class GateConfig(Value):
    """The policy of one lineage. α, β and the looks are not options."""

    mode: GateMode = GateMode.SEQUENTIAL
    """``sequential`` stops as soon as the verdict is certain. ``fixed`` runs every case a fixed number of times."""
    repetitions: int = Field(default=1, ge=1, le=25)
    """``mode: fixed`` only."""
    margin: Margins = Margins()
    """The drops to rule out."""
    adversarial: SlicePolicy | None = None
    """Short for ``slices: {adversarial: …}``. ``guard`` by default."""
    slices: dict[str, SlicePolicy] = {}
    """How single slices are judged. The size of the others decides."""
    max_cost_increase: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)] | None = Decimal("0.20")
    """Share by which the cost per case may rise; ``null`` switches the cost gate off."""
    latency: Literal["advisory", "gate"] = "advisory"
    """Whether slower answers block or are only shown."""
    max_latency_increase: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    """Share by which the median latency may rise, if latency gates."""
    floor: Floor = Floor()
    """The scores that the candidate must reach, whatever the baseline's."""
    inconclusive: Literal["pass", "block"] = "pass"
    """Whether the check passes if the verdict is inconclusive."""

    @field_validator("floor", mode="before")
    @classmethod
    def _floor_may_be_a_number(cls, value: object) -> object:
        return {"overall": value} if isinstance(value, int | float) and not isinstance(value, bool) else value
