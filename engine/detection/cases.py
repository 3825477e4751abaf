"""Which cases gate, and what the head does to them."""

from __future__ import annotations

from schemas.testsets import TestCase, TestSet
from schemas.values import Value


class CaseChanges(Value):
    """What the head does to a test set: new cases, and ids of base's that it lacks or writes differently."""

    added: tuple[TestCase, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Keys that nothing reads and whose values differ."""

    @property
    def words(self) -> str:
        """``cases: 2 added, 1 removed``; empty when nothing changes."""
        counts = {"added": len(self.added), "removed": len(self.removed), "edited": len(self.edited)}
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        if self.unread:
            parts.append(f"changes of keys that are not read: {', '.join(self.unread)}")
        return f"cases: {', '.join(parts)}" if parts else ""


def compare_cases(base: TestSet, head: TestSet | None) -> CaseChanges:
    """Returns what the merge does to the gating cases. Notes don't count."""
    before, after = ({case.id: _content(case) for case in tests.cases} if tests else {} for tests in (base, head))
    unread = head.unread if head else {}
    kept = [name for name in (base.unread.keys() | unread.keys()) if name in before and name in after]
    pairs = [(base.unread.get(name, {}), unread.get(name, {})) for name in kept]
    keys = {key for old, new in pairs for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    return CaseChanges(
        added=tuple(case for case in (head.cases if head else ()) if case.id not in before),
        removed=tuple(name for name in before if name not in after),
        edited=tuple(name for name in before if name in after and after[name] != before[name]),
        unread=tuple(sorted(keys)),
    )


def _content(case: TestCase) -> dict[str, object]:
    return case.model_dump(exclude={"notes", "line"})
