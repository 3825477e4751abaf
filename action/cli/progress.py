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


class ProgressReport:
    """Shows the finished cases, the money spent and the time left of every experiment."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stderr
        self._live: RichProgress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._latest: dict[tuple[str, str], Progress] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> ProgressReport:
        if self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[spent]}", markup=False),
                TimeRemainingColumn(),
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
                self._tasks[key] = self._live.add_task(name, total=progress.asked, spent=_usd(0.0))
            self._live.update(
                self._tasks[key], total=progress.asked, completed=progress.done, spent=_usd(progress.spent_usd)
            )
        elif time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            self.line(self.state())

    def state(self) -> str:
        """Returns one line about all running experiments."""
        done = sum(one.done for one in self._latest.values())
        asked = sum(one.asked for one in self._latest.values())
        spent = max((one.spent_usd for one in self._latest.values()), default=0.0)
        return f"{done} of {asked} answers, {_usd(spent)} spent"


def _usd(amount: float) -> str:
    """Formats dollars with enough digits for small amounts."""
    from engine.render.figures import usd

    return usd(Decimal(str(amount)))
