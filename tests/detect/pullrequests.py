"""A repository with one configured lineage, and what a pull request does to it, for the tests of detection."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.git.repository import GitRepository
from engine.detection.detect import detect
from schemas.detection import Detection, LineageChange
from schemas.pullrequests import PullRequest, Trust
from tests.repositories import Content, Repository
from tests.trees import MemoryTrees

CONFIG = """\
version: 1
models:
  small: {provider: openai, model: gpt-small}
  large: {provider: openai, model: gpt-large}
defaults: {model: small}
lineages:
  triage:
    use_case: classification
    prompt: prompts/triage.md
    tests: tests/triage.jsonl
    labels: [billing, refunds]
"""
PROMPT = "You sort tickets.\nAnswer with billing or refunds.\n\nTicket: {{ input }}\n"
TESTS = (
    '{"id": "one", "input": "my bill", "expected": "billing"}\n{"id": "two", "input": "money", "expected": "refunds"}\n'
)
FILES: Mapping[str, Content] = {
    "promptverdict.yaml": CONFIG,
    "prompts/triage.md": PROMPT,
    "tests/triage.jsonl": TESTS,
    "src/main.py": "print()\n",
}


def base_of(repository: Repository, **files: Content) -> str:
    """The commit that pull requests start from: ``FILES`` with changes."""
    return repository.commit({**FILES, **files})


def detected(
    repository: Repository | MemoryTrees,
    head: Mapping[str, Content],
    *,
    base: Mapping[str, Content] | None = None,
    **moved: Content,
) -> Detection:
    """What a pull request with the files of ``head`` changes, on top of ``FILES`` (and of ``base``).

    ``moved`` are files that the base branch changes after the pull request's branch has left it.
    """
    merge_base = repository.commit({**FILES, **(base or {})})
    head_sha = repository.commit(head, branch="feature", parent=merge_base)
    base_sha = repository.commit(moved) if moved else merge_base
    return detected_between(repository, base_sha, head_sha)


def detected_between(repository: Repository | MemoryTrees, base_sha: str, head_sha: str) -> Detection:
    """The detection for two commits."""
    tree = repository if isinstance(repository, MemoryTrees) else GitRepository(repository.path)
    pull_request = PullRequest(
        base_ref="main", base_sha=base_sha, head_ref="feature", head_sha=head_sha, trust=Trust.SAME_REPOSITORY
    )
    return detect(tree, pull_request, tree.merge(base_sha, head_sha))


def only(detection: Detection) -> LineageChange:
    """The one lineage that is affected."""
    (change,) = detection.lineages
    return change


def kinds(change: LineageChange) -> list[str]:
    """What kinds of changes there are."""
    return [found.kind for found in change.changes]


def codes(found: Detection | LineageChange) -> list[str]:
    """The reasons with what they'd give: ``moved_out: needs_review``."""
    return [f"{reason.code.value}: {reason.status.value}" for reason in found.reasons]
