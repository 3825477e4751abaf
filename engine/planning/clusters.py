"""Groups cases into clusters: those that the test set names, disturbed copies (``same_as``), and equal requests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.planning.requests import digests_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.planning.plan import Plan

Sign = tuple[str, ...]
"""What cases of a cluster share: a name in the test set, or their requests."""


def clusters_of(plan: Plan) -> tuple[str | None, ...]:
    """Returns the cluster of each case, or ``None`` for a case without one.

    Cases that send the same requests in every arm share their stored answers. They are one draw, however often the test
    set lists them. If each counted, a handful of answers would look like many. A named cluster that such a case belongs
    to includes the others. A case that the head adds may join the base's cases, but never merges two of their clusters.
    Otherwise copies of all cases, added as one cluster, would make the base's test set a single one.
    """
    first: dict[Sign, int] = {}
    leader = list(range(len(plan.cases)))

    # Union-find with path halving: clusters and equal requests may join cases in chains.
    def lead(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    sent = [digests_of(arm.requests) for arm in plan.arms.values()]
    for index in range(len(plan.cases)):
        for sign in _signs(plan, index, [digests[index] for digests in sent]):
            one, other = lead(first.setdefault(sign, index)), lead(index)
            if not plan.added[index] or plan.added[max(one, other)]:  # base's come first, so they lead their groups
                leader[max(one, other)] = min(one, other)
    leaders = [lead(index) for index in range(len(plan.cases))]
    sizes = Counter(leaders)
    return tuple(
        case.cluster if sizes[head] == 1 else plan.cases[head].cluster or f"requests of {plan.cases[head].id}"
        for case, head in zip(plan.cases, leaders, strict=True)
    )


def _signs(plan: Plan, index: int, requests: Sequence[str | None]) -> list[Sign]:
    """Returns what a case shares with others; ``requests``: the digests of what its arms send."""
    case = plan.cases[index]
    # A disturbed copy fails where its original fails, so both are one draw.
    signs: list[Sign] = [("case", case.same_as or case.id)]
    signs += [] if case.cluster is None else [("cluster", case.cluster)]
    # Identical cases make no call, so they share no draw.
    if not plan.identical[index] and all(requests):
        signs.append(("requests", *filter(None, requests)))
    return signs
