"""Which conclusion the check of a head shows. Pure.

A check run belongs to a commit, not to a pull request. If several open pull requests share a head, the worst verdict
counts, and a missing verdict is no success.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.host import TITLE_LIMIT, CheckConclusion
from schemas.scorecard import Scorecard
from schemas.values import Value
from schemas.verdicts import VerdictStatus

WORST_FIRST = (CheckConclusion.FAILURE, None, CheckConclusion.ACTION_REQUIRED, CheckConclusion.SUCCESS)
"""A failure decides at once. Otherwise a pull request without a verdict (``None``) keeps the check open."""


class HeadConclusion(Value):
    """The conclusion on the check of one pull request."""

    conclusion: CheckConclusion | None
    """``None`` keeps the check open, since another pull request with this head has no verdict yet."""
    decided_by: int | None = None
    """The other pull request that decides."""

    def title(self, own: str) -> str:
        """Returns the check's title: ``own``, after a note about the pull request that decides."""
        if self.decided_by is None:
            return own
        says = "has no verdict yet" if self.conclusion is None else "decides"
        return f"#{self.decided_by} with the same head {says}; {own}"[:TITLE_LIMIT]


def conclusion_of(scorecard: Scorecard) -> CheckConclusion:
    """Returns the conclusion of one verdict. Never neutral or skipped: GitHub counts both as passed."""
    if scorecard.passes:
        return CheckConclusion.SUCCESS
    if scorecard.status is VerdictStatus.NEEDS_REVIEW:
        return CheckConclusion.ACTION_REQUIRED
    return CheckConclusion.FAILURE


def head_conclusion(number: int, verdicts: Mapping[int, Scorecard | None]) -> HeadConclusion:
    """Returns the conclusion for pull request ``number``.

    ``verdicts`` has an entry for every open pull request with the same head. ``None``: no verdict yet.
    """
    found = {other: None if card is None else conclusion_of(card) for other, card in verdicts.items()}
    own = found[number]
    for worst in WORST_FIRST:
        # Sorted, so that every check of the head names the same pull request.
        those = sorted(other for other, conclusion in found.items() if conclusion is worst)
        if those:
            return HeadConclusion(conclusion=worst, decided_by=None if own is worst else those[0])
    raise AssertionError("unreachable: the pull request itself is among them")
