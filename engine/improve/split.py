"""Splits the gating cases: those that the optimizer sees, those that are held out, and those it may never see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.gate.hypotheses import ADVERSARIAL
from engine.patterns.near_duplicates import near_duplicates
from engine.readers.dialects import value_text
from schemas.errors import UsageError
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.testsets import TestCase
from schemas.values import digest_of

FEWEST = 8
"""The fewest clusters on each side. With fewer, nothing can be proven."""


@dataclass(frozen=True)
class Split:
    """Disjoint parts of the gating cases, each in the order of the test set."""

    shown: tuple[TestCase, ...]
    """The optimizer runs them, and the reflection model may read them."""
    held_out: tuple[TestCase, ...]
    never_shown: tuple[TestCase, ...]
    """Protected and adversarial cases, and others that the gate judges one by one."""

    @property
    def judged(self) -> tuple[TestCase, ...]:
        """The cases of the final judgment."""
        return (*self.held_out, *self.never_shown)


def is_sealed(case: TestCase, gate: GateConfig) -> bool:
    """Returns whether a case may never reach the optimizer."""
    one_by_one = {name for name, policy in gate.slices.items() if policy in (SlicePolicy.MUST_PASS, SlicePolicy.GUARD)}
    return case.protected or case.forbids or not one_by_one.union((ADVERSARIAL,)).isdisjoint(case.slices)


def split(cases: Sequence[TestCase], gate: GateConfig, held_out: float) -> Split:
    """Splits by cluster. ``held_out`` is the share of the cases, without those that are never shown.

    Near-duplicates stay together, so that no shown case gives away a held-out one. A cluster with a case that may never
    be shown is not shown at all. The order follows from the content of each cluster: the same cases give the same
    split, and a new case moves few others. Raises UsageError if either side has too few clusters.
    """
    sealed = frozenset(index for index, case in enumerate(cases) if is_sealed(case, gate))
    groups = clusters(cases)
    free = sorted((group for group in groups if sealed.isdisjoint(group)), key=lambda group: _rank(cases, group))
    # A cluster with a sealed case counts as held out already.
    kept = len(cases) - len(sealed) - sum(map(len, free))
    wanted = held_out * (len(cases) - len(sealed))
    held = 0
    while held < len(free) and kept < wanted:
        kept += len(free[held])
        held += 1
    _check_sizes(len(cases), len(groups), shown=len(free) - held, held=held)
    shown = frozenset(index for group in free[held:] for index in group)
    return Split(
        shown=tuple(case for index, case in enumerate(cases) if index in shown),
        held_out=tuple(case for index, case in enumerate(cases) if index not in shown | sealed),
        never_shown=tuple(case for index, case in enumerate(cases) if index in sealed),
    )


def _check_sizes(cases: int, groups: int, *, shown: int, held: int) -> None:
    for side, found in (("to show", shown), ("to hold out", held)):
        if found < FEWEST:
            raise UsageError(
                f"{cases} cases are {groups} groups of near-duplicates, which leaves {found} {side}",
                hint=f"each side needs {FEWEST}: add cases that differ, or change --held-out",
            )


def clusters(cases: Sequence[TestCase]) -> list[tuple[int, ...]]:
    """Returns groups of indices: cases of one named cluster, disturbed copies, and near-duplicates by their inputs."""
    leader = list(range(len(cases)))

    def lead(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    named: dict[str, list[int]] = defaultdict(list)
    places = {case.id: index for index, case in enumerate(cases)}
    for index, case in enumerate(cases):
        if case.cluster is not None:
            named[f"cluster {case.cluster}"].append(index)
        if case.same_as is not None and case.same_as in places:
            named[f"case {case.same_as}"] += [places[case.same_as], index]
    alike = near_duplicates(["\n".join(map(value_text, case.inputs.values())) for case in cases])
    for group in (*named.values(), *alike):
        for index in group[1:]:
            one, other = sorted((lead(group[0]), lead(index)))
            leader[other] = one
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(cases)):
        members[lead(index)].append(index)
    return [tuple(group) for group in members.values()]


def cluster_numbers(cases: Sequence[TestCase]) -> list[int]:
    """Returns for each case the number of its cluster."""
    numbers = {index: number for number, group in enumerate(clusters(cases)) for index in group}
    return [numbers[index] for index in range(len(cases))]


def _rank(cases: Sequence[TestCase], group: Sequence[int]) -> str:
    return digest_of(["held out", min(digest_of(cases[index].model_dump(mode="json")) for index in group)])
