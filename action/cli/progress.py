"""Live progress on a terminal, plain lines elsewhere. Always on stderr: stdout carries only the scorecard."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from engine.runner.experiment import Progress

PLAIN_EVERY_S = 5.0
BATCH_SHARE = 0.75
"""Share of the rest of the bar that one batch of answers fills: the gate may ask for another batch after it."""


class BarPosition:
    """Position of one experiment's bar, from 0 to 1. It never falls, although the gate asks for more and more."""

    def __init__(self) -> None:
        self._start = 0.0
        self._done = 0
        self._asked = 0
        self.position = 0.0

    def move(self, done: int, asked: int) -> float:
        """Takes the finished and the asked answers so far; returns the position."""
        if asked > self._asked:
            self._start, self._done, self._asked = self.position, done, asked
        left = self._asked - self._done
        if left > 0:
            share = BATCH_SHARE * (done - self._done) / left
            self.position = max(self.position, self._start + (1 - self._start) * share)
        return self.position


class ProgressReport:
    """Shows the finished answers, the money spent and the elapsed time of every experiment."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stderr
        self._live: RichProgress | None = None
        self._tasks: dict[tuple[str, str], tuple[TaskID, BarPosition]] = {}
        self._latest: dict[tuple[str, str], Progress] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> ProgressReport:
        if self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[answers]}", markup=False),
                TextColumn("{task.fields[spent]}", markup=False),
                TimeElapsedColumn(),
                console=Console(file=self._stream),
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def line(self, text: str) -> None:
        """Prints one line of plain text."""
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()

    def update(self, progress: Progress) -> None:
        """Takes the newest state of one experiment."""
        key = (progress.lineage, progress.model)
        self._latest[key] = progress
        if self._live:
            if key not in self._tasks:
                name = f"{progress.lineage} · {progress.model}"
                self._tasks[key] = (self._live.add_task(name, total=1.0, spent="", answers=""), BarPosition())
            task, bar = self._tasks[key]
            position = bar.move(progress.done, progress.asked)
            spent, answers = _usd(progress.spent_usd), f"{progress.done:,} answers"
            self._live.update(task, completed=position, spent=spent, answers=answers)
        elif time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            self.line(self.state())

    def state(self) -> str:
        """Returns one line about all running experiments."""
        done = sum(one.done for one in self._latest.values())
        asked = sum(one.asked for one in self._latest.values())
        spent = max((one.spent_usd for one in self._latest.values()), default=0.0)
        return f"{done:,} of {asked:,} answers that were asked for so far, {_usd(spent)} spent"


def _usd(amount: float) -> str:
    """Formats dollars with enough digits for small amounts."""
    from engine.render.figures import usd

    return usd(Decimal(str(amount)))
