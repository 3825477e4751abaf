"""Which cases count as one: written clusters, and cases that can only be answered alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.planning.plan import Plan

Sign = tuple[str, ...]
"""What makes cases one: a written cluster's name, or the requests that are sent."""


def clusters_of(plan: Plan) -> tuple[str | None, ...]:
    """Returns the cluster of each case, ``None`` for one that stands alone.

    Cases that send the same requests in every arm share their stored answers: one draw, however often it is listed.
    Counted one by one they would let a handful of answers rule out anything. A written cluster that such a case
    belongs to takes the others in. A case that the head adds may join base's cases but never makes two of them one: a
    copy of every case in one cluster would leave base's test set a single draw, which can show nothing.
    """
    first: dict[Sign, int] = {}
    leader = list(range(len(plan.cases)))

    def lead(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for index in range(len(plan.cases)):
        for sign in _signs(plan, index):
            one, other = lead(first.setdefault(sign, index)), lead(index)
            if not plan.added[index] or plan.added[max(one, other)]:  # base's come first, so they lead their groups
                leader[max(one, other)] = min(one, other)
    leaders = [lead(index) for index in range(len(plan.cases))]
    sizes = Counter(leaders)
    return tuple(
        case.cluster if sizes[head] == 1 else plan.cases[head].cluster or f"requests of {plan.cases[head].id}"
        for case, head in zip(plan.cases, leaders, strict=True)
    )


def _signs(plan: Plan, index: int) -> list[Sign]:
    cluster = plan.cases[index].cluster
    signs: list[Sign] = [] if cluster is None else [("cluster", cluster)]
    requests = [arm.requests[index] for arm in plan.arms.values()]
    if not plan.identical[index] and all(requests):
        signs.append(("requests", *(request.digest for request in requests if request)))
    return signs
