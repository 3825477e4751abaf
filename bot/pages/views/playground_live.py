"""A run of the playground: how far it is, its answers case by case, and what the gate would say."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from bot.pages import addresses
from engine.playground.draft import DraftEdit, Pick
from engine.render.figures import plural
from schemas.outcomes import Arm

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.pages.context import Context
    from bot.store.asked_values import AskedRun, ShownAnswer
    from bot.store.page_values import RunPage
    from bot.store.records import Records
    from bot.store.values import Run
    from schemas.scorecard import LineageCard

SHOWN_CASES = 40
"""Cases in the table. The run's own page has all."""
MOST_ANSWERS = 5_000
"""Answers that are read for a page."""
PATIENCE_S = 1.0
"""Seconds without an answer after which the page says that it waits."""


@dataclass
class LiveCase:
    """One case on one model in the table."""

    number: int
    """Of the row, in the order in which the rows came."""
    position: int
    model: str
    case: str
    inputs: tuple[tuple[str, str], ...] = ()
    expected: str = ""
    answers: dict[Arm, ShownAnswer] = field(default_factory=dict)
    """The first answer of each version."""
    other: ShownAnswer | None = None
    """Of the variant beside it."""

    @property
    def result(self) -> str:
        """How the draft's first answer compares with that of the committed version."""
        scores = [one.score for arm in Arm if (one := self.answers.get(arm)) is not None]
        if len(scores) < len(Arm) or None in scores:
            return ""
        before, after = (float(score or 0) for score in scores)
        return "improved" if after > before else "regressed" if after < before else "no_change"


@dataclass
class Answers:
    """The answers of a run by case and model, in the order in which they came."""

    cases: dict[tuple[int, str], LiveCase] = field(default_factory=dict)
    scores: dict[Arm, dict[tuple[int, str], float]] = field(default_factory=lambda: {arm: {} for arm in Arm})
    last: int = 0
    """The number of the last answer."""
    most: int = SHOWN_CASES
    """The most cases that are kept."""

    def add(self, found: Iterable[tuple[int, ShownAnswer]]) -> list[LiveCase]:
        """Takes answers, and returns the cases in the table that they change."""
        changed: dict[tuple[int, str], LiveCase] = {}
        for number, one in found:
            self.last = max(self.last, number)
            if one.repetition:  # a failure that is confirmed; the table shows the first answer
                continue
            key = one.position, one.model
            if one.score is not None:
                self.scores[one.arm][key] = one.score
            if key not in self.cases and len(self.cases) >= self.most:
                continue
            new = LiveCase(len(self.cases), one.position, one.model, one.case, one.inputs, one.expected)
            case = self.cases.setdefault(key, new)
            case.answers[one.arm] = one
            changed[key] = case
        return list(changed.values())

    @property
    def means(self) -> tuple[float, float, int] | None:
        """The mean scores of the committed version and of the draft on the cases that both answered."""
        before, after = (self.scores[arm] for arm in (Arm.BASELINE, Arm.CANDIDATE))
        both = before.keys() & after.keys()
        if not both:
            return None
        cases = {position for position, _ in both}
        return fmean(before[one] for one in both), fmean(after[one] for one in both), len(cases)


@dataclass(frozen=True)
class Status:
    """How far a run is, in a sentence, and what it costs."""

    run: Run
    asked: AskedRun
    sentence: str
    trouble: str
    means: tuple[float, float, int] | None

    @property
    def is_open(self) -> bool:
        """Whether more is to come."""
        return self.run.state.is_open


def answers_of(records: Records, sequence: int, upto: int | None = None, *, most: int = SHOWN_CASES) -> Answers:
    """Returns the answers of a run so far; ``upto``: those up to a number, for a reader who has seen them."""
    made = Answers(most=most)
    while len(found := records.answers_after(sequence, made.last, MOST_ANSWERS)):
        seen = [one for one in found if upto is None or one[0] <= upto]
        made.add(seen)
        if len(seen) < len(found) or len(found) < MOST_ANSWERS:
            break
    return made


def status_of(run: Run, asked: AskedRun, answers: Answers, now: datetime) -> Status:
    """Returns how far a run is at ``now``."""
    trouble = f"{asked.trouble}." if asked.trouble else ""
    match run.state.value:
        case "queued":
            sentence = "Waiting for a worker."
        case "running":
            waited = 0.0 if asked.calling_at is None else (now - asked.calling_at).total_seconds()
            sentence = f"{plural(asked.done, 'answer')} of {asked.asked:,}."
            if asked.calling_at is None:
                sentence = "Reading the repository and planning."
            elif waited >= PATIENCE_S and asked.done < asked.asked:
                sentence += f" The provider has not answered for {int(waited)} s."
        case "done":
            sentence = f"Done: {plural(asked.done, 'answer')}."
        case "cancelled":
            sentence = f"Cancelled after {plural(asked.done, 'answer')}. Finished answers are stored and reused."
        case _:
            sentence = "The run could not be completed. The operator finds the reason in the log."
    return Status(run, asked, sentence, trouble, answers.means)


def ordered(cases: Iterable[LiveCase]) -> list[LiveCase]:
    """Returns the cases with those first that got worse, then those that got better."""
    ranks = {"regressed": 0, "improved": 1}
    return sorted(cases, key=lambda one: (ranks.get(one.result, 2), one.position))


def beside(answers: Answers, other: Answers) -> None:
    """Puts the answers of another variant beside those of the same cases, on the same model if it ran on several."""
    several = len({one.model for one in other.cases.values()}) > 1
    found = {(one.case, one.model if several else ""): one.answers.get(Arm.CANDIDATE) for one in other.cases.values()}
    for one in answers.cases.values():
        one.other = found.get((one.case, one.model if several else ""))


@dataclass(frozen=True)
class GateSays:
    """What the check of a pull request with this draft would show."""

    card: LineageCard | None
    page: RunPage
    address: str


def gate_says(records: Records, run: Run) -> GateSays | None:
    """Returns the verdict of a run; ``None`` until there is one."""
    page = records.run_page(run.repository_id, run.sequence)
    if page is None or page.verdict is None:
        return None
    cards = page.overview.lineages if page.overview else ()
    return GateSays(cards[0] if cards else None, page, addresses.run(run.repository_id, run.sequence))


def live_values(context: Context, run: Run, asked: AskedRun, other: int | None = None) -> dict[str, object]:
    """Returns what is shown of a run: its status, its answers, its verdict."""
    answers = answers_of(context.records, run.sequence)
    if other is not None:
        # All of them: the first cases of another run may be others than those in the table.
        beside(answers, answers_of(context.records, other, most=MOST_ANSWERS))
    gate = None if run.state.is_open else gate_says(context.records, run)
    draft = DraftEdit.model_validate_json(asked.document or "{}")
    return {
        "run": run,
        "status": status_of(run, asked, answers, context.now),
        "cases": list(answers.cases.values()) if run.state.is_open else ordered(answers.cases.values()),
        "answered": max((len(scores) for scores in answers.scores.values()), default=0),
        "gate": gate,
        "other": other,
        "several": run.request is not None and len(run.request.models) > 1,
        "partial": draft.pick is not Pick.ALL,
        "own": draft.pick is Pick.OWN,
    }


def pick_words(asked: AskedRun) -> str:
    """Returns which cases a run had, in words."""
    draft = DraftEdit.model_validate_json(asked.document or "{}")
    if draft.pick in (Pick.SLICE, Pick.CASE):
        return f"{draft.pick.value} {draft.name}"
    return "all cases" if draft.pick is Pick.ALL else "own input"
