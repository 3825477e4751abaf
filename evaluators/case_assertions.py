"""Scores an output by the assertions of its case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from evaluators.assertions import SET, result_of, test_of
from evaluators.parts import Scores, finding
from evaluators.text import shown
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import Assertion, TestCase

NAMING = ("equals", "contains", "icontains")
"""Assertions whose value is what a case expects."""


def named_value(assertions: Sequence[Assertion]) -> Assertion | None:
    """Returns the only assertion that says what the answer is, if there is exactly one."""
    naming = [one for one in assertions if one.type in NAMING and not one.negated]
    return naming[0] if len(naming) == 1 else None


class CaseAssertions:
    """The metric ``overall``, or the check ``assert``: 1 if the output passes its case's assertions, else 0.

    ``labeled`` says that the use case reads the answer itself. Then the assertion that names the expected value isn't
    evaluated a second time. As a check, a case without assertions passes.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, *, overall: bool, labeled: bool) -> None:
        self._overall = overall
        self._labeled = labeled

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The only metric."""
        return (MetricSpec(name="overall") if self._overall else MetricSpec(name="assert", kind="check"),)

    @property
    def version(self) -> str:
        """The version of the algorithm. The assertions belong to the cases."""
        return f"assertions-1-{'labelled' if self._labeled else 'all'}"

    def of(self, case: TestCase) -> tuple[Assertion, ...]:
        """Returns the assertions that are evaluated for a case."""
        taken = named_value(case.assertions) if self._labeled else None
        if taken is None or taken.value != case.expected:
            return case.assertions
        return tuple(one for one in case.assertions if one is not taken)

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding for a case that no assertion scores, and for an assertion that can't be evaluated."""
        if self._overall and not case.assertions:
            hint = "add an assertion that can be evaluated, or remove the case"
            return finding(case, "it has no assertion, so every answer would pass", hint)
        for one in _flat(self.of(case)):
            try:
                test_of(one)
            except ConfigError as error:
                return finding(case, error.what, error.hint or "change the assertion")
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0."""
        (spec,) = self.metrics
        asserted = self.of(case)
        result = result_of(asserted, case.threshold, output)
        passed = result.passed or not asserted
        reason = "" if passed else f"fails {'; '.join(result.failed[:3]) or 'the threshold'}"
        if case.threshold is not None and not passed:
            reason += f" (score {result.score:.2f} of {case.threshold:g})"
        answer = shown(output, 400) if self._overall else None
        return (Score(metric=spec.name, value=float(passed), reason=reason, answer=answer, forbidden=result.forbidden),)


def _flat(assertions: Sequence[Assertion]) -> Iterator[Assertion]:
    for one in assertions:
        if one.type == SET:
            yield from _flat(one.members)
        else:
            yield one
