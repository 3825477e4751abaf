"""Says how far several judges agree, what they change compared with the first one alone, and whether a judge that
compares answers prefers a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from engine.readers.bounded import shown
from engine.render import figures
from evaluators.pairwise import preferred
from schemas.outcomes import Arm, MetricSpec, Outcome, Score

ALIKE = 0.125
"""Votes within half a grade of each other agree: the two calls of one judge may differ by as much."""
GRADES = 4
"""Grades on the scale from 0 to 1."""

Scored = tuple[Outcome, Score]


def judge_notes(outcomes: Sequence[Outcome], metrics: Sequence[MetricSpec], judges: Sequence[str]) -> tuple[str, ...]:
    """Returns sentences about a jury, and about comparisons. ``judges`` are the names of the models, in order."""
    dimensions = {spec.name for spec in metrics[1:] if spec.kind in ("dimension", "preference")}
    votes = [score.votes for _, score in _voted(outcomes) if score.metric in dimensions]
    if not votes:
        return ()
    if metrics[0].kind != "preference":
        return tuple(_sentences(votes, outcomes, metrics[0].name, [shown(name, 40) for name in judges]))
    scale = "The score is how far the new answers are preferred: 50 means that they are as good as the old ones."
    return (scale, _of_places([pair for one in votes for pair in _pairs(one)]), *_of_preferences(votes, judges))


def _pairs(votes: Sequence[float | None]) -> list[tuple[float, float]]:
    """Returns each judge's preferences for the candidate, shown first and shown second."""
    given = zip(votes[::2], votes[1::2], strict=True)
    return [(first, second) for first, second in given if first is not None and second is not None]


def _of_places(pairs: Sequence[tuple[float, float]]) -> str:
    first, second = (sum(sign * (one - other) > 0 for one, other in pairs) / len(pairs) for sign in (1, -1))
    return (
        f"In {figures.percent(first + second)} of {figures.plural(len(pairs), 'comparison')}, the two orders disagree, "
        f"which counts as a tie: {figures.percent(first)} favor the answer shown first, {figures.percent(second)} the "
        "other one."
    )


def _of_preferences(votes: Sequence[Sequence[float | None]], judges: Sequence[str]) -> Iterator[str]:
    """Yields how often the judges of a jury prefer the same answer."""
    if len(judges) > 1:
        opinions = [{preferred(*pair) for pair in _pairs(one)} for one in votes]
        alike = figures.percent(sum(len(one) == 1 for one in opinions) / len(opinions))
        yield f"The {len(judges)} judges prefer the same answer, or none, in {alike} of the comparisons."


def _sentences(
    votes: Sequence[Sequence[float | None]], outcomes: Sequence[Outcome], overall: str, judges: Sequence[str]
) -> Iterator[str]:
    given = [[vote for vote in one if vote is not None] for one in votes]
    spreads = [max(one) - min(one) for one in given]
    alike = figures.percent(sum(spread <= ALIKE + 1e-9 for spread in spreads) / len(spreads))
    yield (
        f"A jury of {len(judges)} ({', '.join(judges)}): they agree within half a grade on {alike} of "
        f"{figures.plural(len(votes), 'grade')}, and differ by {fmean(spreads) * GRADES:.1f} grades on average."
    )
    if partial := sum(None in one for one in votes):
        yield f"{figures.plural(partial, 'grade')} came from a part of the jury: a judge could not be reached."
    alone, together = _changes([each for each in _voted(outcomes) if each[1].metric == overall])
    if alone is not None and together is not None:
        yield (
            f"{judges[0]} alone would change the score by {figures.change(alone)} points, the jury's median by "
            f"{figures.change(together)}."
        )


def _voted(outcomes: Sequence[Outcome]) -> Iterator[Scored]:
    """Yields the scores that several judges gave."""
    return ((one, score) for one in outcomes for score in one.scores if isinstance(score, Score) and score.votes)


def _changes(scored: Sequence[Scored]) -> tuple[float | None, float | None]:
    """Returns the mean change by the first judge alone and by all, over the cases that both arms have."""
    alone: dict[int, dict[Arm, list[float]]] = {}
    together: dict[int, dict[Arm, list[float]]] = {}
    for outcome, score in scored:
        if (first := score.votes[0]) is not None:
            for book, value in ((alone, first), (together, score.value)):
                book.setdefault(outcome.cell.case, {}).setdefault(outcome.cell.arm, []).append(value)
    return _change(alone), _change(together)


def _change(cases: dict[int, dict[Arm, list[float]]]) -> float | None:
    both = [arms for arms in cases.values() if len(arms) == len(Arm)]
    return fmean(fmean(arms[Arm.CANDIDATE]) - fmean(arms[Arm.BASELINE]) for arms in both) if both else None
