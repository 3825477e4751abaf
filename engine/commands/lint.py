"""Finds what to fix in a test set before it decides anything. Pure; each finding says what to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from engine.commands.init_starter import BLANK
from engine.gate.bounds import cases_for, certifiable, planning_sample
from engine.patterns.near_duplicates import near_duplicates, normalised
from engine.readers.bounded import nearest, shown
from evaluators.extraction import unexpected
from schemas.config import LineageConfig
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.margins import WIDEST
from schemas.prompts import Finding
from schemas.testsets import TestCase, TestSet
from schemas.use_cases import UseCase

ADVERSARIAL = "adversarial"
MAX_GROUPS = 20
"""Most findings of one kind that are listed one by one."""
RARE_LABEL = 0.1
"""A label with less than this part of an equal share counts as rare."""


def lint_tests(
    test_set: TestSet, lineage: LineageConfig | None = None, *, variables: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Returns findings about the cases, most severe first.

    ``lineage`` provides the use case, the labels and the slice policies. Without it, only general checks run.
    ``variables`` holds the names that the prompt fills in.
    """
    if not test_set.cases:
        return (
            Finding(what="the test set has no cases", where=test_set.path, hint="nothing can be measured: add cases"),
            *test_set.warnings,
        )
    found = [*test_set.warnings, *_blanks(test_set), *_inputs(test_set, variables), *_duplicates(test_set)]
    if lineage is not None:
        found += _expectations(test_set, lineage)
        if lineage.use_case == UseCase.CLASSIFICATION:
            found += _labels(test_set, lineage)
    found += _sizes(test_set, lineage.gate if lineage else None)
    return tuple(found)


def columns_read(mapping: Mapping[str, Sequence[str]]) -> str:
    """Returns ``read as: expected from answer; inputs from question, lang`` for a test set's ``mapping``."""
    parts = (f"{key} from {', '.join(shown(name, 40) for name in names)}" for key, names in mapping.items())
    return f"read as: {'; '.join(parts)}"


def files_read(counts: Mapping[str, int], most: int = 10) -> str:
    """Returns ``cases from 2 files: a.jsonl 12, b.csv 3`` for the cases in each file of a test set."""
    named = [f"{shown(path, 80)} {cases}" for path, cases in counts.items()]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return f"cases from {len(named)} files: {', '.join(named[:most])}{more}"


def _named(cases: Sequence[TestCase], most: int = 4) -> str:
    names = ", ".join(shown(case.id, 40) for case in cases[:most])
    return names + (f" and {len(cases) - most} more" if len(cases) > most else "")


def _finding(test_set: TestSet, cases: Sequence[TestCase], what: str, hint: str) -> Finding:
    return Finding(what=f"{what}: {_named(cases)}", where=cases[0].where or test_set.path, hint=hint)


def _duplicates(test_set: TestSet) -> Iterator[Finding]:
    cases = test_set.cases
    texts = [_text(case) for case in cases]
    # members of one cluster are alike on purpose and count as one
    groups = [
        [cases[index] for index in group]
        for group in near_duplicates(texts)
        if len({_draw(cases[index]) for index in group}) > 1
    ]
    for group in groups[:MAX_GROUPS]:
        same = len({normalised(_text(case)) for case in group}) == 1
        if same and len({json.dumps(case.expected, sort_keys=True) for case in group}) > 1:
            yield _finding(
                test_set,
                group,
                "the same inputs with different expectations",
                "keep the one that is right",
            )
        elif same:
            yield _finding(test_set, group, "the same inputs", "keep one; a copy counts twice and adds no evidence")
        else:
            yield _finding(
                test_set,
                group,
                "nearly the same inputs",
                "give them the same `cluster` so that they count as one, or make them different",
            )
    if len(groups) > MAX_GROUPS:
        yield Finding(
            what=f"{len(groups) - MAX_GROUPS} more groups of similar cases",
            where=test_set.path,
            hint="fix these first",
        )


def _text(case: TestCase) -> str:
    return " ".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for _, value in sorted(case.inputs.items())
    )


def _blanks(test_set: TestSet) -> Iterator[Finding]:
    """Yields the cases of a draft that still have a text to fill in. They would be measured as they are."""
    blank = [case for case in test_set.cases if BLANK in (*case.inputs.values(), case.expected)]
    if blank:
        yield _finding(test_set, blank, "not filled in yet", f"replace every “{BLANK}”, or remove the case")


def _inputs(test_set: TestSet, variables: frozenset[str]) -> Iterator[Finding]:
    """Yields variables of the prompt for which cases have no value. Such cases can't run."""
    for name in sorted(variables):
        lacking = [case for case in test_set.cases if name not in case.inputs]
        if lacking:
            others = sorted({key for case in lacking for key in case.inputs} - variables)
            near = nearest(name, others) or (others[0] if len(others) == 1 else None)
            yield _finding(
                test_set,
                lacking,
                f"{_count(lacking)} without the input {shown(name)}, which the prompt fills in",
                f"rename {shown(near)}: a column input.{shown(name)} in CSV, inputs: {{{shown(name)}: …}} elsewhere"
                if near
                else "add it to inputs",
            )


def _expectations(test_set: TestSet, lineage: LineageConfig) -> Iterator[Finding]:
    cases = test_set.cases
    if lineage.use_case != UseCase.GENERATION:
        silent = [case for case in cases if case.expected is None and not case.forbids]
        if silent:
            yield _finding(test_set, silent, f"{_count(silent)} without expectation", "add expected:, or remove them")
    if lineage.use_case == UseCase.EXTRACTION:
        yield from _expected_fields(test_set, lineage)
    unarmed = [
        case
        for case in cases
        if ADVERSARIAL in case.slices
        and not case.forbids
        and (case.expected is None or lineage.use_case == UseCase.GENERATION)
    ]
    if unarmed:
        yield _finding(
            test_set,
            unarmed,
            f"{_count(unarmed, ADVERSARIAL)} that can't be seen to fail",
            "add must_not: text that the output contains if the injection works",
        )


def _expected_fields(test_set: TestSet, lineage: LineageConfig) -> Iterator[Finding]:
    """Yields mismatches between the fields that cases expect and the lineage's rules."""
    cases = test_set.cases
    maps = [(case, case.expected) for case in cases if isinstance(case.expected, dict)]
    flat = [case for case in cases if case.expected is not None and not isinstance(case.expected, dict)]
    if flat:
        yield _finding(
            test_set, flat, f"{_count(flat)} whose expectation is not a map of fields", "expected: {field: value}"
        )
    fields = {name for _, expected in maps for name in expected}
    for name in sorted(unexpected(lineage.fields, (case.expected for case in cases))):
        yield Finding(
            what=f"no case has an expected value for the field {shown(name)}",
            where=test_set.path,
            hint=f"did you mean {near}?"
            if (near := nearest(name, fields))
            else "add it to expected, or remove its rule",
        )
    yield from _fields_without_rule(test_set, lineage, maps)


def _fields_without_rule(
    test_set: TestSet, lineage: LineageConfig, maps: Sequence[tuple[TestCase, Mapping[str, JsonValue]]]
) -> Iterator[Finding]:
    ruled = {part for name in lineage.fields for part in (name, name.partition(".")[0])}
    fields = {name for _, expected in maps for name in expected}
    for name in sorted(fields - ruled) if lineage.fields else ():
        holders = [case for case, expected in maps if name in expected]
        yield _finding(
            test_set,
            holders,
            f"{_count(holders)} that expect {shown(name)}, which has no rule and is ignored",
            "add it under fields:, or remove it from expected",
        )


def _count(cases: Sequence[TestCase], kind: str = "") -> str:
    return f"{len(cases)} {kind + ' ' if kind else ''}case{'s' if len(cases) > 1 else ''}"


def _labels(test_set: TestSet, lineage: LineageConfig) -> Iterator[Finding]:
    expected = [(case, label) for case in test_set.cases for label in _labels_of(case, lineage)]
    counts = Counter(label for _, label in expected)
    for label in counts if lineage.labels else ():
        if label not in lineage.labels:
            holders = [case for case, its in expected if its == label]
            near = nearest(label, lineage.labels)
            yield _finding(
                test_set,
                holders,
                f"the label {_legible(label)} is not in the set",
                f"did you mean {_legible(near)}?" if near else "add it to labels:, or fix the cases",
            )
    labels = lineage.labels or tuple(counts)
    yield from _rare_labels(test_set, labels, counts)
    yield from _slices_of_one_label(test_set, lineage, labels)


def _rare_labels(test_set: TestSet, labels: Sequence[str], counts: Counter[str]) -> Iterator[Finding]:
    expected = counts.total()
    for label in labels:
        fair = expected / len(labels)
        if not counts[label]:
            yield Finding(what=f"no case expects {shown(label)}", where=test_set.path, hint="add cases of this label")
        elif counts[label] < RARE_LABEL * fair:
            yield Finding(
                what=f"only {counts[label]} of {expected} cases expect {shown(label)}",
                where=test_set.path,
                hint=f"add some: an equal share would be {round(fair)}",
            )


def _slices_of_one_label(test_set: TestSet, lineage: LineageConfig, labels: Sequence[str]) -> Iterator[Finding]:
    for name, cases in _slices(test_set.cases):
        kinds = {label for case in cases for label in _labels_of(case, lineage)}
        if len(cases) >= 5 and len(kinds) == 1 and len(labels) > 1:
            yield Finding(
                what=f"all {len(cases)} cases of the slice {shown(name)} expect {shown(next(iter(kinds)))}",
                where=test_set.path,
                hint="add other labels; a prompt that always gives this one would pass",
            )


def _labels_of(case: TestCase, lineage: LineageConfig) -> list[str]:
    if lineage.multi_label and isinstance(case.expected, list):
        return [str(label) for label in case.expected]
    return [] if case.expected is None else [str(case.expected)]


def _legible(label: str) -> str:
    """Returns the label, in quotes if it begins or ends with blanks."""
    return shown(label) if label == label.strip() and label else f"“{shown(label)}”"


def _slices(cases: Iterable[TestCase]) -> list[tuple[str, list[TestCase]]]:
    slices: dict[str, list[TestCase]] = {}
    for case in cases:
        for name in case.slices:
            slices.setdefault(name, []).append(case)
    return sorted(slices.items())


def _sizes(test_set: TestSet, gate: GateConfig | None) -> Iterator[Finding]:
    """Yields slices that are too small for a result, by the gate's own formulas (engine/gate/bounds.py)."""
    everything = _cluster_sizes(test_set.cases)
    gate = gate or GateConfig()
    overall = gate.margin.overall
    if certifiable(*planning_sample(everything)) > (overall or WIDEST):
        yield _too_small("the test set", everything, overall, test_set.path)
    slices = _slices(test_set.cases)
    for name, cases in slices:
        policy = gate.slices.get(name, gate.adversarial or SlicePolicy.GUARD if name == ADVERSARIAL else None)
        if policy not in (SlicePolicy.AVERAGE, None):
            continue
        sizes = _cluster_sizes(cases)
        margin = gate.margin.slices.get(name, gate.margin.slice)
        if len(sizes) < len(everything) and certifiable(*planning_sample(sizes)) > (margin or WIDEST):
            yield _too_small(f"the slice {shown(name)}", sizes, margin, test_set.path)
    if not slices and len(test_set.cases) >= 20:
        yield Finding(
            what="no case names a slice",
            where=test_set.path,
            hint="add slices: [typical], [edge], …: a regression in one kind of case can hide in the average",
        )


def _cluster_sizes(cases: Sequence[TestCase]) -> list[int]:
    return list(Counter(map(_draw, cases)).values())


def _draw(case: TestCase) -> tuple[bool, str]:
    """Returns what cases that count as one share: a cluster, or the case that they disturb."""
    return (False, case.cluster) if case.cluster is not None else (True, case.same_as or case.id)


def _too_small(what: str, sizes: Sequence[int], margin: float | None, path: str) -> Finding:
    """Returns a finding with the number of cases that are still needed. The scorecard reports the same number."""
    wanted = margin or WIDEST
    cases, (effective, variance) = len(sizes), planning_sample(sizes)
    able = certifiable(effective, variance)
    enough = cases_for(wanted, variance)
    return Finding(
        what=f"{what} has {cases} case{'s' if cases > 1 else ''}: "
        + (f"no drop under {100 * able:.0f} points can be ruled out" if able < 1 else "nothing can be ruled out"),
        where=path,
        hint=f"{max(enough - cases, 1)} more would rule out a drop of {100 * wanted:.0f} points",
    )
