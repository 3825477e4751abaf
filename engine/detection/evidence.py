"""What a lineage is judged with: cases, rubric, people's grades. Base's count; what the head does to them is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.detection.cases import CaseChanges, compare_cases
from engine.detection.entries import Entry
from engine.detection.files import Files, below
from engine.detection.harmless import harmless_rule
from engine.detection.prompts import Versions, approval, attempt, failure
from engine.detection.sides import Sides
from engine.detection.snapshot import Difference
from engine.readers.bounded import shown
from engine.readers.rubrics import read_rubric
from engine.readers.testsets import inline_test_set, read_test_set
from schemas.config import LineageConfig
from schemas.detection import End
from schemas.errors import SourceError
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.scorecard import Change
from schemas.testsets import Columns, TestSet
from schemas.verdicts import Reason, ReasonCode


class Gating(NamedTuple):
    """The gating test set and what the head does to it."""

    tests: TestSet | None
    cases: CaseChanges
    changes: tuple[Change, ...]
    reasons: tuple[Reason, ...]


class Grading(NamedTuple):
    """The rubric and the file of people's grades."""

    rubric: Rubric | None
    labels: str | None
    changes: tuple[Change, ...]
    reasons: tuple[Reason, ...]


def tests_of(entry: Entry, versions: Versions, sides: Sides) -> Gating:
    """Reads the gating cases, and compares them with the head's where the pull request touches them."""
    path = _path(entry, entry.lineage.tests)
    old, new = entry.lineage, entry.head_lineage or entry.lineage
    gating = _test_set(sides.merged if entry.new else sides.base, path, versions.judge, old.columns)
    tests = gating if isinstance(gating, TestSet) else None
    if versions.after is None and not entry.new:
        return Gating(tests, CaseChanges(), (), ())
    head_path = _path(entry, new.tests)
    same = old.columns == new.columns and not _touched(versions, sides, path, head_path)
    if entry.new or same:
        return Gating(tests, CaseChanges(), (), () if tests else (_no_tests(entry, gating),))
    head = _test_set(sides.merged, head_path, versions.fresh, new.columns)
    cases = CaseChanges()
    if isinstance(head, Finding):
        detail = "can't be read"
        reason = failure(ReasonCode.UNREADABLE, f"{entry.name}: this pull request's test set can't be read: {head}.")
    elif tests is None:
        detail = "can be read again" if head else "can't be read"
        reason = approval(
            ReasonCode.TESTS_CHANGED, f"{entry.name}: base has no readable test set, this pull request fixes it."
        )
        reason = reason if head else _no_tests(entry, gating)
    else:
        cases = compare_cases(tests, head)
        detail = cases.words
        what = f"changes its test set ({detail})" if head else "removes its test set"
        reason = approval(ReasonCode.TESTS_CHANGED, f"{entry.name}: this pull request {what}; base's cases were run.")
    changes = (Change(kind="tests", detail=detail, path=head_path or path or versions.after),) if detail else ()
    unchanged = tests is not None and not isinstance(head, Finding) and not (cases.removed or cases.edited)
    return Gating(tests, cases, changes, () if unchanged and not cases.unread else (reason,))


def tests_ending(difference: Difference, gating: Gating) -> tuple[End, str]:
    """Returns how a change of the test set's file ends."""
    if gating.reasons:
        return End.NEEDS_REVIEW, "it removes or edits cases, or can't be read"
    if difference.moved_only:
        return End.HARMLESS, "the same content at another path"
    return (End.MEASURED, "added cases") if gating.cases.added else (End.HARMLESS, "only layout or notes differ")


def grading_of(entry: Entry, sides: Sides, found: Sequence[Difference]) -> Grading:
    """Reads rubric and grades from base, and says whether the head changes them. ``found``: what differs of them."""
    old, new = entry.lineage, entry.head_lineage or entry.lineage
    files = sides.merged if entry.new else sides.base
    rubric_path, labels_path = _path(entry, old.rubric), _labels(entry, old)
    rubric = attempt(lambda: read_rubric(rubric_path, _content(files, rubric_path))) if rubric_path else None
    labels = attempt(lambda: _content(files, labels_path).decode(errors="replace")) if labels_path else None
    broken = [found for found in (rubric, labels) if isinstance(found, Finding)]
    reasons = [failure(ReasonCode.UNREADABLE, f"{entry.name}: {found}.") for found in broken]
    changes = []
    harmless = {what for what, *sides_of in found if harmless_rule(Difference(what, *sides_of), sides)}
    for what, path, head_path in (
        ("rubric", rubric_path, _path(entry, new.rubric)),
        ("people's grades", labels_path, _labels(entry, new)),
    ):
        if entry.new or path is None or sides.base.same(path, sides.merged, head_path or "") or what in harmless:
            continue
        changes.append(Change(kind="rubric", detail=f"{what}: {shown(head_path or path)}", path=head_path or path))
        sentence = f"{entry.name}: this pull request changes the {what} in {shown(path)}; base's were used."
        reasons.append(approval(ReasonCode.RUBRIC_CHANGED, sentence))
    return Grading(
        None if isinstance(rubric, Finding) else rubric,
        None if isinstance(labels, Finding) else labels,
        tuple(changes),
        tuple(reasons),
    )


def _path(entry: Entry, path: str | None) -> str | None:
    return below(entry.root, path) if path else None


def _labels(entry: Entry, lineage: LineageConfig) -> str | None:
    return _path(entry, lineage.judge.labels if lineage.judge else None)


def _touched(versions: Versions, sides: Sides, path: str | None, head_path: str | None) -> bool:
    if path is None and head_path is None:
        return (versions.old and versions.old.test_data) != (versions.fresh and versions.fresh.test_data)
    if path is None or head_path is None:
        return True
    return not sides.base.same(path, sides.merged, head_path)


def _test_set(
    files: Files, path: str | None, prompt: PromptFile | None, columns: Columns | None
) -> TestSet | Finding | None:
    """Returns the cases in a file, or inline where no file is named; ``None`` where there are none."""
    if path is None:
        tests = attempt(lambda: inline_test_set(prompt)) if prompt else None
    else:
        tests = attempt(lambda: read_test_set(path, _content(files, path), columns)) if files.entry(path) else None
    return None if isinstance(tests, TestSet) and not tests.cases else tests


def _content(files: Files, path: str) -> bytes:
    if obstacle := files.obstacle(path):
        raise SourceError(obstacle.what, where=obstacle.where, hint=obstacle.hint)
    if path not in files:
        raise SourceError("there is no such file", where=shown(path, 4096), hint="check the path in the configuration")
    return files[path]


def _no_tests(entry: Entry, why: TestSet | Finding | None) -> Reason:
    name, path = entry.name, entry.lineage.tests
    if isinstance(why, Finding):
        return failure(ReasonCode.UNREADABLE, f"{name}: the test set can't be read: {why}.")
    where = f"{path} is empty or isn't there" if path else "name a file with tests:, or write testData into the prompt"
    return failure(ReasonCode.NO_CASES, f"{name} has no test cases: {where}.")
