"""``promptverdict blame``: names the parts of a change that break cases."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.check import CheckOptions, agreed_by_hand, evaluate, prices, renderer, scorers
from action.cli.local import local_pull_request, open_repository
from action.cli.streams import put
from action.exits import Exit

if TYPE_CHECKING:
    from pydantic import JsonValue

    from adapters.call_process.process import CallingProcess
    from engine.blame.planned import BlamePlan
    from schemas.blame import Blame, Unit
    from schemas.scorecard import LineageCard


def blame(options: CheckOptions, calling: CallingProcess | None = None, *, dry_run: bool) -> Exit:
    """Checks the change, from stored answers where there are any, and names the guilty parts of what isn't approved.

    Exits with 3 if a search could not end. ``dry_run`` only says what a search would cost. Raises PromptVerdictError.
    """
    if dry_run:
        put("".join(f"{line}\n" for line in _foreseen(options)))
        return Exit.PASS

    def agree(found: BlamePlan) -> bool:
        if not found.calls:
            return True
        sys.stderr.write(f"{found.change.name} · {found.plan.model}: {_announced(found)}\n")
        sys.stderr.flush()
        paid = [arm.endpoint.model for arm in found.plan.arms.values() if arm.endpoint.model.spec.key]
        return options.yes or not paid or agreed_by_hand(found.cost_usd, found.cap_usd)

    card, _ = evaluate(options, calling, explain=agree)
    if options.format == "json":
        put(json.dumps([_document(each) for each in card.lineages], indent=2, ensure_ascii=False) + "\n")
    else:
        from engine.render.encode import log_line

        put("".join(log_line(line) + "\n" for each in card.lineages for line in _lines(each)))
    return Exit.PASS if not any(map(_is_unfinished, card.lineages)) else Exit.ERROR


def _foreseen(options: CheckOptions) -> Iterator[str]:
    """Yields what a search would cost at most, before anything is measured."""
    from engine.blame.planned import foreseen
    from engine.pipeline import World, prepare
    from engine.render.encode import log_line
    from engine.render.figures import plural, usd

    repository = open_repository(options.repo)
    pull_request = local_pull_request(repository, base=options.base, head=options.head, worktree=options.worktree)
    with closing(renderer()) as sandbox:
        prepared = prepare(pull_request, World(repository, sandbox, prices(), scorers()), only=options.lineages)
    cap = usd(_cap(prepared.detection.explain_usd, options.budget_usd))
    for entry, plan in prepared.measured:
        units, calls, cost = foreseen(entry.change, plan)
        parts = plural(units, "changed part")
        yield log_line(
            f"{plan.lineage} · {plan.model}: {parts}; if its cases break, up to {plural(calls, 'call')}, about "
            f"{usd(cost)}, and never more than {cap}"
        )
    if not prepared.measured:
        yield "no prompt that can be measured changes"


def _cap(configured: Decimal, asked: Decimal | None) -> Decimal:
    return configured if asked is None else min(configured, asked)


def _announced(found: BlamePlan) -> str:
    from engine.render.figures import plural, usd

    parts, cases = plural(len(found.units), "changed part"), plural(len(found.broken), "broken case")
    return (
        f"{parts}, {cases}: about {plural(found.calls, 'call')}, {usd(found.cost_usd)} (at most {usd(found.cap_usd)})"
    )


def _is_unfinished(card: LineageCard) -> bool:
    return card.status.value == "error" or (card.blame is not None and card.blame.result.value == "stopped")


def _document(card: LineageCard) -> dict[str, JsonValue]:
    found = None if card.blame is None else card.blame.model_dump(mode="json")
    return {"lineage": card.lineage, "model": card.model, "status": card.status.value, "blame": found}


def _lines(card: LineageCard) -> Iterator[str]:
    yield f"{card.lineage} · {card.model}: {card.status.value.replace('_', ' ')}"
    if card.blame is None:
        yield f"  {card.headline}" if card.status.value == "error" else "  nothing to explain"
        return
    yield f"  {card.blame.sentence.replace('`', '')}"
    yield from _units(card.blame)
    for warning in card.blame.warnings:
        yield f"  warning: {warning}"
    if card.blame.made or card.blame.stored:
        from engine.render.figures import plural, usd

        calls, stored = plural(card.blame.made, "call"), plural(card.blame.stored, "stored answer")
        yield f"  {calls} and {stored}, {usd(card.blame.cost_usd)}"


def _units(found: Blame) -> Iterator[str]:
    """Yields the guilty parts as a patch."""
    for number in dict.fromkeys(unit for culprit in found.culprits for unit in culprit.units):
        unit = found.units[number]
        yield f"  {_place(unit)}"
        yield from (f"    - {line}" for line in unit.after.splitlines())
        yield from (f"    + {line}" for line in unit.before.splitlines())


def _place(unit: Unit) -> str:
    if unit.file is None or unit.lines is None:
        return " ".join(filter(None, (unit.kind.value, unit.name)))
    return f"{unit.file}:{unit.lines[0]}"
