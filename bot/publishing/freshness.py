"""Checks whether a run is still the newest of its pull request. Read again before each write: events are only hints.

The publisher cancels the check of a superseded run (``cancel_check``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.values import Run, RunState
from engine.publishing.comment_policy import outdated
from schemas.errors import NotFound

if TYPE_CHECKING:
    from adapters.github.checks import AppHost
    from bot.store.records import Records
    from schemas.host import HostedPullRequest


class Superseded(Exception):  # noqa: N818 - named after what happened
    """The run is no longer the newest of its pull request."""


def current(records: Records, host: AppHost, run: Run) -> HostedPullRequest:
    """Reads the pull request and checks that ``run`` has its head and base and was not cancelled.

    Raises Superseded and HostError.
    """
    assert run.number is not None
    fresh = records.run(run.id)
    if fresh is None or fresh.state is RunState.CANCELLED:
        raise Superseded("it was cancelled")
    try:
        now = host.pull_request(run.number)
    except NotFound:
        raise Superseded("the pull request no longer exists") from None
    if not now.is_open:
        raise Superseded("the pull request is closed")
    # A retargeted pull request has the same head but another base, so both are compared.
    why = outdated(run.head_sha, run.base_ref, now)
    if why is not None:
        raise Superseded(why)
    return now


def still_open(records: Records, run: Run) -> None:
    """Raises Superseded if the run has ended or was cancelled, by this worker or another."""
    fresh = records.run(run.id)
    if fresh is None or not fresh.state.is_open:
        raise Superseded("it has ended elsewhere")
