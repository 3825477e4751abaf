"""Trust in a pull request's author, and what a run may spend accordingly."""

from __future__ import annotations

from decimal import Decimal

from schemas.errors import UsageError
from schemas.host import HostedPullRequest, Sha
from schemas.pullrequests import PullRequest, Trust

FORKS_SHARE = 4
"""Share of the configured cap for an approved fork. A maintainer reviewed one commit, but its author is unknown."""


def pull_request_of(
    hosted: HostedPullRequest,
    repository: str,
    base_sha: Sha,
    approved_sha: str | None = None,
    default_sha: Sha | None = None,
) -> PullRequest:
    """Returns the pull request as the pipeline takes it.

    ``base_sha`` is the tip of the base branch. ``approved_sha`` is the head that a maintainer approved for a run.
    ``default_sha`` is the tip of the default branch, given if a success on another base counts for it too.

    Raises UsageError if ``approved_sha`` is no longer the head.
    """
    if approved_sha is not None and approved_sha != hosted.head_sha:
        raise UsageError(
            f"the head of #{hosted.number} is no longer {approved_sha[:12]} but {hosted.head_sha}",
            where="head-sha",
            hint="look at the new commits, then approve that head",
        )
    # A user who can push a branch to the repository can also use its secrets, so such heads are trusted.
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
    """Returns the part of the configured cap that a run may spend."""
    return configured / FORKS_SHARE if trust is Trust.FORK_APPROVED else configured
