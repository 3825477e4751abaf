"""What a lineage is judged with: cases, rubric, people's grades and own scorer.

The base's versions count, so a pull request can't weaken its own test. Changes by the head are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from engine.detection.cases import CaseChanges, compare_cases
from engine.detection.entries import Entry
from engine.detection.files import Files, below
from engine.detection.harmless import harmless_rule
from engine.detection.prompts import Versions, approval, attempt, failure
from engine.detection.sides import Sides
from engine.detection.snapshot import Difference
from engine.readers.bounded import shown
from engine.readers.file_patterns import is_pattern
from engine.readers.rubrics import read_rubric
from engine.readers.scorers import read_scorer
from engine.readers.test_files import named_files, read_tests
from engine.readers.testsets import inline_test_set
from engine.readers.unverified import unverified_finding, without_unverified
from engine.render.figures import plural
from schemas.config import LineageConfig
from schemas.detection import End
from schemas.ports import ScorerSource
from schemas.prompts import Finding, PromptFile
from schemas.rubrics import Rubric
from schemas.scorecard import Change
from schemas.testsets import TestCase, TestSet
from schemas.verdicts import Reason, ReasonCode

T = TypeVar("T")


class Gating(NamedTuple):
    """The gating test set and its changes by the head."""

    tests: TestSet | None
    cases: CaseChanges
    changes: tuple[Change, ...]
    reasons: tuple[Reason, ...]

    @property
    def all_cases(self) -> tuple[TestCase, ...]:
        """Base's cases and those that the head adds."""
        return (*(self.tests.cases if self.tests else ()), *self.cases.added)


class Grading(NamedTuple):
    """The rubric, the file of people's grades and the own scorer."""

    rubric: Rubric | None
    labels: str | None
    scorer: ScorerSource | None
    changes: tuple[Change, ...]
    reasons: tuple[Reason, ...]


def tests_of(entry: Entry, versions: Versions, sides: Sides, found: Sequence[Difference]) -> Gating:
    """Reads the gating cases. If the pull request touches them, compares them with the head's.

    ``found`` holds the differences of the lineage's files.
    """
    old, new = entry.lineage, entry.head_lineage or entry.lineage
    gating = _test_set(sides.merged if entry.new else sides.base, entry, old, versions.judge)
    tests = gating if isinstance(gating, TestSet) else None
    if versions.after is None and not entry.new:
        return Gating(tests, CaseChanges(), (), ())
    # Most pull requests don't touch the test set, so the head's copy isn't even read.
    same = (old.tests, old.columns) == (new.tests, new.columns) and not _touched(entry, versions, found)
    if entry.new or same:
        return Gating(tests, CaseChanges(), (), () if tests else (_no_tests(entry, gating),))
    named = named_files(_written(entry, old), sides.base)
    head = _test_set(sides.merged, entry, new, versions.fresh, may_lack=lambda one: bool(named.get(one)))
    inline = versions.after.file if versions.after else None
    return _changed_tests(entry, gating, head, _shown_at(entry, found, sides) or inline)


def _changed_tests(
    entry: Entry, gating: TestSet | Finding | None, head: TestSet | Finding | None, path: str | None
) -> Gating:
    """Compares the two test sets that a pull request touches; ``path``: where the change is shown."""
    tests = gating if isinstance(gating, TestSet) else None
    change = partial(Change, kind="tests", path=path)
    if isinstance(head, Finding):
        reason = failure(ReasonCode.UNREADABLE, f"{entry.name}: this pull request's test set can't be read: {head}.")
        return Gating(tests, CaseChanges(), (change(detail="can't be read"),), (reason,))
    if tests is None and head is None:
        return Gating(None, CaseChanges(), (change(detail="can't be read"),), (_no_tests(entry, gating),))
    if tests is None:
        sentence = f"{entry.name}: base has no readable test set, this pull request fixes it."
        reason = approval(ReasonCode.TESTS_CHANGED, sentence)
        return Gating(None, CaseChanges(), (change(detail="can be read again"),), (reason,))
    cases = compare_cases(tests, head)
    what = f"changes its test set ({cases.words})" if head else "removes its test set"
    reason = approval(ReasonCode.TESTS_CHANGED, f"{entry.name}: this pull request {what}; base's cases were run.")
    changes = (change(detail=cases.words),) if cases.words else ()
    return Gating(tests, cases, changes, (reason,) if cases.held else ())


def tests_ending(difference: Difference, gating: Gating) -> tuple[End, str]:
    """Returns the effect of a change of the test set's file, and why."""
    if gating.reasons:
        return End.NEEDS_REVIEW, "it removes or edits cases, or is unreadable"
    if difference.moved_only:
        return End.HARMLESS, "the same content at another path"
    if gating.cases.added:
        return End.MEASURED, "added cases"
    if count := gating.cases.unverified:
        return End.HARMLESS, f"{plural(count, 'new case')}, unverified and therefore not measured"
    return End.HARMLESS, "no case of the test set differs"


def grading_of(entry: Entry, sides: Sides, found: Sequence[Difference], *, alone: bool = False) -> Grading:
    """Reads the rubric, people's grades and the own scorer at the base, and reports their changes by the head.

    ``found`` holds the differences of the lineage's files. ``alone``: as in ``lineage_change``.
    """
    old, new = entry.lineage, entry.head_lineage or entry.lineage
    files = sides.merged if entry.new else sides.base
    rubric_path, labels_path = _path(entry, old.rubric), _labels(entry, old)
    rubric = attempt(lambda: read_rubric(rubric_path, files.content(rubric_path))) if rubric_path else None
    labels = attempt(lambda: files.content(labels_path).decode(errors="replace")) if labels_path else None
    # Code is never taken from a pull request. What installs the gate is checked without running it.
    trusted = sides.merged if alone or entry.adopted else sides.base
    scorer, without = _scorer(entry, trusted, sides.merged)
    broken = [found for found in (rubric, labels, scorer) if isinstance(found, Finding)]
    reasons = [*without, *(failure(ReasonCode.UNREADABLE, f"{entry.name}: {found}.") for found in broken)]
    paths = {"scorer": (_scorer_path(entry, old) if trusted is sides.base else None, _scorer_path(entry, new))}
    if not entry.new:
        paths |= {
            "rubric": (rubric_path, _path(entry, new.rubric)),
            "people's grades": (labels_path, _labels(entry, new)),
        }
    changed = [] if without else list(_graded_anew(entry.name, paths, sides, found))
    return Grading(
        _readable(rubric),
        _readable(labels),
        _readable(scorer),
        tuple(change for change, _ in changed),
        (*reasons, *(reason for _, reason in changed)),
    )


def _graded_anew(
    name: str, paths: Mapping[str, tuple[str | None, str | None]], sides: Sides, found: Sequence[Difference]
) -> Iterator[tuple[Change, Reason]]:
    """Yields what the pull request changes of the files that grade. ``paths``: of each, at the base and the head."""
    for what, (path, head_path) in paths.items():
        differing = [each for each in found if each.what == what]
        if path is not None and _differs(path, head_path, differing, sides):
            after = head_path or path
            is_code = what == "scorer"
            sentence = (
                f"{name}: this pull request changes the {what} in {shown(path)}; base's {'was' if is_code else 'were'} "
                "used."
            )
            yield (
                Change(kind="scorer" if is_code else "rubric", detail=f"{what}: {shown(after)}", path=after),
                approval(ReasonCode.SCORER_CHANGED if is_code else ReasonCode.RUBRIC_CHANGED, sentence),
            )


def _scorer(entry: Entry, files: Files, merged: Files) -> tuple[ScorerSource | Finding | None, tuple[Reason, ...]]:
    """Reads the own scorer from ``files``, or returns a reason for a new lineage whose scorer is new too."""
    path = _scorer_path(entry, entry.lineage)
    if path is None:
        return None, ()
    if entry.new and not files.entry(path) and merged.entry(path):
        sentence = (
            f"{entry.name}: its scorer {shown(path)} is new, and code of a pull request is never run; merge the scorer "
            "first, then the prompt that it scores."
        )
        return None, (approval(ReasonCode.SCORER_CHANGED, sentence),)
    return attempt(lambda: read_scorer(path, files.content(path))), ()


def _differs(path: str, head_path: str | None, found: Sequence[Difference], sides: Sides) -> bool:
    """Returns whether what a file says changes. ``found``: how it differs."""
    harmless = any(harmless_rule(difference, sides) for difference in found)
    return not harmless and not sides.base.same(path, sides.merged, head_path or "")


def _readable(found: T | Finding | None) -> T | None:
    return None if isinstance(found, Finding) else found


def _path(entry: Entry, path: str | None) -> str | None:
    return below(entry.root, path) if path else None


def _scorer_path(entry: Entry, lineage: LineageConfig) -> str | None:
    return _path(entry, lineage.own_scorer.file if lineage.own_scorer else None)


def _labels(entry: Entry, lineage: LineageConfig) -> str | None:
    return _path(entry, lineage.judge.labels if lineage.judge else None)


def _written(entry: Entry, lineage: LineageConfig) -> tuple[str, ...]:
    """Returns the paths and patterns of the test set in the repository."""
    return tuple(below(entry.root, path) for path in lineage.test_paths)


def _touched(entry: Entry, versions: Versions, found: Sequence[Difference]) -> bool:
    if not entry.lineage.test_paths:
        return (versions.old and versions.old.test_data) != (versions.fresh and versions.fresh.test_data)
    return any(difference.of_tests for difference in found)


def _shown_at(entry: Entry, found: Sequence[Difference], sides: Sides) -> str | None:
    """Returns the file at which a change of the test set is shown: the first that differs, else the first named."""
    if (differing := next((each.path for each in found if each.of_tests), None)) is not None:
        return differing
    files = named_files(_written(entry, entry.head_lineage or entry.lineage), sides.merged)
    return next((path for paths in files.values() for path in paths), None)


def _test_set(
    files: Files,
    entry: Entry,
    lineage: LineageConfig,
    prompt: PromptFile | None,
    *,
    may_lack: Callable[[str], bool] = lambda _: False,
) -> TestSet | Finding | None:
    """Returns the cases of the files, or the inline ones if no file is named. ``None`` without cases.

    ``may_lack`` says of a path or pattern that it may name no file: that is how a pull request removes cases.
    """
    written = _written(entry, lineage)
    if not written:
        tests = attempt(lambda: without_unverified(inline_test_set(prompt))) if prompt else None
    elif len(written) == 1 and not is_pattern(written[0]) and not files.entry(written[0]):
        return None
    else:
        key = f"lineages.{entry.key}.tests"
        tests = attempt(lambda: read_tests(written, files, lineage.columns, key=key, may_lack=may_lack))
    if isinstance(tests, TestSet) and not tests.cases:
        return unverified_finding(tests.unverified, tests.path) if tests.unverified else None
    return tests


def _no_tests(entry: Entry, why: TestSet | Finding | None) -> Reason:
    name, path = entry.name, ", ".join(entry.lineage.test_paths)
    if isinstance(why, Finding):
        return failure(ReasonCode.UNREADABLE, f"{name}: the test set can't be read: {why}.")
    where = f"{path} is empty or doesn't exist" if path else "name a file under tests:, or add testData to the prompt"
    return failure(ReasonCode.NO_CASES, f"{name} has no test cases: {where}.")
