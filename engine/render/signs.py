"""Words and signs of the layout. A sign never stands alone: the word is always beside it."""

from __future__ import annotations

from typing import Literal

from schemas.scorecard import VerdictStatus

Tone = Literal["good", "bad", "doubt", "calm"]
"""What a colour may say."""

VERDICT_WORDS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "approved",
    VerdictStatus.BLOCKED: "blocked",
    VerdictStatus.ERROR: "error",
    VerdictStatus.NEEDS_APPROVAL: "needs approval",
    VerdictStatus.SUSPICIOUS: "inconclusive, suspicious",
    VerdictStatus.UNDERPOWERED: "inconclusive",
    VerdictStatus.NOT_APPLICABLE: "not measured",
}

VERDICT_SIGNS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "✅",
    VerdictStatus.BLOCKED: "❌",
    VerdictStatus.ERROR: "🛑",
    VerdictStatus.NEEDS_APPROVAL: "✋",
    VerdictStatus.SUSPICIOUS: "🔎",
    VerdictStatus.UNDERPOWERED: "⚖️",
    VerdictStatus.NOT_APPLICABLE: "➖",
}

VERDICT_MARKS: dict[VerdictStatus, str] = {
    VerdictStatus.APPROVED: "✓",
    VerdictStatus.BLOCKED: "✕",
    VerdictStatus.ERROR: "!",
    VerdictStatus.NEEDS_APPROVAL: "◇",
    VerdictStatus.SUSPICIOUS: "?",
    VerdictStatus.UNDERPOWERED: "≈",
    VerdictStatus.NOT_APPLICABLE: "–",
}
"""Signs that take the text's colour, for pages of our own."""

VERDICT_TONES: dict[VerdictStatus, Tone] = {
    VerdictStatus.APPROVED: "good",
    VerdictStatus.BLOCKED: "bad",
    VerdictStatus.ERROR: "bad",
    VerdictStatus.NEEDS_APPROVAL: "doubt",
    VerdictStatus.SUSPICIOUS: "doubt",
    VerdictStatus.UNDERPOWERED: "doubt",
    VerdictStatus.NOT_APPLICABLE: "calm",
}

READING_WORDS: dict[str, str] = {
    "better": "better",
    "worse": "worse",
    "same": "no drop",
    "cant_tell": "can't tell",
    "not_needed": "not needed",
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

READING_TONES: dict[str, Tone] = {
    "better": "good",
    "improved": "good",
    "passes": "good",
    "worse": "bad",
    "regressed": "bad",
    "fails": "bad",
    "cant_tell": "doubt",
    "flaky": "doubt",
    "missing": "doubt",
    "no_data": "doubt",
    "same": "calm",
    "not_needed": "calm",
    "not_gated": "calm",
    "not_run": "calm",
    "alone": "calm",
    "advisory": "calm",
}
