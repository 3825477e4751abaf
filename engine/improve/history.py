"""What stored answers tell about a prompt without any call: where it fails, and which past commits lost cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.blame.explain import Explainer
from engine.blame.units import units_of
from engine.improve.ports import Ports
from engine.improve.scoring import scored_once
from engine.improve.split import cluster_numbers
from engine.patterns.patterns import failing_patterns
from engine.pipeline import measure
from engine.planning.plan import ArmSource
from engine.planning.prepared import Prepared
from engine.runner.budget import SpendingCap
from schemas.blame import Pattern, Unit, UnitKind
from schemas.errors import PromptVerdictError
from schemas.outcomes import Arm, Score
from schemas.prompts import PromptFile
from schemas.trees import Revision
from schemas.values import Value

FAILS = 0.5
EVER = "36500d"
"""The age of answers that still tell something about the past."""
MOST_UNITS = 40
"""Changed parts of a commit that are shown."""


@dataclass(frozen=True)
class Past:
    """One committed version, planned alone on today's cases, and as a change of the one before."""

    revision: Revision
    alone: Prepared
    change: Prepared | None
    """``None`` for the oldest."""

    @property
    def source(self) -> ArmSource | None:
        """The prompt and its first model."""
        change = self.alone.entries[0].change if self.alone.entries else None
        if change is None or change.candidate is None or not change.models:
            return None
        return ArmSource(change.candidate, change.models[0].candidate)


class Loss(Value):
    """Cases that passed before a commit, and have failed since."""

    revision: Revision
    cases: tuple[str, ...]
    fixed: int
    """Cases that failed before this commit and passed with it. As many as ``cases`` may be mere chance."""
    units: tuple[Unit, ...]
    """What the commit changed in the prompt; if ``confirmed``, only the parts that fresh runs showed to be guilty."""
    confirmed: bool = False


class History(Value):
    """What stored answers tell."""

    lineage: str
    versions: int
    """Committed versions that have stored answers."""
    cases: int
    answered: int
    """Cases with a stored answer to the prompt as it is."""
    failing: tuple[str, ...]
    patterns: tuple[Pattern, ...] = ()
    losses: tuple[Loss, ...] = ()
    """Those with the most cases first."""
    patch: str | None = None
    """Unified diff that takes the first loss's parts back in today's file. It is not measured."""


async def history(pasts: Sequence[Past], ports: Ports) -> tuple[History, Sequence[Mapping[str, float]]]:
    """Returns what stored answers tell, and the scores of each version by case. ``pasts``: oldest first, today's last.

    ``ports.access`` is that of ``stored_only``. Raises StoreError.
    """
    scores = [await _stored_scores(past, ports) for past in pasts]
    today = pasts[-1].alone.entries[0]
    cases = today.change.tests.cases if today.change.tests else ()
    known = [case for case in cases if case.id in scores[-1]]
    failing = [n for n, case in enumerate(known) if scores[-1][case.id] < FAILS]
    losses = [
        Loss(revision=pasts[number].revision, cases=ids, fixed=_fixed(scores, number), units=_units(pasts, number))
        for number, ids in lost(scores).items()
    ]
    losses.sort(key=lambda loss: -len(loss.cases))
    if losses:
        losses[0] = await _confirmed(losses[0], pasts, ports)
    found = History(
        lineage=today.change.name,
        versions=sum(map(bool, scores)),
        cases=len(cases),
        answered=len(known),
        failing=tuple(known[n].id for n in failing),
        patterns=failing_patterns(known, failing, clusters=cluster_numbers(known), seed=0),
        losses=tuple(losses),
    )
    return found, scores


def lost(scores: Sequence[Mapping[str, float]], only: Collection[str] | None = None) -> dict[int, tuple[str, ...]]:
    """Returns the cases that fail now and passed before, by the first version after that which is known to fail them.

    ``scores``: by version, oldest first, today's last. ``only``: these cases alone.
    """
    found: dict[int, list[str]] = defaultdict(list)
    for case, now in scores[-1].items():
        if now >= FAILS or (only is not None and case not in only):
            continue
        guilty = len(scores) - 1
        for number in range(len(scores) - 2, -1, -1):
            score = scores[number].get(case)
            if score is None:
                continue
            if score >= FAILS:
                found[guilty].append(case)
                break
            guilty = number
    return {number: tuple(ids) for number, ids in found.items()}


def _fixed(scores: Sequence[Mapping[str, float]], number: int) -> int:
    before = scores[number - 1]
    return sum(before.get(case, 1.0) < FAILS <= score for case, score in scores[number].items())


def hints(
    pasts: Sequence[Past], scores: Sequence[Mapping[str, float]], shown: Collection[str], most: int = 3
) -> tuple[Unit, ...]:
    """Returns changed texts of the commits that lost cases, judged by the shown cases alone: a model may read them."""
    by_size = sorted(lost(scores, shown).items(), key=lambda item: -len(item[1]))
    units = [unit for number, _ in by_size for unit in _units(pasts, number) if unit.kind is UnitKind.TEXT]
    return tuple(units[:most])


def taken_back(pasts: Sequence[Past], loss: Loss) -> PromptFile | None:
    """Returns today's prompt with the parts of a loss as they were before; ``None`` if they aren't found in it."""
    today = pasts[-1].source
    if today is None:
        return None
    edited = _replaced(today.prompt, loss.units)
    before = pasts[-2].source if len(pasts) > 1 else None
    if before is not None and pasts[-1].revision == loss.revision:
        # Nothing came after it, so text that it removed has a place too.
        units = units_of(before, today)
        wanted = {(unit.kind, unit.before, unit.after) for unit in loss.units}
        undo = [n for n, unit in enumerate(units.described()) if (unit.kind, unit.before, unit.after) in wanted]
        edited = units.without(undo).prompt
    return None if edited.messages == today.prompt.messages else edited


def _replaced(prompt: PromptFile, units: Sequence[Unit]) -> PromptFile:
    messages = list(prompt.messages)
    for unit in units:
        if unit.kind is not UnitKind.TEXT or not unit.after.strip():
            continue
        places = [n for n, message in enumerate(messages) if message.content.count(unit.after) == 1]
        if len(places) == 1:
            content = messages[places[0]].content.replace(unit.after, unit.before)
            messages[places[0]] = messages[places[0]].model_copy(update={"content": content})
    return prompt.model_copy(update={"messages": tuple(messages)})


async def _stored_scores(past: Past, ports: Ports) -> dict[str, float]:
    entry = past.alone.entries[0] if past.alone.entries else None
    if entry is None or entry.plan is None:
        return {}
    plan = entry.plan
    settings = entry.change.run.model_copy(update={"max_age": EVER})
    cap = SpendingCap(None)
    arm = plan.arms[Arm.CANDIDATE]
    result = await scored_once(plan, plan.cases, arm.requests, settings=settings, ports=ports, cap=cap)
    return {
        plan.cases[outcome.cell.case].id: outcome.scores[0].value
        for outcome in result.outcomes
        if outcome.scores and isinstance(outcome.scores[0], Score)
    }


def _units(pasts: Sequence[Past], number: int) -> tuple[Unit, ...]:
    before, after = pasts[number - 1].source, pasts[number].source
    if before is None or after is None:
        return ()
    return units_of(before, after).described()[:MOST_UNITS]


async def _confirmed(loss: Loss, pasts: Sequence[Past], ports: Ports) -> Loss:
    """Returns the loss with the guilty parts alone, if a check of that commit searched for them: its answers are
    stored."""
    change = next(past.change for past in pasts if past.revision == loss.revision)
    if change is None or not change.runs:
        return loss
    try:
        card = await measure(
            change, access=ports.access, store=ports.store, clock=ports.clock, explainer=Explainer(ports.renderer)
        )
    except PromptVerdictError:
        return loss
    blame = next((each.blame for each in card.lineages if each.blame is not None and each.blame.culprits), None)
    if blame is None or blame.cost_usd > Decimal(0):
        return loss
    guilty = dict.fromkeys(unit for culprit in blame.culprits for unit in culprit.units)
    return loss.model_copy(update={"units": tuple(blame.units[number] for number in guilty), "confirmed": True})
