"""The text of what stored answers tell about a prompt. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from engine.improve.history import History, Loss
from engine.render.encode import excerpt, visible
from engine.render.figures import plural

MOST_CASES, MOST_LOSSES, MOST_LINES = 12, 3, 20
_LONGEST = 400


def history_lines(found: History) -> Iterator[str]:
    """Yields where the prompt fails, and which commits lost cases. No call was made for it."""
    answered = f"{found.answered} of {plural(found.cases, 'case')} have a stored answer to the prompt as it is"
    yield f"{found.lineage}, from stored answers only: {answered}, and {len(found.failing)} fail."
    if not found.answered:
        yield "No answers are stored yet. Run promptverdict score to store some."
        return
    yield from (f"  {_cut(pattern.sentence)}" for pattern in found.patterns)
    if not found.losses:
        known = plural(found.versions, "version")
        yield f"No earlier version is known to pass a case that fails now ({known} with stored answers)."
    for loss in found.losses[:MOST_LOSSES]:
        yield from _loss(loss)
    if found.patch is not None:
        yield "This patch reverts it. It is not measured: apply it, then run promptverdict check --worktree."


def _loss(loss: Loss) -> Iterator[str]:
    one = loss.revision
    ids = ", ".join(visible(case) for case in loss.cases[:MOST_CASES])
    more = f" and {len(loss.cases) - MOST_CASES} more" if len(loss.cases) > MOST_CASES else ""
    who = f"{visible(one.author)}, {one.when:%Y-%m-%d}"
    cases = plural(len(loss.cases), "case")
    count = f"lost {cases} and fixed {loss.fixed}, by one answer each"
    yield f"{one.sha[:7]} “{_cut(one.subject)}” ({who}) {count}: {ids}{more}"
    yield "  the guilty part:" if loss.confirmed else "  everything that it changed in the prompt:"
    for unit in loss.units:
        yield from (f"    - {_cut(line)}" for line in unit.after.splitlines()[:MOST_LINES])
        yield from (f"    + {_cut(line)}" for line in unit.before.splitlines()[:MOST_LINES])


def _cut(text: str) -> str:
    return visible(excerpt(" ".join(text.split()), _LONGEST).text)
