"""Compares the test cases of the base with those of the head."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.testsets import NO_CASE, TestCase, TestSet
from schemas.values import Value


class CaseChanges(Value):
    """Changes of a test set by the head: new cases, and the ids of the base's cases that it removes or edits."""

    added: tuple[TestCase, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    unverified: int = 0
    """New cases that no person has confirmed. They are not measured."""
    unread: tuple[str, ...] = ()
    """Changed keys that the reader ignores."""

    @property
    def words(self) -> str:
        """A summary such as ``cases: 2 added, 1 removed``. Empty if nothing changes."""
        counts = {"added": len(self.added), "removed": len(self.removed), "edited": len(self.edited)}
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        if self.unread:
            parts.append(f"changes of keys that are not read: {', '.join(self.unread)}")
        return f"cases: {', '.join(parts)}" if parts else ""

    @property
    def held(self) -> bool:
        """Whether a person has to look: only added cases may pass unseen."""
        return bool(self.removed or self.edited or self.unread)


def compare_cases(base: TestSet, head: TestSet | None) -> CaseChanges:
    """Returns what the merge does to the gating cases. Notes don't count."""
    before = _contents(base)
    # A test set that is gone or unreadable counts as removed, so a person must look.
    if head is None:
        return CaseChanges(removed=tuple(before))
    after, aside = _contents(head), {case.id for case in base.unverified}
    kept = [name for name in before if name in after]
    return CaseChanges(
        added=tuple(case for case in head.cases if case.id not in before),
        removed=tuple(name for name in before if name not in after),
        edited=tuple(name for name in kept if after[name] != before[name]),
        unverified=sum(case.id not in aside for case in head.unverified),
        unread=tuple(sorted(_unread_keys(base, head, [*kept, NO_CASE]))),
    )


def _unread_keys(base: TestSet, head: TestSet, cases: Sequence[str]) -> set[str]:
    """Returns the keys that nothing reads and whose values differ in one of ``cases``."""
    pairs = [(base.unread.get(case, {}), head.unread.get(case, {})) for case in cases]
    return {key for old, new in pairs for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _contents(tests: TestSet) -> dict[str, dict[str, object]]:
    return {case.id: _content(case) for case in tests.cases}


def _content(case: TestCase) -> dict[str, object]:
    # None of them reaches a model or a score: moving a case within its file, or to another, is no edit.
    return case.model_dump(exclude={"notes", "path", "line"})
