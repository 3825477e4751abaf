"""The page of one case: whole inputs and answers, grades and reasons, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.context import Page
from bot.pages.views.crumbs import of_repository
from engine.detection.prompt_diff import changed_words
from schemas.case_texts import Grade
from schemas.outcomes import Arm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.pages.context import Context
    from bot.store.page_values import CaseRow, KeptCase, RunPage
    from schemas.effects import CaseEffect

MARKED = 8_000
"""Most characters of two answers that are compared by words."""
Pieces = list[tuple[str, bool]]


@dataclass(frozen=True)
class ShownAnswer:
    """One answer in pieces, marked where the other version's first answer differs."""

    pieces: Pieces
    trouble: str = ""
    grades: tuple[Grade, ...] = ()


@dataclass(frozen=True)
class ShownArm:
    """The answers of one version."""

    title: str
    answers: list[ShownAnswer]
    omitted: bool = False


@dataclass(frozen=True)
class Earlier:
    """The same case in another run."""

    run: int
    row: CaseRow
    address: str


@dataclass(frozen=True)
class FoundCase:
    """A case with what its run says about it."""

    page: RunPage
    case: KeptCase
    lineage: str
    path: str | None
    """Its file; ``None`` if the test set has several and the case doesn't say which."""

    @property
    def inputs(self) -> Sequence[tuple[str, str]]:
        """The whole inputs; shortened ones of a case without texts."""
        if self.case.texts is not None:
            return self.case.texts.inputs
        return self.case.row.effect.inputs if self.case.row.effect else ()


def found_case(context: Context) -> FoundCase | None:
    """Returns the case that the address names."""
    page = context.records.run_page(context.repository.repository_id, context.path["run"])
    experiments = page.experiments if page else ()
    index = next((n for n, one in enumerate(experiments) if one.id == context.path["experiment"]), None)
    if page is None or index is None:
        return None
    found = context.records.kept_case(experiments[index].id, context.path["position"])
    if found is None:
        return None
    return FoundCase(page, found, experiments[index].lineage, _file_of(page, index, found))


def _file_of(page: RunPage, index: int, found: KeptCase) -> str | None:
    """Returns the one file of a case: its own, else the test set's, else the prompt's."""
    cards = page.overview.lineages if page.overview else ()
    own = found.row.effect.path if found.row.effect else None
    path = own or (cards[index].tests or cards[index].prompt if index < len(cards) else None)
    return None if path is None or set(path) & set("*?[, ") else path


def case(context: Context) -> Page | None:
    """Shows a case of an experiment."""
    repo, sequence, experiment = context.repository, context.path["run"], context.path["experiment"]
    of = found_case(context)
    if of is None:
        return None
    found, effect, at = of.case, of.case.row.effect, repo.repository_id
    here = addresses.case(at, sequence, experiment, found.row.position)
    values = {
        "case": found,
        "inputs": of.inputs,
        "arms": _arms(found),
        "place": f"{of.path or 'test set'}, line {effect.line}" if effect and effect.line else "",
        "actions": (("Protect it", f"{here}/protect"), ("Add a similar case", f"{here}/add")),
        "earlier": [
            Earlier(run, row, addresses.case(at, run, other, row.position)) for run, other, row in found.earlier
        ],
    }
    crumbs = (
        *of_repository(repo),
        (f"Run {sequence}", addresses.run(at, sequence)),
        (of.lineage, addresses.experiment(at, sequence, experiment)),
        (found.row.case_id, None),
    )
    return Page("case", f"Case {found.row.case_id} of {of.lineage}", values, crumbs)


def pieces_of(before: str, after: str) -> tuple[Pieces, Pieces]:
    """Returns both texts in pieces that are marked as changed words or not."""
    marks = changed_words(before[:MARKED], after[:MARKED]) if before != after else ((), ())
    return _pieces(before, marks[0]), _pieces(after, marks[1])


def _pieces(text: str, marks: Sequence[tuple[int, int]]) -> Pieces:
    pieces, at = [], 0
    for start, stop in marks:
        pieces += [(text[at:start], False), (text[start:stop], True)]
        at = stop
    return [piece for piece in (*pieces, (text[at:], False)) if piece[0]]


def _arms(found: KeptCase) -> list[ShownArm]:
    titles = {Arm.BASELINE: "Baseline said", Arm.CANDIDATE: "Candidate says"}
    if found.texts is None:
        return _from_effect(found.row.effect, titles)
    firsts = {
        arm: next((one.text for one in found.texts.answers if one.arm is arm), "")
        for arm in (Arm.BASELINE, Arm.CANDIDATE)
    }
    marked = dict(zip(firsts, pieces_of(*firsts.values()), strict=True))
    arms = []
    for arm, title in titles.items():
        own = [one for one in found.texts.answers if one.arm is arm]
        answers = [
            ShownAnswer(marked[arm] if number == 0 else _pieces(one.text, ()), one.trouble, one.grades)
            for number, one in enumerate(own)
        ]
        arms.append(ShownArm(title, answers, omitted=found.texts.omitted > 0))
    return arms


def _from_effect(effect: CaseEffect | None, titles: dict[Arm, str]) -> list[ShownArm]:
    """Shows the shortened answers of the scorecard."""
    if effect is None:
        return [ShownArm(title, []) for title in titles.values()]
    answers = {Arm.BASELINE: effect.baseline, Arm.CANDIDATE: effect.candidate}
    return [
        ShownArm(title, [ShownAnswer(_pieces(one.text, ())) for one in answers[arm]]) for arm, title in titles.items()
    ]
