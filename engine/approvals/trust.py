"""How far a pull request's author is trusted, and what that allows a run to spend (design: who may do what)."""

from __future__ import annotations

from decimal import Decimal

from schemas.errors import UsageError
from schemas.host import HostedPullRequest, Sha
from schemas.pullrequests import PullRequest, Trust

FORKS_SHARE = 4
"""An approved fork may spend a quarter of the configured cap: one commit was looked at, its author is a stranger."""


def pull_request_of(
    hosted: HostedPullRequest,
    repository: str,
    base_sha: Sha,
    approved_sha: str | None = None,
    default_sha: Sha | None = None,
) -> PullRequest:
    """Returns the value that the pipeline takes.

    ``base_sha`` is the tip of the base branch; ``approved_sha`` is the head that a maintainer approved for a run;
    ``default_sha`` is the tip of the default branch, where a success on another base counts for it as well.

    Raises UsageError when that isn't the head any more.
    """
    if approved_sha is not None and approved_sha != hosted.head_sha:
        raise UsageError(
            f"the head of #{hosted.number} isn't {approved_sha[:12]} any more: it is {hosted.head_sha}",
            where="head-sha",
            hint="look at the new commits, then approve that head",
        )
    trust = Trust.SAME_REPOSITORY
    if hosted.head_repository != repository:
        trust = Trust.FORK if approved_sha is None else Trust.FORK_APPROVED
    return PullRequest(
        base_ref=hosted.base_ref,
        base_sha=base_sha,
        head_ref=hosted.head_ref,
        head_sha=hosted.head_sha,
        trust=trust,
        repository=repository,
        number=hosted.number,
        author=hosted.author,
        default_ref=None if default_sha is None else hosted.default_branch,
        default_sha=default_sha,
    )


def budget_usd(configured: Decimal, trust: Trust) -> Decimal:
    """Returns what a run may spend of the configured cap."""
    return configured / FORKS_SHARE if trust is Trust.FORK_APPROVED else configured
