"""Texts that are shown during a run."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.render import figures
from engine.render.encode import prose
from engine.render.markdown import MARKER
from schemas.pricing import Usd
from schemas.values import Value

if TYPE_CHECKING:
    from engine.planning.prepared import Prepared


class Progress(Value):
    """Progress of a run. ``planned`` is the most calls; an early verdict needs fewer."""

    base_sha: str
    head_sha: str
    lineages: tuple[str, ...]
    done: int
    planned: int
    spent_usd: Usd = Decimal(0)
    budget_usd: Usd | None = None
    seconds: float | None = None
    """Elapsed."""
    seconds_left: float | None = None


def progress_of(prepared: Prepared, done: int, spent_usd: float | Decimal, budget_usd: Decimal) -> Progress:
    """Returns the progress of a prepared run after this many calls."""
    plans = [entry.plan for entry in prepared.entries if entry.plan is not None]
    return Progress(
        base_sha=prepared.pull_request.base_sha,
        head_sha=prepared.pull_request.head_sha,
        lineages=tuple(dict.fromkeys(plan.lineage for plan in plans)),
        done=done,
        planned=sum(estimate.calls for plan in plans for estimate in plan.estimates.values()),
        spent_usd=Decimal(str(spent_usd)),
        budget_usd=budget_usd,
    )


def progress_line(progress: Progress) -> str:
    """Returns one plain line: ``120 of 800 calls (15%) · $0.08 of $2.00 · 12 s · about 48 s left``."""
    share = f" ({progress.done * 100 // progress.planned}%)" if progress.planned else ""
    parts = [f"{progress.done:,} of {figures.plural(progress.planned, 'call')}{share}", figures.usd(progress.spent_usd)]
    if progress.budget_usd is not None:
        parts[-1] += f" of {figures.usd(progress.budget_usd)}"
    if progress.seconds is not None:
        parts.append(figures.seconds(progress.seconds))
    if progress.seconds_left is not None:
        parts.append(f"about {figures.seconds(progress.seconds_left)} left")
    return " · ".join(parts)


def notice(head_sha: str, heading: str, sentence: str) -> str:
    """Returns the comment without a verdict: ``heading`` with its sign, and why in plain words."""
    return f"{MARKER} {head_sha} -->\n## {heading}\n\n{prose(sentence)}\n"


def running(progress: Progress) -> str:
    """Returns the comment during a run: what is measured, and its progress."""
    names = [prose(name, 80) for name in progress.lineages[:10]]
    more = len(progress.lineages) - len(names)
    listed = ", ".join([*names, f"{more:,} more"] if more else names)
    commits = f"base {progress.base_sha[:7]} → head {progress.head_sha[:7]}"
    return "\n\n".join(
        (
            f"{MARKER} {progress.head_sha} -->\n## ⏳ Prompt Verdict: running",
            f"Measuring {listed}: {prose(progress_line(progress))}.",
            f"<sub>{commits} · the verdict replaces this as soon as it is certain</sub>\n",
        )
    )
