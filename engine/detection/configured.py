"""The lineages of a pull request as its configurations name them, and what it does to the configurations themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.detection.configurations import Place, find_configurations
from engine.detection.entries import Entry
from engine.detection.inline import inline_entries
from engine.detection.policy import compare_policies, counterparts, policy_reasons
from engine.detection.sides import Sides
from engine.readers.bounded import shown
from schemas.config import Config
from schemas.detection import PolicyChange
from schemas.ports import SourceTree
from schemas.prompts import Finding
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


@dataclass(frozen=True)
class Configured:
    """What base and head configure."""

    places: tuple[Place, ...]
    policies: tuple[tuple[PolicyChange, ...], ...]
    """The changed settings of each place."""
    entries: tuple[Entry, ...]
    """Every lineage that base or head configures, and the prompts that are lineages by themselves."""
    adoption: bool
    """Whether the head brings the first configuration."""
    warnings: tuple[Finding, ...]

    @property
    def policy(self) -> tuple[PolicyChange, ...]:
        """The changed settings of all places."""
        return tuple(change for policy in self.policies for change in policy)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all entries."""
        return tuple(sorted(entry.name for entry in self.entries))

    def first_of(self, configs: Sequence[Config]) -> Config | None:
        """Returns the first of ``configs`` that is one of base's."""
        return next((config for config in configs if any(config is place.base for place in self.places)), None)

    def reasons(self, deleted: Collection[tuple[str, str]]) -> Iterator[Reason]:
        """Yields what the pull request does to the configurations.

        ``deleted``: folder and key of each lineage that has a reason for its deletion; its settings get none.
        """
        if self.adoption:
            yield _adopted(self.places)
        for place in self.places:
            yield from _place_reasons(place, adoption=self.adoption)
        gone = {(root, f"lineages.{key}") for root, key in deleted}
        for place, policy in zip(self.places, self.policies, strict=True):
            kept = (change for change in policy if (place.root, change.key) not in gone)
            yield from policy_reasons(kept, place.path)


def configured(tree: SourceTree, sides: Sides) -> Configured:
    """Reads the configurations of both sides. Raises ConfigError as ``find_configurations`` does."""
    places, warnings = find_configurations(tree, sides)
    # A broken base had a configuration, so fixing it is not an adoption.
    adoption = bool(places) and not any(place.base or place.broken for place in places)
    policies = tuple(_policy(place, sides) for place in places)
    named = [
        entry
        for place, policy in zip(places, policies, strict=True)
        for entry in (*_base_entries(place, policy, sides), *_new_entries(place, sides, adoption=adoption))
    ]
    inline = inline_entries(sides, places, named)
    # A prompt in its own file is found by itself. A configuration of the head must not name it a second time.
    taken = {entry.prompt for entry in inline}
    entries = _named([*(entry for entry in named if not (entry.adopted and entry.prompt in taken)), *inline])
    return Configured(places, policies, tuple(entries), adoption, warnings)


def _policy(place: Place, sides: Sides) -> tuple[PolicyChange, ...]:
    # A configuration that appears or disappears as a whole has a reason of its own.
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


def _counterparts(place: Place, sides: Sides) -> dict[str, str]:
    return counterparts(place.base, place.head, _moved(place, sides)) if place.base and place.head else {}


def _base_entries(place: Place, policy: tuple[PolicyChange, ...], sides: Sides) -> Iterator[Entry]:
    """Yields the lineages that base configures."""
    base, head = place.base, place.head
    if base is None:
        return
    names = _counterparts(place, sides)
    for key, lineage in base.lineages.items():
        own = f"lineages.{key}"
        yield Entry(
            name=key,
            key=key,
            root=place.root,
            # The base's settings judge, so that no pull request loosens its own gate.
            config=base,
            lineage=lineage,
            head_config=head or base,
            head_lineage=head.lineages.get(names.get(key, "")) if head else None,
            policy=tuple(change for change in policy if change.key == own or change.key.startswith(f"{own}.")),
        )


def _new_entries(place: Place, sides: Sides, *, adoption: bool) -> Iterator[Entry]:
    """Yields the lineages that only the head configures."""
    head = place.head
    if head is None or place.broken:
        return
    known = _counterparts(place, sides).values()
    # Only where the base has no configuration does the head's own count. Otherwise a pull request could choose its
    # judge.
    config, adopted = place.base or head, adoption or place.base is None
    for key, lineage in head.lineages.items():
        if key not in known:
            yield Entry(key, key, place.root, config, lineage, head, lineage, new=True, adopted=adopted)


def _named(entries: Sequence[Entry]) -> list[Entry]:
    """Gives each entry a name of its own: where two folders use the same, the folder goes before it."""
    counts = Counter(entry.name for entry in entries)
    named: dict[str, Entry] = {}
    for entry in entries:
        name = f"{entry.root}/{entry.name}" if counts[entry.name] > 1 and entry.root else entry.name
        number = 2
        # A folder and a key may together spell the name of another entry.
        while name in named:
            name, number = f"{entry.name}-{number}", number + 1
        named[name] = entry._replace(name=name)
    return list(named.values())


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
