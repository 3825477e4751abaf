"""Reads the lineages that a commit configures, with their prompts and cases, without comparing them."""

from __future__ import annotations

from engine.detection.configured import configured
from engine.detection.entries import Entry
from engine.detection.lineages import lineage_change
from engine.detection.sides import Sides
from schemas.config import Config
from schemas.detection import Detection
from schemas.errors import UsageError
from schemas.ports import SourceTree
from schemas.pullrequests import PullRequest
from schemas.verdicts import ReasonCode

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's id of the tree without files."""


def current(tree: SourceTree, pull_request: PullRequest, proposed: Config | None = None) -> Detection:
    """Returns the head's lineages, each as if it had no earlier version.

    ``proposed`` is the configuration of a commit that has none.
    Raises ConfigError for a configuration that can't be read, UsageError for a commit that configures no lineage, and
    SourceError for commits that can't be read.
    """
    commit = pull_request.head_sha
    # Merging a commit with itself gives its own tree, so the readers need no second way.
    merge = tree.merge(commit, commit)
    named = configured(tree, Sides(tree, commit, merge))
    entries = named.entries
    if proposed is not None and not named.places:
        entries = tuple(Entry(key, key, "", proposed, own, proposed, own) for key, own in proposed.lineages.items())
    if not entries:
        hint = "add one under lineages:" if named.places else "promptverdict init writes promptverdict.yaml"
        raise UsageError("no lineage is configured there", hint=hint)
    # Compared with nothing, every file is new and therefore read.
    sides = Sides(tree, EMPTY_TREE, merge)
    changes = [lineage_change(entry._replace(new=True), (), sides, alone=True) for entry in entries]
    config = named.places[0].base if named.places else proposed
    return Detection(
        merge=merge,
        config=config,
        configs={place.root: place.base for place in named.places if place.base},
        budget_usd=max(change.budget.per_run_usd for change in changes),
        lineages=tuple(
            change.model_copy(
                # That every prompt is new is the premise of this command, not a finding.
                update={"reasons": tuple(each for each in change.reasons if each.code is not ReasonCode.NEW_LINEAGE)}
            )
            for change in changes
        ),
        names=tuple(sorted(entry.name for entry in entries)),
        warnings=named.warnings,
    )
