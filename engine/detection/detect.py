"""Detects the changes of a pull request from git trees and blobs. Reads only affected lineages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.detection.attributes import attribute_reasons
from engine.detection.configurations import mode_of
from engine.detection.configured import Configured, configured
from engine.detection.entries import Entry
from engine.detection.inline import replaced_reasons
from engine.detection.lax_bases import lax_base_reasons
from engine.detection.lineages import affected, lineage_change
from engine.detection.sides import Sides
from engine.detection.uncovered import missing_prompts, uncovered_files, uncovered_reasons, uncovered_warnings
from engine.detection.unreadable import unreadable_prompts, unreadable_reasons, unreadable_warnings
from engine.detection.workflows import workflow_changes, workflow_reasons
from engine.readers.bounded import shown
from schemas.config import Budget, CommentPolicy, Config, Mode
from schemas.detection import Detection, Ending, LineageChange
from schemas.ports import SourceTree
from schemas.prompts import Finding
from schemas.pullrequests import PullRequest
from schemas.trees import Merge
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


def detect(tree: SourceTree, pull_request: PullRequest, merge: Merge) -> Detection:
    """Returns the affected lineages of a pull request, the policy that judges them, and reasons known before any call.

    Compares the tip of the base branch with the ``merge`` of the head: first which watched files differ, by blob id,
    then both versions of those. Policy and gating cases come from the base. Raises ConfigError with ``file:line`` for
    an unreadable configuration, and SourceError for unreadable commits.
    """
    # The merge result and not the head: a head that lags behind the base would seem to undo what others merged.
    sides = Sides(tree, pull_request.base_sha, merge)
    unrelated = _unrelated(pull_request, merge)
    lax = lax_base_reasons(tree, pull_request, sides)
    if not sides.changes.all:
        return Detection(merge=merge, config=None, reasons=lax or (_nothing(0, settings=False),), warnings=unrelated)
    named = configured(tree, sides)
    places, entries, adoption = named.places, named.entries, named.adoption
    found = _compared(entries, sides)
    calling = workflow_changes(sides.base, sides.merged, sides.changes.all, adoption=adoption)
    uncovered = uncovered_files(sides, entries, found.watched)
    lost = missing_prompts(sides, entries)
    unreadable = unreadable_prompts(sides, entries, {entry.name for entry in found.entries})
    unnamed = tuple(uncovered_reasons(uncovered, lost, places, adoption=adoption))
    reasons = (
        *lax,
        *named.reasons(found.deleted),
        *replaced_reasons(sides, entries),
        *workflow_reasons(calling),
        *(attribute_reasons(sides) if entries else ()),
        *unnamed,
        *unreadable_reasons(unreadable),
    )
    unaffected = _already_there(entries) - _already_there(found.entries)
    if not found.lineages and not reasons:
        reasons = (_nothing(unaffected, settings=bool(named.policy), harmless=found.harmless),)
    concerned = _concerned(named, found)
    cap = _cap(concerned or _brought(named), found.lineages)
    mode = mode_of(places, concerned, calling=bool(calling), about=[each.path for each in uncovered] if unnamed else ())
    return Detection(
        merge=merge,
        config=named.first_of(concerned),
        # A lax base may have set `inform` itself, so its own mode can't excuse it.
        mode=Mode.ENFORCE if lax else mode,
        comment=concerned[0].comment if concerned else CommentPolicy.CHANGES,
        budget_usd=cap,
        explain_usd=_explain_cap(concerned, cap),
        lineages=found.lineages,
        harmless=found.harmless,
        names=named.names,
        unaffected=unaffected,
        adoption=adoption,
        policy=named.policy,
        calling=tuple(path for change in calling for path in change.paths),
        reasons=reasons,
        warnings=(
            *unrelated,
            *named.warnings,
            *uncovered_warnings(uncovered, lost, places),
            *unreadable_warnings(unreadable),
        ),
    )


def _unrelated(pull_request: PullRequest, merge: Merge) -> tuple[Finding, ...]:
    """Returns a warning where the two branches share no history."""
    if merge.bases:
        return ()
    what = f"the branches have no commit in common; compared with the tip of {shown(pull_request.base_ref)}"
    return (Finding(what=what, hint="fetch the whole history: git fetch --unshallow"),)


def _already_there(entries: Sequence[Entry]) -> int:
    return sum(not entry.new for entry in entries)


@dataclass(frozen=True)
class _Compared:
    """The lineages whose files or settings differ, read on both sides."""

    changed: tuple[tuple[Entry, LineageChange], ...]
    """Lineages with relevant changes."""
    harmless: tuple[Ending, ...]
    """The handling of all differences in the other lineages."""
    watched: frozenset[str]
    """Paths of all changed files of lineages."""

    @property
    def lineages(self) -> tuple[LineageChange, ...]:
        return tuple(change for _, change in sorted(self.changed, key=lambda pair: pair[0].name))

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for entry, _ in self.changed)

    @property
    def deleted(self) -> frozenset[tuple[str, str]]:
        """Their folders and keys."""
        return frozenset((entry.root, entry.key) for entry, change in self.changed if _is_deleted(change))


def _compared(entries: Sequence[Entry], sides: Sides) -> _Compared:
    read = [(entry, lineage_change(entry, found, sides), found) for entry, found in affected(entries, sides)]
    differences = [each for _, _, found in read for each in found]
    return _Compared(
        changed=tuple((entry, change) for entry, change, _ in read if change.matters),
        harmless=tuple(ending for _, change, _ in read if not change.matters for ending in change.endings),
        watched=frozenset(side.path for each in differences for side in (each.before, each.after) if side),
    )


def _concerned(named: Configured, found: _Compared) -> list[Config]:
    """Returns the configurations that this pull request is about: of changed lineages, then those that it touches, else
    the repository's own."""
    concerned = [entry.config for entry in found.entries if not entry.adopted]
    concerned += [place.base for place in named.places if place.base and place.touched]
    return concerned or [place.base for place in named.places if place.base and not place.root]


def _brought(named: Configured) -> list[Config]:
    """Returns the configurations of an installation. It costs nothing, so that it may show the caps that it brings."""
    return [place.head for place in named.places if place.head] if named.adoption else []


def _cap(concerned: Sequence[Config], lineages: Sequence[LineageChange]) -> Decimal:
    """Returns the cap of the whole run in USD: the largest budget of a configuration, but no more than all lineages may
    cost."""
    cap = max((config.budget.per_run_usd for config in concerned), default=Budget().per_run_usd)
    together = [change.budget.per_run_usd for change in lineages if change.measured]
    return min(cap, sum(together, Decimal(0))) if together else cap


def _explain_cap(concerned: Sequence[Config], cap: Decimal) -> Decimal:
    """Returns the largest cap of a configuration, and a tenth of the whole run's where none is written."""
    own = [config.explain.budget_usd for config in concerned]
    return max((cap / 10 if usd is None else usd for usd in own), default=cap / 10)


def _is_deleted(change: LineageChange) -> bool:
    return any(reason.code is ReasonCode.DELETED_LINEAGE for reason in change.reasons)


def _nothing(unaffected: int, *, settings: bool, harmless: Sequence[Ending] = ()) -> Reason:
    what = (
        "Settings change, but none of them loosens the gate"
        if settings
        else "No prompt, model, test set or gate changes"
    )
    if harmless:
        first = harmless[0]
        others = f" (and {len(harmless) - 1} more)" if len(harmless) > 1 else ""
        what = f"Nothing changes for a model: {shown(first.path)}{others}: {first.why}"
    untouched = "1 lineage is unchanged" if unaffected == 1 else f"{unaffected} lineages are unchanged"
    return Reason(
        code=ReasonCode.NOTHING_CHANGED,
        status=VerdictStatus.NOT_APPLICABLE,
        sentence=f"{what}{f'; {untouched}' if unaffected else ''}.",
    )
