"""Replays the history of a prompt: what today's gate says about each earlier change. Pure; the shell runs the steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.commands.plan_report import plan_report
from engine.planning.prepared import Prepared
from engine.render.encode import excerpt, visible
from engine.render.figures import arrow, change, percent, plural, points, usd
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS
from schemas.outcomes import Arm
from schemas.pricing import Usd
from schemas.scorecard import LineageCard, Scorecard
from schemas.trees import Revision
from schemas.values import Value
from schemas.verdicts import ReasonCode, VerdictStatus

STOPS = (VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW)
"""Verdicts on which a change would not have been merged without a person."""
_BAR = 40
"""Characters of a bar of 100 points."""
_SUBJECT, _WHO = 36, 16


class Step(Value):
    """One earlier change of the prompt, judged by today's test set and policy on one model."""

    revision: Revision
    model: str
    verdict: VerdictStatus
    sentence: str
    """The verdict's headline, or why there is none."""
    before: float | None = None
    after: float | None = None
    """Mean scores from 0 to 1 of the version before and of this one, over the cases that ran."""
    cases: int = 0
    ran: int = 0
    """Cases of the test set, and those that ran: a certain verdict needs fewer."""
    cost_before: Usd | None = None
    cost_after: Usd | None = None
    """USD per 1,000 cases."""
    flip_rate: float | None = None
    """Share of cases in which identical runs differ."""


class Version(Value):
    """One version of the prompt, scored alone over the whole test set on one model."""

    revision: Revision
    model: str
    score: float | None
    """The mean from 0 to 1; ``None``: it can't be scored."""
    cases: int


class Backtest(Value):
    """The history of one prompt, the oldest first."""

    lineage: str
    branch: str
    steps: tuple[Step, ...]
    versions: tuple[Version, ...]
    """One more than changes: the first is what the oldest change is compared with."""
    calls: int
    """Calls that were paid for now. Stored answers need none."""
    cost_usd: Usd
    unfinished: str | None = None
    """Why the newest changes were not judged; ``None``: all were."""


def steps_of(revision: Revision, card: Scorecard) -> tuple[Step, ...]:
    """Returns one step for each model of a change's scorecard. A change that reaches no request has one, unmeasured."""
    if not card.lineages:
        return (Step(revision=revision, model="", verdict=card.status, sentence=card.summary),)
    return tuple(_step(revision, each) for each in card.lineages)


def _step(revision: Revision, card: LineageCard) -> Step:
    overall, cost = card.overall, card.cost
    return Step(
        revision=revision,
        model=card.model,
        verdict=card.status,
        sentence=card.headline,
        before=overall.baseline if overall else None,
        after=overall.candidate if overall else None,
        cases=overall.cases if overall else 0,
        ran=(overall.cases if overall.compared is None else overall.compared) if overall else 0,
        cost_before=cost.baseline_per_1000 if cost else None,
        cost_after=cost.candidate_per_1000 if cost else None,
        flip_rate=card.confidence.flip_rate if card.confidence else None,
    )


def versions_of(revision: Revision, card: Scorecard) -> tuple[Version, ...]:
    """Returns one version for each model of a scorecard without a baseline."""
    return tuple(
        Version(
            revision=revision,
            model=each.model,
            score=each.overall.candidate if each.overall else None,
            cases=each.overall.cases if each.overall else 0,
        )
        for each in card.lineages
    )


def ended_by_budget(card: Scorecard) -> bool:
    """Returns whether a budget ended the run before its verdict."""
    return any(reason.code is ReasonCode.BUDGET for each in card.lineages for reason in each.reasons)


def expected_cost(steps: Sequence[Prepared]) -> tuple[int, Decimal]:
    """Returns the expected calls and USD of one run of every case of every step, judges included.

    The answers and grades of one version serve two steps: it is the candidate of one and the baseline of the next.
    """
    calls, cost = 0, Decimal(0)
    for number, step in enumerate(steps):
        for experiment in plan_report(step).experiments:
            for arm in experiment.arms:
                if arm.arm is Arm.CANDIDATE or number == 0:
                    calls += arm.calls
                    cost += arm.cost_usd
            if experiment.judge is not None:
                calls += experiment.judge.calls // (2 if number else 1)
                cost += experiment.judge.cost_usd / (2 if number else 1)
    return calls, cost


def backtest_lines(found: Backtest) -> Iterator[str]:
    """Yields the table, the chart and what the gate would have stopped. Texts of the history are cut and visible."""
    changes = plural(len({step.revision.sha for step in found.steps}), "change")
    yield f"{found.lineage}: {changes} on {found.branch}, the oldest first"
    if found.steps:
        yield from _table([_row(step) for step in found.steps])
    for model in dict.fromkeys(version.model for version in found.versions if version.cases):
        yield from _chart([version for version in found.versions if version.model == model])
    yield from _stopped(found.steps, changes)
    rates = [step.flip_rate for step in found.steps if step.flip_rate is not None]
    if rates:
        yield f"Identical runs give different results in {percent(sum(rates) / len(rates))} of cases on average."
    yield f"{plural(found.calls, 'call')}, {usd(found.cost_usd)}; a repetition uses the stored answers."
    if found.unfinished:
        yield f"unfinished: {found.unfinished}"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    head = ("date", "change", "verdict", "score change", "cases that ran", "cost per 1,000", "by")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _stopped(steps: Sequence[Step], changes: str) -> Iterator[str]:
    """Yields what the gate would have stopped, and why a change was not judged."""
    named = {step.revision.sha: step for step in steps if step.verdict in STOPS}
    if all(step.verdict is VerdictStatus.ERROR for step in steps):
        yield "No change was judged."
    elif named:
        yield f"The gate would have stopped {len(named)} of {changes}:"
        yield from (f"  {sha[:7]} {_cut(step.sentence, 160)}" for sha, step in named.items())
    else:
        yield f"The gate would have stopped none of {changes}."
    failed = {_cut(step.sentence, 200) for step in steps if step.verdict is VerdictStatus.ERROR}
    yield from (f"Not judged: {sentence}" for sentence in sorted(failed))


def _row(step: Step) -> tuple[str, ...]:
    revision = step.revision
    moved = "–" if step.before is None or step.after is None else change(step.after - step.before)
    cost = "–" if step.cost_after is None else arrow(usd(step.cost_before), usd(step.cost_after))
    return (
        f"{revision.when:%Y-%m-%d}",
        f"{revision.sha[:7]} {_cut(revision.subject, _SUBJECT)}",
        f"{VERDICT_SIGNS[step.verdict]} {VERDICT_WORDS[step.verdict]}",
        moved,
        f"{step.ran:,}" if step.ran == step.cases else f"{step.ran:,} of {step.cases:,}",
        cost,
        _cut(revision.author, _WHO),
    )


def _chart(versions: Sequence[Version]) -> Iterator[str]:
    """Yields one bar for each version, from 0 to 100 points."""
    cases = max(version.cases for version in versions)
    yield f"Score of each version over all {plural(cases, 'case')}, {_cut(versions[0].model, 40)}:"
    for version in versions:
        bar = "" if version.score is None else "█" * round(version.score * _BAR)
        yield f"  {version.revision.sha[:7]}  {bar.ljust(_BAR)}  {points(version.score)}"


def _cut(text: str, most: int) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else excerpt(line, most - 1).text + "…"
