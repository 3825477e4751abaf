"""``promptverdict score``: prints what each prompt scores today."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from action.cli.check import CheckOptions, evaluate
from action.cli.first_use import NEXT, proposed_config
from action.cli.streams import put
from action.exits import Exit

if TYPE_CHECKING:
    from pydantic import JsonValue

    from adapters.call_process.process import CallingProcess
    from schemas.effects import CaseEffect
    from schemas.scorecard import LineageCard

LISTED = 10
"""Cases that are listed, the lowest scores first."""


def score(options: CheckOptions, calling: CallingProcess | None = None) -> Exit:
    """Scores every lineage of the head and prints it. Exits with 3 if one can't be scored.

    Without a configuration, it uses what ``init`` would propose. Raises PromptVerdictError.
    """
    proposed = proposed_config(options)
    card, _ = evaluate(options, calling, alone=True, proposed=proposed)
    if options.format == "json":
        put(json.dumps([_document(each) for each in card.lineages], indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        for line in (line for each in card.lineages for line in _lines(each)):
            put(log_line(line) + "\n")
    if proposed is not None:
        sys.stderr.write(NEXT)
    return Exit.PASS if all(map(_is_scored, card.lineages)) else Exit.ERROR


def _is_scored(card: LineageCard) -> bool:
    return card.overall is not None and card.overall.candidate is not None


def _score(case: CaseEffect) -> float | None:
    """Returns the mean over a case's answers; ``None`` without any score."""
    known = [(answer.score, answer.count) for answer in case.candidate if answer.score is not None]
    return sum(value * count for value, count in known) / sum(count for _, count in known) if known else None


def _failed(card: LineageCard) -> list[tuple[CaseEffect, float]]:
    """Returns the cases that score less than 1, the lowest first."""
    scored = [(case, value) for case in card.cases if (value := _score(case)) is not None]
    return sorted(((case, value) for case, value in scored if value < 1), key=lambda pair: pair[1])


def _document(card: LineageCard) -> dict[str, JsonValue]:
    overall = card.overall
    cost = card.cost.candidate_per_1000 if card.cost else None
    return {
        "lineage": card.lineage,
        "model": card.model,
        "score": overall.candidate if overall else None,
        "cases": overall.cases if overall else 0,
        "slices": {each.slice or "": {"score": each.candidate, "cases": each.cases} for each in card.slices},
        "cost_per_1000_usd": None if cost is None else str(cost),
        "failed": {case.id: value for case, value in _failed(card)},
        "reasons": [] if _is_scored(card) else [reason.sentence for reason in card.reasons],
    }


def _lines(card: LineageCard) -> Iterator[str]:
    from engine.render.figures import plural, points, usd
    from engine.render.result_text import with_model

    overall = card.overall
    if overall is None or overall.candidate is None:
        yield f"{with_model(card.lineage, card.model)}: not scored"
        yield from (f"  {reason.sentence}" for reason in card.reasons)
        return
    cost = card.cost.candidate_per_1000 if card.cost else None
    money = "" if cost is None else f", {usd(cost)} per 1,000 cases"
    yield (
        f"{card.lineage} · {card.model}: {points(overall.candidate)} of 100 over {plural(overall.cases, 'case')}{money}"
    )
    if card.slices:
        yield "  " + " · ".join(f"{each.slice} {points(each.candidate)} ({each.cases})" for each in card.slices)
    failed = _failed(card)
    yield from (f"  {case.id}: {points(value)}, {_told(case)}" for case, value in failed[:LISTED])
    if len(failed) > LISTED:
        yield f"  and {len(failed) - LISTED} more below 100"
    yield from (f"  warning: {finding}" for finding in card.warnings)


def _told(case: CaseEffect) -> str:
    """Returns what a failed case wanted, what it got, and what was asked."""
    answer = max(case.candidate, key=lambda one: one.count).text
    label = isinstance(case.expected, str) and case.reason.startswith("expected ")
    wanted = f"expected {_short(case.expected)}" if label or (case.expected and not case.reason) else case.reason
    # The longest input tells most: others are often names and switches.
    longest = max((text for _, text in case.inputs), key=len, default="")
    asked = f", asked {_short(longest)}" if longest else ""
    return f"{f'{_line(wanted)}, ' if wanted else ''}answered {_short(answer)}{asked}"


def _line(text: str) -> str:
    line = " ".join(text[:400].split())
    return line if len(line) <= 160 else line[:159] + "…"


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text[:400].split())
    return f"“{line if len(line) <= 80 else line[:79] + '…'}”"
