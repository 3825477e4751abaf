"""Says which classes were mixed up more or less often, counted in whole cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from schemas.effects import Answer
from schemas.scorecard import LineageCard

MOST = 2
"""Most confusions that are mentioned."""
NOTEWORTHY = 2
"""Cases from which a change is mentioned."""


def confusion_sentences(card: LineageCard) -> list[str]:
    """Returns "`refunds` read as `billing`: 3 → 11 cases." for the confusions that changed most.

    A case counts for the label of most of its runs. A tie counts for none.
    """
    if card.confusion is None:
        return []
    labels = frozenset(card.confusion.labels)
    before, after = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for case in card.cases:
        if case.change is None or case.added or not isinstance(case.expected, str) or case.expected not in labels:
            continue
        for counts, answers in ((before, case.baseline), (after, case.candidate)):
            said = _said(answers, labels)
            if said is not None and said != case.expected:
                counts[case.expected, said] += 1
    moved = [(pair, after[pair] - before[pair]) for pair in {**before, **after}]
    large = sorted((each for each in moved if abs(each[1]) >= NOTEWORTHY), key=lambda each: (-abs(each[1]), each[0]))
    return [f"{_words(*pair)}: {before[pair]:,} → {after[pair]:,} cases." for pair, _ in large[:MOST]]


def _said(answers: Sequence[Answer], labels: frozenset[str]) -> str | None:
    """Returns the label of most runs, empty for an answer without a label, and ``None`` for a tie."""
    counts = Counter[str]()
    for answer in answers:
        counts[answer.text if answer.text in labels else ""] += answer.count
    first = counts.most_common(2)
    return None if not first or (len(first) > 1 and first[0][1] == first[1][1]) else first[0][0]


def _words(expected: str, said: str) -> str:
    return f"`{expected}` read as `{said}`" if said else f"`{expected}` read as no label"
