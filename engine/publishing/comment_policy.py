"""Decides where a verdict is shown, and whether it is outdated. The Action and the bot share these rules."""

from __future__ import annotations

from collections.abc import Callable

from schemas.config import CommentPolicy
from schemas.host import HostedPullRequest
from schemas.scorecard import Scorecard
from schemas.verdicts import ReasonCode


def wants_comment(scorecard: Scorecard, has_one: Callable[[], bool]) -> bool:
    """Returns whether to write the comment.

    An earlier comment of ours (``has_one``, which may call GitHub) is always updated: an old verdict must not look
    current."""
    policy = scorecard.comment
    if policy is CommentPolicy.OFF:
        return False
    wanted = {
        CommentPolicy.ALWAYS: True,
        CommentPolicy.CHANGES: says_something(scorecard),
        CommentPolicy.FAILURES: not scorecard.passes,
    }[policy]
    # `has_one` is asked last, because it may cost a request.
    return wanted or has_one()


def wants_running(policy: CommentPolicy, has_one: Callable[[], bool]) -> bool:
    """Returns whether to show in the comment that a head is being measured. Otherwise an old verdict would look
    current."""
    if policy is CommentPolicy.OFF:
        return False
    return policy is not CommentPolicy.FAILURES or has_one()


def says_something(scorecard: Scorecard) -> bool:
    """Returns whether the pull request changes anything that the gate reads, or leaves a changed prompt ungated."""
    told = any(reason.code is not ReasonCode.NOTHING_CHANGED for reason in scorecard.reasons)
    return bool(scorecard.lineages or scorecard.warnings) or told


def outdated(head_sha: str, base_ref: str, now: HostedPullRequest) -> str | None:
    """Returns why a verdict on this head and base is outdated, or ``None``.

    The result of an old head is never shown as current.
    """
    if now.head_sha != head_sha:
        return "the pull request has a newer head, which has a run of its own"
    if now.base_ref != base_ref:
        return "the base was changed, which has a run of its own"
    return None
