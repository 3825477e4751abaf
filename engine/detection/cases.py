"""Which cases gate, and what the head does to them."""

from __future__ import annotations

from schemas.testsets import TestCase, TestSet
from schemas.values import Value


class CaseChanges(Value):
    """What the head does to a test set: new cases, and ids of base's that it lacks or writes differently."""

    added: tuple[TestCase, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``cases: 2 added, 1 removed``; empty when nothing changes."""
        counts = {"added": len(self.added), "removed": len(self.removed), "edited": len(self.edited)}
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        return f"cases: {', '.join(parts)}" if parts else ""


def compare_cases(ancestor: TestSet | None, gating: TestSet | None, head: TestSet | None) -> CaseChanges:
    """What the pull request does to the gating cases.

    ``ancestor`` is the merge base's version: what base changed since is not its doing. Notes don't count.
    """
    before, base, after = (
        {case.id: _content(case) for case in tests.cases} if tests else {} for tests in (ancestor, gating, head)
    )
    return CaseChanges(
        added=tuple(case for case in (head.cases if head else ()) if case.id not in base and case.id not in before),
        removed=tuple(name for name in base if name in before and name not in after),
        edited=tuple(name for name in base if name in after and after[name] not in (base[name], before.get(name))),
    )


def _content(case: TestCase) -> dict[str, object]:
    return case.model_dump(exclude={"notes", "line"})
