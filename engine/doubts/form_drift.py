"""Detects that the candidate's answers have another form than the baseline's. Code that reads them may break."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from evaluators.answer_form import AnswerForm, FormReader
from schemas.outcomes import Arm, Completion, Outcome
from schemas.testsets import TestCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

USUAL = 0.1
"""A property of at least this share of the baseline's answers isn't new. One that all but this share have counts as
always present."""
LEVEL = 0.01
"""Largest p of this many unusual answers if both versions were alike (Fisher's exact test, one-sided)."""
FEWEST = 3
"""Fewest answers that are compared. If there are too few for the test, all of them must differ."""
NAMED = 3


def form_drift(cases: Sequence[TestCase], outcomes: Iterable[Outcome], labels: Sequence[str]) -> tuple[Reason, ...]:
    """Returns a reason for review if the candidate's answers have another form.

    Compares one answer per case and arm, of the cases that both arms answered. An answer has another form if it has a
    property that few of the baseline's have, or lacks a key that nearly all of them have. Unusual answers of the
    baseline are counted in the same way, so a model with varying formats is no drift.
    """
    baseline, candidate = _paired(outcomes, labels)
    if len(baseline) < FEWEST:
        return ()
    usual = _Usual(baseline.values())
    before = sum(any(usual.apart(form)) for form in baseline.values())
    found = {case: apart for case, form in candidate.items() if (apart := tuple(usual.apart(form)))}
    after, of = len(found), len(candidate)
    # With few answers, Fisher's test can't reach its level. Then only a complete change of form counts.
    if after < FEWEST or not (after - before == of or chance(before, after, of) <= LEVEL):
        return ()
    most = Counter(what for apart in found.values() for what in apart).most_common(NAMED)
    wanders = f" ({before:,} of the baseline's)" if before else ""
    named = "; ".join(what for what, _ in most)
    sentence = f"{after:,} of {of:,} answers have another format{wanders}: {named}. Code that reads them may break."
    ids = tuple(cases[case].id for case in sorted(found))
    return (Reason(code=ReasonCode.FORM_DRIFT, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence, cases=ids),)


def chance(before: int, after: int, of: int) -> float:
    """Returns the probability that at least ``after`` of all unusual answers are the candidate's.

    ``of`` is the number of answers in each arm (the hypergeometric tail: Fisher 1935).
    """
    both = before + after
    ways = _log_choose(2 * of, both)
    logs = (_log_choose(of, k) + _log_choose(of, both - k) - ways for k in range(after, min(of, both) + 1))
    return math.fsum(map(math.exp, logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _paired(outcomes: Iterable[Outcome], labels: Sequence[str]) -> tuple[dict[int, AnswerForm], dict[int, AnswerForm]]:
    """Returns the forms of both arms' first answers by case, of the cases that have both."""
    first: dict[Arm, dict[int, tuple[int, Completion]]] = {arm: {} for arm in Arm}
    for outcome in outcomes:
        cell, result = outcome.cell, outcome.result
        if isinstance(result, Completion) and not result.finish.scores_zero:
            known = first[cell.arm].get(cell.case)
            # The first repetition of each case: more of a noisy case would count it several times.
            if known is None or cell.repetition < known[0]:
                first[cell.arm][cell.case] = (cell.repetition, result)
    # Only cases with both answers: a difference of the cases would look like one of the form.
    both = sorted(first[Arm.BASELINE].keys() & first[Arm.CANDIDATE].keys())
    reader = FormReader(labels)
    baseline, candidate = ({case: reader.form_of(first[arm][case][1]) for case in both} for arm in Arm)
    return baseline, candidate


class _Usual:
    """The usual form of the baseline's answers."""

    def __init__(self, forms: Iterable[AnswerForm]) -> None:
        known = list(forms)
        self._of = len(known)
        self._kinds = Counter(form.kind for form in known)
        self._traits = Counter(trait for form in known for trait in form.traits)
        self._types = Counter(kind for form in known for kind in form.types)
        self._keys = Counter(key for form in known for key in form.keys)
        self._objects = Counter(path for form in known for path in form.objects)

    def apart(self, form: AnswerForm) -> Iterator[str]:
        """Yields the differences of a form from the usual one, in words."""
        rare = USUAL * self._of
        # A different kind explains everything else that differs, so only the kind is named.
        if self._kinds[form.kind] < rare:
            yield f"{form.kind} instead of {self._kinds.most_common(1)[0][0]}"
            return
        yield from (trait for trait in sorted(form.traits) if self._traits[trait] < rare)
        yield from (f"not {trait}" for trait in self._always(self._traits) if trait not in form.traits)
        yield from (kind for kind in sorted(form.types) if self._types[kind] < rare)
        yield from (f"with the key `{key}`" for key in sorted(form.keys) if self._keys[key] < rare)
        for key in self._sure_keys:
            if key not in form.keys and key.rpartition(".")[0] in form.objects:
                yield f"without the key `{key}`"

    def _always(self, counts: Counter[str]) -> Iterator[str]:
        return (name for name, count in counts.items() if count >= max(FEWEST, (1 - USUAL) * self._of))

    @cached_property
    def _sure_keys(self) -> tuple[str, ...]:
        """Returns keys that nearly every answer has, if the object that contains them is present."""
        return tuple(
            key
            for key, count in self._keys.items()
            if count >= max(FEWEST, (1 - USUAL) * self._objects.get(key.rpartition(".")[0], self._of + 1))
        )
