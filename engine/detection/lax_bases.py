"""Finds base branches with a laxer policy than the default branch, if a success would count for both."""

from __future__ import annotations

from collections.abc import Iterator

from engine.detection.configurations import read_configurations
from engine.detection.entries import reference_in
from engine.detection.files import Files
from engine.detection.places import is_there
from engine.detection.policy import compare_policies
from engine.detection.prompts import approval
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from schemas.config import Config, Mode
from schemas.errors import ConfigError
from schemas.ports import SourceTree
from schemas.pullrequests import PullRequest
from schemas.verdicts import Reason, ReasonCode

NAMED = 3
"""Settings that the sentence names. It gives only the number of the others."""


def lax_base_reasons(tree: SourceTree, pull_request: PullRequest, sides: Sides) -> tuple[Reason, ...]:
    """Returns a reason if the base is laxer than the default branch, or not comparable with it.

    Returns nothing if a success counts for the base alone, or if the default branch only informs.
    """
    default = pull_request.default_sha
    if default is None or default == pull_request.base_sha:
        return ()
    try:
        strict = read_configurations(Files(tree, default))
        lax = read_configurations(sides.base)
    except ConfigError as error:
        return (_reason(pull_request, [f"a configuration can't be read ({error})"]),)
    if all(config.mode is Mode.INFORM for config in strict.values()):
        return ()
    found = [said for root in sorted(strict) for said in _laxer(root, strict[root], lax.get(root), sides)]
    return (_reason(pull_request, found),) if found else ()


def _laxer(root: str, strict: Config, lax: Config | None, sides: Sides) -> Iterator[str]:
    """Yields each setting that is laxer on the base. A lineage whose prompt is missing needs no gate."""
    if lax is None:
        yield f"no configuration for {shown(root) or 'the repository'}"
        return
    # A lineage that is absent because its prompt is absent is not a laxer policy.
    gone = {
        f"lineages.{name}"
        for name, lineage in strict.lineages.items()
        if name not in lax.lineages and not is_there(sides.merged, reference_in(root, lineage.prompt))
    }
    for change in compare_policies(strict, lax):
        if change.needs_review and change.key not in gone:
            yield f"{change.key}: {change.before} → {change.after}"


def _reason(pull_request: PullRequest, found: list[str]) -> Reason:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return approval(
        ReasonCode.POLICY_CHANGED,
        f"This success would also count for {shown(pull_request.default_ref or '')}, but "
        f"{shown(pull_request.base_ref)} has a laxer or different policy: {'; '.join(found[:NAMED])}{more}.",
    )
