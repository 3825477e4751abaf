"""What does this pull request change? Answered from git trees and blobs, for the lineages that are affected only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.detection.attributes import attribute_reasons
from engine.detection.configurations import Place, find_configurations, mode_of
from engine.detection.entries import Entry
from engine.detection.inline import inline_entries, replaced_reasons
from engine.detection.lax_bases import lax_base_reasons
from engine.detection.lineages import affected, lineage_change
from engine.detection.policy import compare_policies, counterparts, policy_reasons
from engine.detection.sides import Sides
from engine.detection.uncovered import missing_prompts, uncovered_files, uncovered_reasons, uncovered_warnings
from engine.detection.workflows import workflow_changes, workflow_reasons
from engine.readers.bounded import shown
from schemas.config import Budget, CommentPolicy, Config, Mode
from schemas.detection import Detection, Ending, LineageChange, PolicyChange
from schemas.ports import SourceTree
from schemas.prompts import Finding
from schemas.pullrequests import PullRequest
from schemas.trees import Merge
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


def detect(tree: SourceTree, pull_request: PullRequest, merge: Merge) -> Detection:
    """Returns the affected lineages of a pull request, the policy that judges them, and what already speaks for a
    verdict.

    Compares the tip of the base branch with what the ``merge`` of the head would bring: first which watched files
    differ, by blob id; then both versions of those are read. Policy and gating cases are base's. Raises ConfigError for
    a configuration that can't be read, with ``file:line``, and SourceError for commits that can't.
    """
    sides = Sides(tree, pull_request.base_sha, merge)
    warnings = []
    if not merge.bases:
        what = f"the branches have no commit in common; compared with the tip of {shown(pull_request.base_ref)}"
        warnings.append(Finding(what=what, hint="fetch the whole history: git fetch --unshallow"))
    lax = lax_base_reasons(tree, pull_request, sides)
    if not sides.changes.all:
        nothing = lax or (_nothing(0, settings=False),)
        return Detection(merge=merge, config=None, reasons=nothing, warnings=tuple(warnings))
    places, misnamed = find_configurations(tree, sides)
    adoption = bool(places) and not any(place.base or place.broken for place in places)
    policies = [_policy(place, sides) for place in places]
    entries = _all_entries(places, policies, sides, adoption=adoption)
    found = _compared(entries, sides)
    calling = workflow_changes(sides.base, sides.merged, sides.changes.all, adoption=adoption)
    uncovered = uncovered_files(sides, entries, found.watched)
    lost = missing_prompts(sides, entries)
    unnamed = tuple(uncovered_reasons(uncovered, lost if uncovered else (), places, adoption=adoption))
    reasons = [
        *lax,
        *([_adopted(places)] if adoption else []),
        *(reason for place in places for reason in _place_reasons(place, adoption=adoption)),
        *_policy_reasons(policies, deleted=found.deleted),
        *replaced_reasons(sides, entries),
        *workflow_reasons(calling),
        *(attribute_reasons(sides) if entries else ()),
        *unnamed,
    ]
    unaffected = sum(not entry.new for entry in entries) - sum(not entry.new for entry, _ in found.changed)
    if not found.lineages and not reasons:
        reasons.append(_nothing(unaffected, settings=any(policies), harmless=found.harmless))
    concerned = _concerned(places, found)
    mode = mode_of(places, concerned, calling=bool(calling), about=uncovered if unnamed else ())
    return Detection(
        merge=merge,
        config=next((config for config in concerned if any(config is place.base for place in places)), None),
        mode=Mode.ENFORCE if lax else mode,
        comment=concerned[0].comment if concerned else CommentPolicy.CHANGES,
        budget_usd=_cap(concerned, found.lineages),
        lineages=found.lineages,
        harmless=found.harmless,
        names=tuple(sorted(entry.name for entry in entries)),
        unaffected=unaffected,
        adoption=adoption,
        policy=tuple(change for policy in policies for change in policy),
        calling=tuple(path for pair in calling for path in pair if path),
        reasons=tuple(reasons),
        warnings=(*warnings, *misnamed, *uncovered_warnings(uncovered, lost, places)),
    )


@dataclass(frozen=True)
class _Compared:
    """The lineages whose files or settings differ, read on both sides."""

    changed: tuple[tuple[Entry, LineageChange], ...]
    """Those that change in something that matters."""
    harmless: tuple[Ending, ...]
    """How everything ends that differs in the others."""
    watched: frozenset[str]
    """Paths of all files that differ and belong to a lineage."""

    @property
    def lineages(self) -> tuple[LineageChange, ...]:
        return tuple(change for _, change in sorted(self.changed, key=lambda pair: pair[0].name))

    @property
    def deleted(self) -> frozenset[str]:
        """Keys of their settings."""
        return frozenset(f"lineages.{entry.key}" for entry, change in self.changed if _is_deleted(change))


def _compared(entries: Sequence[Entry], sides: Sides) -> _Compared:
    read = [(entry, lineage_change(entry, found, sides), found) for entry, found in affected(entries, sides)]
    differences = [each for _, _, found in read for each in found]
    return _Compared(
        changed=tuple((entry, change) for entry, change, _ in read if change.changes or change.reasons),
        harmless=tuple(
            ending for _, change, _ in read if not (change.changes or change.reasons) for ending in change.endings
        ),
        watched=frozenset(side.path for each in differences for side in (each.before, each.after) if side),
    )


def _policy_reasons(policies: Sequence[tuple[PolicyChange, ...]], *, deleted: Collection[str]) -> Iterator[Reason]:
    """A deleted lineage has a reason of its own: its settings get none."""
    for policy in policies:
        yield from policy_reasons(change for change in policy if change.key not in deleted)


def _concerned(places: Sequence[Place], found: _Compared) -> list[Config]:
    """The configurations that this pull request is about: of changed lineages, then those that it touches, else the
    repository's own."""
    concerned = [entry.config for entry, _ in found.changed if not entry.adopted]
    concerned += [place.base for place in places if place.base and place.touched]
    return concerned or [place.base for place in places if place.base and not place.root]


def _all_entries(
    places: Sequence[Place], policies: Sequence[tuple[PolicyChange, ...]], sides: Sides, *, adoption: bool
) -> list[Entry]:
    """Returns every lineage that base or head configures, and the prompts that are lineages by themselves; each by its
    name."""
    configured = [
        entry
        for place, policy in zip(places, policies, strict=True)
        for entry in _entries(place, policy, sides, adoption=adoption)
    ]
    inline = inline_entries(sides, places, configured)
    taken = {entry.prompt for entry in inline}
    return _named([*(entry for entry in configured if not (entry.adopted and entry.prompt in taken)), *inline])


def _cap(concerned: Sequence[Config], lineages: Sequence[LineageChange]) -> Decimal:
    """USD of the whole run: the largest budget of a configuration, and no more than its lineages may cost together."""
    cap = max((config.budget.per_run_usd for config in concerned), default=Budget().per_run_usd)
    together = [change.budget.per_run_usd for change in lineages if change.measured]
    return min(cap, sum(together, Decimal(0))) if together else cap


def _policy(place: Place, sides: Sides) -> tuple[PolicyChange, ...]:
    if not (place.touched and place.base and place.head):
        return ()
    return compare_policies(place.base, place.head, moved=_moved(place, sides))


def _moved(place: Place, sides: Sides) -> dict[str, str]:
    """Renames within the configuration's folder, relative to it."""
    start = f"{place.root}/" if place.root else ""
    return {
        before.removeprefix(start): after.removeprefix(start)
        for before, after in sides.changes.moves.items()
        if before.startswith(start) and after.startswith(start)
    }


def _entries(place: Place, policy: tuple[PolicyChange, ...], sides: Sides, *, adoption: bool) -> Iterator[Entry]:
    root, base, head = place.root, place.base, place.head
    names = counterparts(base, head, _moved(place, sides)) if base and head else {}
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
        what = f"Base's configuration can't be read ({place.broken}); this pull request fixes it, nothing was measured."
    elif place.base and place.touched and not place.head:
        what = f"This pull request removes {path}: nothing that it names would be gated any more."
    elif not place.base and not adoption:
        what = f"This pull request adds {path}: its lineages are gated after the merge."
    else:
        return
    yield Reason(code=ReasonCode.POLICY_CHANGED, status=VerdictStatus.NEEDS_REVIEW, sentence=what)


def _adopted(places: Sequence[Place]) -> Reason:
    names = ", ".join(shown(place.path) for place in places)
    return Reason(
        code=ReasonCode.ADOPTION,
        status=VerdictStatus.NOT_APPLICABLE,
        sentence=f"This pull request installs Prompt Verdict ({names}): it gates after the merge.",
    )


def _nothing(unaffected: int, *, settings: bool, harmless: Sequence[Ending] = ()) -> Reason:
    what = (
        "Settings change, and none of them loosens the gate"
        if settings
        else "No prompt, model, test set or gate changes"
    )
    if harmless:
        first = harmless[0]
        others = f" (and {len(harmless) - 1} more)" if len(harmless) > 1 else ""
        what = f"Nothing that a model would see changes: {shown(first.path)}{others}: {first.why}"
    untouched = "1 lineage is as it was" if unaffected == 1 else f"{unaffected} lineages are as they were"
    return Reason(
        code=ReasonCode.NOTHING_CHANGED,
        status=VerdictStatus.NOT_APPLICABLE,
        sentence=f"{what}{f'; {untouched}' if unaffected else ''}.",
    )
