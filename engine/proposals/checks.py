"""Proposes checks for a lineage: each was run on the answers, and says what it catches there, rightly and wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engine.gate.cells import Bools
from engine.patterns.overlap import adjusted_ps
from engine.proposals.answers import JudgedAnswer
from engine.proposals.candidates import candidates
from evaluators.checks import examine, named, problem_of, rule_name, rule_of
from schemas.check_config import Check
from schemas.errors import ConfigError

LEVEL = 0.05
"""Largest adjusted p: the chance that any check looks so good on answers that are bad at random."""
FEWEST = 3
"""Fewest bad answers, and fewest good ones, that tell anything."""
WRONG = 0.1
"""Largest share of the good answers that a proposed check fails."""
SAME = 0.75
"""Overlap of caught answers from which two checks say the same."""
MOST = 5
OFTEN = ("contains", "not_contains", "regex_match", "not_regex_match")
"""Rules of which two may be proposed. Of the others, two would say nearly the same."""


@dataclass(frozen=True)
class Caught:
    """What a rule or a rubric dimension fails among the answers."""

    caught: tuple[str, ...]
    """Ids of the cases of bad answers, one for each answer."""
    wrongly: tuple[str, ...]
    """The same of good answers."""
    bad: int
    good: int
    p: float

    @property
    def sentence(self) -> str:
        """Says what it catches and what it would wrongly catch."""
        wrong = f"would wrongly catch {len(self.wrongly)} of the {self.good} good ones" if self.good else ""
        return f"catches {len(self.caught)} of the {self.bad} bad answers and {wrong}"


@dataclass(frozen=True)
class ProposedCheck:
    """A check that would have caught bad answers."""

    check: Check
    found: Caught


def failing(check: Check, answers: Sequence[JudgedAnswer]) -> Bools | None:
    """Runs a check on every answer, as a run does, and returns which fail; ``None`` if it can't run on a case."""
    where = named(check)
    try:
        if (rule := examine(check, where)) is not None:
            return np.array([bool(rule(one.text)) for one in answers])
        if any(problem_of(check, where, case) for case in {one.case.id: one.case for one in answers}.values()):
            return None
        return np.array([bool(rule_of(check, where, one.case)(one.text)) for one in answers])
    except ConfigError:
        return None


def proposed_checks(
    answers: Sequence[JudgedAnswer], existing: Sequence[Check] = (), *, generated: bool = True
) -> tuple[ProposedCheck, ...]:
    """Returns at most ``MOST`` checks, those that catch most first. Each catches other answers than those before it.

    What ``existing`` checks of the lineage catch is not proposed again. ``generated``: the answers are generated text.
    Empty with fewer than ``FEWEST`` good or bad
    answers.
    """
    bad: Bools = np.array([one.fails for one in answers], dtype=bool)
    if min(int(bad.sum()), int((~bad).sum())) < FEWEST:
        return ()
    tried = ((check, failing(check, answers)) for check in candidates(answers, generated=generated))
    found = {check.name: (check, fails) for check, fails in tried if fails is not None and _tells(fails, bad)}
    clusters = [one.case.id for one in answers]
    ps = adjusted_ps({name: fails for name, (_, fails) in found.items()}, bad, clusters, seed=len(answers))
    # Sorting keeps the order of the candidates among equals: the simplest first.
    clear = sorted((pair for name, pair in found.items() if ps[name] <= LEVEL), key=lambda pair: _value(pair[1], bad))
    taken = [fails & bad for check in existing if (fails := failing(check, answers)) is not None]
    chosen = _distinct(clear, bad, taken, {check.name for check in existing})
    return tuple(ProposedCheck(check, caught(fails, answers, ps[check.name])) for check, fails in chosen)


def _distinct(
    clear: Sequence[tuple[Check, Bools]], bad: Bools, taken: list[Bools], names: Collection[str]
) -> list[tuple[Check, Bools]]:
    """Returns the first checks that catch other answers than those before them, and than ``taken``."""
    rules: Counter[str] = Counter()
    chosen = []
    for check, fails in clear:
        inside, rule = fails & bad, rule_name(check, check.name)
        if check.name in names or rules[rule] == 1 + (rule in OFTEN) or any(_same(inside, known) for known in taken):
            continue
        taken.append(inside)
        rules[rule] += 1
        chosen.append((check, fails))
    return chosen[:MOST]


def caught(fails: Bools, answers: Sequence[JudgedAnswer], p: float) -> Caught:
    """Returns the answers that fail, by whether they are bad."""
    pairs = list(zip(answers, fails.tolist(), strict=True))
    return Caught(
        caught=tuple(one.case.id for one, hit in pairs if hit and one.fails),
        wrongly=tuple(one.case.id for one, hit in pairs if hit and not one.fails),
        bad=sum(one.fails for one in answers),
        good=sum(not one.fails for one in answers),
        p=p,
    )


def _tells(fails: Bools, bad: Bools) -> bool:
    """Returns whether a check catches bad answers and few good ones."""
    return bool((fails & bad).sum() >= FEWEST - 1 and (fails & ~bad).sum() <= WRONG * (~bad).sum())


def _value(fails: Bools, bad: Bools) -> float:
    """Returns a smaller number for a better check: what it catches, less what it wrongly catches, as shares."""
    return float((fails & ~bad).sum() / max(1, (~bad).sum()) - (fails & bad).sum() / bad.sum())


def _same(one: Bools, other: Bools) -> bool:
    return bool((one & other).sum() >= SAME * (one | other).sum())
