"""Explains the verdicts of a run that don't approve. A failure of it is a sentence, never another verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.blame.blame import blame
from engine.blame.planned import BlamePlan, plan_blame
from engine.planning.plan import Plan
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.experiment import Progress
from schemas.blame import Blame, BlameResult
from schemas.detection import LineageChange
from schemas.errors import PromptVerdictError
from schemas.ports import Clock, OutcomeStore, TemplateRenderer
from schemas.scorecard import LineageCard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from schemas.scorecard import Spending

EXPLAINED = (VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW)
"""Verdicts that are explained."""

Decided = tuple[LineageChange, Plan, LineageCard]


@dataclass(frozen=True)
class Explainer:
    """What an explanation needs beside the ports of a run."""

    renderer: TemplateRenderer
    agree: Callable[[BlamePlan], bool] = lambda _: True
    """Returns whether a planned search may spend its money."""


async def explained(
    decided: Sequence[Decided],
    explainer: Explainer,
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    budget_usd: Decimal,
    within: SpendingCap | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Decided]:
    """Returns the cards, with the guilty parts of changes that are not approved. Together they cost at most
    ``budget_usd``."""
    left, result = budget_usd, []
    for change, plan, card in decided:
        if card.status not in EXPLAINED or not left:
            result.append((change, plan, card))
            continue
        try:
            found = plan_blame(change, plan, card, explainer.renderer, left)
            if isinstance(found, BlamePlan):
                found = (
                    await blame(
                        found,
                        renderer=explainer.renderer,
                        access=access,
                        store=store,
                        clock=clock,
                        within=within,
                        on_progress=on_progress,
                    )
                    if explainer.agree(found)
                    else Blame(result=BlameResult.NOT_RUN, sentence="It was only planned.")
                )
        # The verdict stands, whatever happens to its explanation.
        except PromptVerdictError as error:
            found = Blame(result=BlameResult.STOPPED, sentence=f"The guilty part was not found: {error}.")
        left = max(left - found.cost_usd, Decimal(0))
        spending = _with(card.spending, found)
        result.append((change, plan, card.model_copy(update={"blame": found, "spending": spending})))
    return result


def _with(spending: Spending, found: Blame) -> Spending:
    """Returns the lineage's spending with that of its explanation."""
    return spending.model_copy(
        update={
            "planned": spending.planned + found.made + found.stored,
            "made": spending.made + found.made,
            "stored": spending.stored + found.stored,
            "cost_usd": spending.cost_usd + found.cost_usd,
        }
    )
