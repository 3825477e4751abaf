"""What a search for a better prompt runs with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.store.paid_outcomes import OnPaid
    from engine.improve.ports import Planning, Ports
    from engine.runner.budget import SpendingCap


class ImproveBudget(NamedTuple):
    """The budget of a search. A resumed one goes on with what its earlier attempts left."""

    usd: Decimal
    spent_usd: Decimal
    on_paid: OnPaid


@dataclass(frozen=True)
class Improving:
    """The tools of one search."""

    world: Planning
    ports: Ports
    cap: SpendingCap
