"""Test cases that a prompt holds as examples: what it says to those is no evidence about any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.near_duplicates import normalised
from schemas.prompts import Finding, PromptFile
from schemas.scorecard import Reason, ReasonCode, VerdictStatus
from schemas.testsets import TestCase

WORDS = 5
"""An input of fewer words may stand in a prompt by chance."""
SHARE = 0.02
"""From this part of the cases on, what they add to the score could hide a drop: nothing is approved by it."""
NAMED = 3
CHARACTERS = 64 * 1024
"""Of a prompt that are looked through: enough for examples, and bounded for any number of cases."""


def newly_quoted(old: PromptFile | None, new: PromptFile, cases: Sequence[TestCase]) -> tuple[TestCase, ...]:
    """The cases with an input of their own, of five words or more, that stands in ``new`` and not in ``old``.

    An input that half of the cases share is no case's own. Case and blanks don't matter.
    """
    texts = [[value for value in case.inputs.values() if isinstance(value, str)] for case in cases]
    shared = Counter(text for of in texts for text in set(of))
    before, after = _Text(old), _Text(new)
    return tuple(
        case
        for case, of in zip(cases, texts, strict=True)
        if any(2 * shared[text] <= len(cases) and after.holds(text) and not before.holds(text) for text in of)
    )


class _Text:
    """What a prompt's author wrote, searchable for many texts."""

    def __init__(self, prompt: PromptFile | None) -> None:
        parts = [*(message.content for message in prompt.messages), *prompt.included.values()] if prompt else []
        self._whole = f" {normalised(' '.join(parts)[:CHARACTERS])} "
        words = self._whole.split()
        self._runs = {tuple(words[start : start + WORDS - 2]) for start in range(len(words))}

    def holds(self, text: str) -> bool:
        words = normalised(text).split()
        # its first and last word may stand between quotes in the prompt: the run is from the inside
        return len(words) >= WORDS and tuple(words[1 : WORDS - 1]) in self._runs and " ".join(words) in self._whole


def judged(quoted: Sequence[TestCase], cases: int) -> tuple[tuple[Reason, ...], tuple[Finding, ...]]:
    """What is said of quoted cases among so many: a reason where they weigh, else a warning; nothing of none."""
    if not quoted:
        return (), ()
    names = ", ".join(f"`{case.id}`" for case in quoted[:NAMED]) + (", …" if len(quoted) > NAMED else "")
    one = len(quoted) == 1
    what = f"the prompt holds {len(quoted)} of its {cases} test {'case' if cases == 1 else 'cases'} as text ({names})"
    why = f"what it says to {'that one tells' if one else 'those tells'} nothing about others"
    if len(quoted) <= SHARE * cases:
        return (), (Finding(what=f"{what}: {why}", mend="give it other examples"),)
    sentence = f"{what[0].upper()}{what[1:]}: {why}; give it other examples."
    reason = Reason(
        code=ReasonCode.QUOTED_CASES,
        status=VerdictStatus.UNDERPOWERED,
        sentence=sentence,
        cases=tuple(case.id for case in quoted),
    )
    return (reason,), ()
