"""What a lineage is judged with: cases, rubric, people's grades. Base's count; what the head does to them is said."""

from __future__ import annotations

from typing import NamedTuple

from engine.detection.cases import CaseChanges, compare_cases
from engine.detection.commits import Commits
from engine.detection.entries import Entry
from engine.detection.files import Files, below
from engine.detection.prompts import Versions, approval, attempt, failure
from engine.readers.bounded import shown
from engine.readers.testsets import inline_test_set, read_test_set
from schemas.config import LineageConfig
from schemas.errors import SourceError
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.scorecard import Change, Reason, ReasonCode
from schemas.testsets import TestSet


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


def tests_of(entry: Entry, versions: Versions, commits: Commits) -> Gating:
    """Reads the gating cases, and compares them with the head's where the pull request touches them."""
    name = entry.name
    path = _path(entry, entry.lineage.tests)
    head_path = _path(entry, (entry.head_lineage or entry.lineage).tests)
    judging = commits.head if entry.new else commits.base
    gating = _test_set(judging, path, versions.judge)
    if entry.new or versions.after is None or not _touched(versions, commits, path, head_path):
        reasons = () if isinstance(gating, TestSet) else (_no_tests(name, gating),)
        return Gating(gating if isinstance(gating, TestSet) else None, CaseChanges(), (), reasons)
    ancestor = _test_set(commits.ancestor, path, versions.old)
    head = _test_set(commits.head, head_path, versions.new)
    place = shown(head_path or path or versions.after)
    if isinstance(head, Finding):
        reason = failure(ReasonCode.UNREADABLE, f"{name}: this pull request's test set can't be read: {head}.")
        change = Change(kind="tests", detail="can't be read", path=head_path)
        return Gating(gating if isinstance(gating, TestSet) else None, CaseChanges(), (change,), (reason,))
    if not isinstance(gating, TestSet):
        mended = approval(
            ReasonCode.TESTS_CHANGED, f"{name}: base has no test set that can be read; {place} mends that."
        )
        change = Change(kind="tests", detail="readable again", path=head_path)
        return Gating(None, CaseChanges(), (change,), (mended if head else _no_tests(name, gating),))
    cases = compare_cases(ancestor if isinstance(ancestor, TestSet) else None, gating, head)
    changes = (Change(kind="tests", detail=cases.words, path=head_path or path),) if cases.words else ()
    if not (cases.removed or cases.edited):
        return Gating(gating, cases, changes, ())
    words = f"removes the test set {place}" if head is None else f"changes {place} ({cases.words})"
    reason = approval(ReasonCode.TESTS_CHANGED, f"{name}: this pull request {words}; base's cases were run.")
    return Gating(gating, cases, changes, (reason,))


def grading_of(entry: Entry, commits: Commits) -> Grading:
    """Reads rubric and grades from base, and says whether the head changes them."""
    old, new = entry.lineage, entry.head_lineage or entry.lineage
    judging = commits.head if entry.new else commits.base
    pairs = {
        "rubric": (_path(entry, old.rubric), _path(entry, new.rubric)),
        "people's grades": (_labels(entry, old), _labels(entry, new)),
    }
    found: dict[str, Rubric | str | None] = {}
    changes: list[Change] = []
    reasons: list[Reason] = []
    for kind, (path, head_path) in pairs.items():
        said = _grade_file(judging, path)
        found[kind] = None if isinstance(said, Finding) else said
        if isinstance(said, Finding):
            reasons.append(failure(ReasonCode.UNREADABLE, f"{entry.name}: {said}."))
        if entry.new or path is None or commits.ancestor.same(path, commits.head, head_path or ""):
            continue
        changes.append(Change(kind="rubric", detail=f"{kind}: {shown(head_path or path)}", path=head_path or path))
        reasons.append(
            approval(
                ReasonCode.RUBRIC_CHANGED, f"{entry.name}: this pull request changes the {kind}; base's were used."
            )
        )
    rubric, labels = found["rubric"], found["people's grades"]
    return Grading(
        rubric if isinstance(rubric, Rubric) else None,
        labels if isinstance(labels, str) else None,
        tuple(changes),
        tuple(reasons),
    )


def _path(entry: Entry, path: str | None) -> str | None:
    return below(entry.root, path) if path else None


def _labels(entry: Entry, lineage: LineageConfig) -> str | None:
    return _path(entry, lineage.judge.labels if lineage.judge else None)


def _touched(versions: Versions, commits: Commits, path: str | None, head_path: str | None) -> bool:
    if path is None and head_path is None:
        return (versions.old and versions.old.test_data) != (versions.new and versions.new.test_data)
    if path is None or head_path is None:
        return True
    return not commits.ancestor.same(path, commits.head, head_path)


def _test_set(files: Files, path: str | None, prompt: PromptFile | None) -> TestSet | Finding | None:
    """The cases in a file, or inline where no file is named; ``None`` where there are none."""
    if path is None:
        return attempt(lambda: inline_test_set(prompt)) if prompt and prompt.test_data else None
    if files.entry(path) is None:
        return None
    return attempt(lambda: read_test_set(path, _content(files, path)))


def _content(files: Files, path: str) -> bytes:
    if obstacle := files.obstacle(path):
        raise SourceError(obstacle.what, where=obstacle.where, mend=obstacle.mend)
    if path not in files:
        raise SourceError("there is no such file", where=shown(path, 4096), mend="check the path in the configuration")
    return files[path]


def _no_tests(name: str, why: TestSet | Finding | None) -> Reason:
    if isinstance(why, Finding):
        return failure(ReasonCode.UNREADABLE, f"{name}: the test set can't be read: {why}.")
    return failure(
        ReasonCode.NO_CASES, f"{name} has no test set: name one with tests:, or write testData into the prompt."
    )


def _grade_file(files: Files, path: str | None) -> Rubric | str | Finding | None:
    if path is None:
        return None
    return attempt(lambda: _content(files, path).decode(errors="replace"))
