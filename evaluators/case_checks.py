"""The checks of a case: ``must`` and ``must_not``."""

from __future__ import annotations

from typing import ClassVar

from evaluators.checks import problem_of, rule_name, rule_of
from evaluators.parts import Scores, finding
from evaluators.text import one_line, shown
from schemas.check_config import CheckRule
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase

METRIC = "must"
FORBIDS = "must_not"


class CaseChecks:
    """The metric ``overall``, or the check ``must``: 1 if the output does all that its case's ``must`` says, else 0.

    As a check, a case without ``must`` passes.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False

    def __init__(self, *, overall: bool) -> None:
        self._overall = overall

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The only metric."""
        return (MetricSpec(name="overall") if self._overall else MetricSpec(name=METRIC, kind="check"),)

    @property
    def version(self) -> str:
        """The version of the algorithm. The checks belong to the cases."""
        return "must-3"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding for a case that nothing scores, and for a check that can't be run."""
        if self._overall and not (case.must or case.must_not):
            hint = "add must or must_not, or remove the case"
            return finding(case, "it has neither must nor must_not, so every answer would pass", hint)
        return next((found for check in case.must if (found := problem_of(check, METRIC, case))), None)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0."""
        (spec,) = self.metrics
        problems = (rule_of(check, METRIC, case)(output) for check in case.must)
        reason = "; ".join(problem for problem in problems if problem)
        answer = shown(output, 400) if self._overall else None
        return (Score(metric=spec.name, value=float(not reason), reason=reason, answer=answer),)


def forbidding_problem(case: TestCase) -> Finding | None:
    """Returns why ``must_not`` of a case can't be applied, or ``None``."""
    for one in case.must_not:
        if isinstance(one, str) and not one_line(one):
            return finding(case, "a text of must_not is blank", "every answer contains it; remove it")
        rule = CheckRule(contains=one) if isinstance(one, str) else one
        if (found := problem_of(rule, FORBIDS, case)) is not None:
            return found
        if rule in case.must:
            return finding(case, f"must and must_not both name {in_words(rule)}", "no answer can pass; remove one")
    return None


def forbidden_by(case: TestCase, output: str, everything: str) -> str | None:
    """Returns what the answer does although its case forbids it, or ``None``.

    Texts are searched in ``everything`` that the model wrote, and checks look at the ``output``.
    """
    for one in case.must_not:
        if isinstance(one, CheckRule):
            if not rule_of(one, FORBIDS, case)(output):
                return f"the answer passes {in_words(one)}, which this case forbids"
        elif not rule_of(CheckRule(contains=one), FORBIDS, case)(everything):
            return f"the answer contains “{shown(one, 40)}”, which this case forbids"
    return None


def in_words(check: CheckRule) -> str:
    """Returns a check of a case for a reason: ``regex_match ^Yes``."""
    name = rule_name(check, METRIC)
    return f"{name} {shown(str(getattr(check, name)), 40)}"
