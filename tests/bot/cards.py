"""Scorecards for tests of the bot."""

from decimal import Decimal

from schemas.scorecard import CommitRef, Scorecard, Spending
from schemas.verdicts import VerdictStatus


def card(status="approved", *, cost="0", head="a" * 40, lineages=()):
    """A scorecard of nothing but what is asked for."""
    return Scorecard(
        status=VerdictStatus(status), passes=status == "approved", title=status, summary=status,
        base=CommitRef(ref="main", sha="0" * 40), merge_base=None, head=CommitRef(ref="topic", sha=head),
        spending=Spending(cost_usd=Decimal(cost)), lineages=lineages,
    )  # fmt: skip
