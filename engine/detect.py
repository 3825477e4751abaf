"""What does this pull request change? Answered from git trees and blobs, for the lineages that are affected only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.detection.commits import Commits
from engine.detection.configurations import NAME, Place, find_configurations, mode_of
from engine.detection.entries import Entry
from engine.detection.files import folder_of
from engine.detection.inline import inline_entries, replaced_reasons
from engine.detection.lineages import lineage_change, may_be_affected
from engine.detection.workflows import workflow_changes, workflow_reasons
from engine.policy import compare_policies, counterparts, policy_reasons
from engine.readers.bounded import shown
from engine.readers.prompts import is_prompt_path
from schemas.config import Budget, CommentPolicy, Config
from schemas.detection import Detection, LineageChange, PolicyChange
from schemas.ports import SourceTree
from schemas.prompts import Finding
from schemas.pullrequests import PullRequest
from schemas.scorecard import Reason, ReasonCode, VerdictStatus

NAMED = 5
"""Files that a warning names before it counts."""


def detect(tree: SourceTree, pull_request: PullRequest, merge_base: str | None) -> Detection:
    """The affected lineages of a pull request, the policy that judges them, and what already speaks for a verdict.

    Baselines are read at ``merge_base`` (``None``: at the tip of the base ref, which is said), policy and gating cases
    at the tip of the base ref, candidates at the head. Raises ConfigError for a configuration that can't be read, with
    ``file:line``, and SourceError for commits that can't.
    """
    base_sha, head_sha = pull_request.base_sha, pull_request.head_sha
    commits = Commits(tree, merge_base or base_sha, base_sha, head_sha)
    warnings = []
    if merge_base is None and base_sha != head_sha:
        what = f"the branches have no commit in common; compared with the tip of {shown(pull_request.base_ref)}"
        warnings.append(Finding(what=what, mend="fetch the whole history: git fetch --unshallow"))
    if not commits.changes.all:
        return Detection(config=None, reasons=(_nothing(0, settings=False),), warnings=tuple(warnings))
    places, found = find_configurations(tree, commits)
    adoption = bool(places) and not any(place.base or place.broken for place in places)
    policies = [_policy(place, commits) for place in places]
    configured = [
        entry
        for place, policy in zip(places, policies, strict=True)
        for entry in _entries(place, policy, commits, adoption=adoption)
    ]
    inline = inline_entries(commits, places, configured)
    taken = {entry.prompt for entry in inline}
    entries = _named([*(entry for entry in configured if not (entry.adopted and entry.prompt in taken)), *inline])
    commits.ancestor.fetch_prompts(entry.prompt for entry in entries)
    affected = [entry for entry in entries if may_be_affected(entry, commits)]
    for files in (commits.base, commits.head):
        files.fetch_prompts(path for entry in affected for path in entry.paths)
    changed = [
        (entry, change) for entry in affected if (change := lineage_change(entry, commits, pull_request.base_ref))
    ]
    lineages = tuple(change for _, change in sorted(changed, key=lambda pair: pair[0].name))
    gone = {f"lineages.{entry.key}" for entry, change in changed if _is_deleted(change)}
    calling = workflow_changes(commits.ancestor, commits.head, commits.changes.all, adoption=adoption)
    reasons = [
        *([_adopted(places)] if adoption else []),
        *(reason for place in places for reason in _place_reasons(place, adoption=adoption)),
        *(
            reason
            for policy in policies
            for reason in policy_reasons(change for change in policy if change.key not in gone)
        ),
        *replaced_reasons(commits, configured),
        *workflow_reasons(calling),
    ]
    unaffected = sum(not entry.new for entry in entries) - sum(not entry.new for entry, _ in changed)
    if not lineages and not reasons:
        reasons.append(_nothing(unaffected, settings=any(policies)))
    concerned = [entry.config for entry, _ in changed if not entry.adopted]
    concerned += [place.base for place in places if place.base and place.touched]
    concerned = concerned or [place.base for place in places if place.base and not place.root]
    return Detection(
        config=next((config for config in concerned if any(config is place.base for place in places)), None),
        mode=mode_of(places, concerned, calling=bool(calling)),
        comment=concerned[0].comment if concerned else CommentPolicy.CHANGES,
        budget_usd=_cap(concerned, lineages),
        lineages=lineages,
        names=tuple(sorted(entry.name for entry in entries)),
        unaffected=unaffected,
        adoption=adoption,
        policy=tuple(change for policy in policies for change in policy),
        calling=tuple(path for pair in calling for path in pair if path),
        reasons=tuple(reasons),
        warnings=(*warnings, *found, *_ungated(commits, entries, lineages)),
    )


def _cap(concerned: Sequence[Config], lineages: Sequence[LineageChange]) -> Decimal:
    """USD of the whole run: the largest budget of a configuration, and no more than its lineages may cost together."""
    cap = max((config.budget.per_run_usd for config in concerned), default=Budget().per_run_usd)
    together = [change.budget.per_run_usd for change in lineages if change.measured]
    return min(cap, sum(together, Decimal(0))) if together else cap


def _policy(place: Place, commits: Commits) -> tuple[PolicyChange, ...]:
    if not (place.touched and place.base and place.head):
        return ()
    return compare_policies(place.base, place.head, moved=_moved(place, commits), ancestor=place.ancestor)


def _moved(place: Place, commits: Commits) -> dict[str, str]:
    """Renames within the configuration's folder, relative to it."""
    start = f"{place.root}/" if place.root else ""
    return {
        before.removeprefix(start): after.removeprefix(start)
        for before, after in commits.changes.moves.items()
        if before.startswith(start) and after.startswith(start)
    }


def _entries(place: Place, policy: tuple[PolicyChange, ...], commits: Commits, *, adoption: bool) -> Iterator[Entry]:
    root, base, head = place.root, place.base, place.head
    names = counterparts(base, head, _moved(place, commits)) if base and head else {}
    if base:
        for key, lineage in base.lineages.items():
            own = f"lineages.{key}"
            yield Entry(
                name=key,
                key=key,
                root=root,
                config=base,
                lineage=lineage,
                head_config=head or base,
                head_lineage=head.lineages.get(names.get(key, "")) if head else None,
                policy=tuple(change for change in policy if change.key == own or change.key.startswith(f"{own}.")),
            )
    if head and not place.broken:
        for key, lineage in head.lineages.items():
            if key not in names.values():
                config = base or head
                yield Entry(key, key, root, config, lineage, head, lineage, new=True, adopted=adoption or base is None)


def _named(entries: Sequence[Entry]) -> list[Entry]:
    """Gives each entry a name of its own: where two folders use the same, the folder goes before it."""
    counts = Counter(entry.name for entry in entries)
    named: dict[str, Entry] = {}
    for entry in entries:
        name = f"{entry.root}/{entry.name}" if counts[entry.name] > 1 and entry.root else entry.name
        number = 2
        while name in named:
            name, number = f"{entry.name}-{number}", number + 1
        named[name] = entry._replace(name=name)
    return list(named.values())


def _is_deleted(change: LineageChange) -> bool:
    return any(reason.code is ReasonCode.DELETED_LINEAGE for reason in change.reasons)


def _place_reasons(place: Place, *, adoption: bool) -> Iterator[Reason]:
    path = shown(place.path)
    if place.broken:
        what = f"Base's configuration can't be read ({place.broken}); this pull request mends it, nothing was measured."
    elif place.base and place.touched and not place.head:
        what = f"This pull request removes {path}: nothing that it names would be gated any more."
    elif not place.base and not adoption:
        what = f"This pull request adds {path}: its lineages are gated after the merge."
    else:
        return
    yield Reason(code=ReasonCode.POLICY_CHANGED, status=VerdictStatus.NEEDS_APPROVAL, sentence=what)


def _adopted(places: Sequence[Place]) -> Reason:
    names = ", ".join(shown(place.path) for place in places)
    return Reason(
        code=ReasonCode.ADOPTION,
        status=VerdictStatus.NOT_APPLICABLE,
        sentence=f"This pull request installs Prompt Verdict ({names}): it gates after the merge.",
    )


def _nothing(unaffected: int, *, settings: bool) -> Reason:
    what = (
        "Settings change, and none of them loosens the gate"
        if settings
        else "No prompt, model, test set or gate changes"
    )
    untouched = "1 lineage is as it was" if unaffected == 1 else f"{unaffected} lineages are as they were"
    return Reason(
        code=ReasonCode.NOTHING_CHANGED,
        status=VerdictStatus.NOT_APPLICABLE,
        sentence=f"{what}{f'; {untouched}' if unaffected else ''}.",
    )


def _ungated(commits: Commits, entries: Sequence[Entry], lineages: Sequence[LineageChange]) -> Iterator[Finding]:
    """What looks like a prompt, is changed, and belongs to no lineage."""
    claimed = {path for entry in entries for path in entry.paths}
    for change in lineages:
        for prompt in (change.baseline, change.candidate):
            claimed |= {prompt.path, *prompt.partials} if prompt else set()
    free = [
        path
        for change in commits.changes.all
        if change.after and is_prompt_path(path := change.after.path) and not {path, folder_of(path)} & claimed
    ]
    if free:
        more = f" and {len(free) - NAMED} more" if len(free) > NAMED else ""
        looks = "looks like a prompt, but no lineage names it"
        looks = looks if len(free) == 1 else "look like prompts, but no lineage names them"
        yield Finding(
            what=f"{', '.join(map(shown, free[:NAMED]))}{more} {looks}: not gated",
            mend=f"add a lineage to {NAME}",
        )
