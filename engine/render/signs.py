"""Words and signs of the layout. A sign always has its word beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from schemas.scorecard import LineageCard
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

Tone = Literal["good", "bad", "doubt", "calm"]
"""The meanings of colors."""

VERDICT_WORDS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "approved",
    VerdictStatus.BLOCKED: "blocked",
    VerdictStatus.ERROR: "error",
    VerdictStatus.NEEDS_REVIEW: "needs review",
    VerdictStatus.INCONCLUSIVE: "inconclusive",
    VerdictStatus.NOT_APPLICABLE: "not measured",
}


def verdict_words(status: VerdictStatus, cards: Collection[LineageCard], reasons: Collection[Reason]) -> str:
    """Returns the verdict on a pull request in a few words: those of its table, unless there is nothing to measure."""
    if status is VerdictStatus.NOT_APPLICABLE and any(reason.code is ReasonCode.ADOPTION for reason in reasons):
        return "active after merge"
    return "nothing to evaluate" if status is VerdictStatus.NOT_APPLICABLE and not cards else VERDICT_WORDS[status]


VERDICT_SIGNS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "✅",
    VerdictStatus.BLOCKED: "❌",
    VerdictStatus.ERROR: "🛑",
    VerdictStatus.NEEDS_REVIEW: "🔎",
    VerdictStatus.INCONCLUSIVE: "⚖️",
    VerdictStatus.NOT_APPLICABLE: "➖",
}

VERDICT_MARKS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "✓",
    VerdictStatus.BLOCKED: "✕",
    VerdictStatus.ERROR: "!",
    VerdictStatus.NEEDS_REVIEW: "◇",
    VerdictStatus.INCONCLUSIVE: "≈",
    VerdictStatus.NOT_APPLICABLE: "–",
}
"""Signs that take the text's color, for our own pages."""

VERDICT_TONES: dict[VerdictStatus, Tone] = {
    VerdictStatus.APPROVED: "good",
    VerdictStatus.BLOCKED: "bad",
    VerdictStatus.ERROR: "bad",
    VerdictStatus.NEEDS_REVIEW: "doubt",
    VerdictStatus.INCONCLUSIVE: "doubt",
    VerdictStatus.NOT_APPLICABLE: "calm",
}

RESULT_WORDS: dict[str, str] = {
    "better": "better",
    "worse": "worse",
    "no_change": "no change",
    "too_few_cases": "too few cases",
    "no_data": "no data",
    "passes": "within the limit",
    "fails": "over the limit",
    "not_gated": "not gated",
    "advisory": "advisory",
    "improved": "better",
    "regressed": "worse",
    "flaky": "not certain",
    "alone": "no baseline",
    "missing": "no answer",
    "not_run": "not run",
}

RESULT_TONES: dict[str, Tone] = {
    "better": "good",
    "improved": "good",
    "passes": "good",
    "worse": "bad",
    "regressed": "bad",
    "fails": "bad",
    "too_few_cases": "doubt",
    "flaky": "doubt",
    "missing": "doubt",
    "no_data": "doubt",
    "no_change": "calm",
    "not_gated": "calm",
    "not_run": "calm",
    "alone": "calm",
    "advisory": "calm",
}
