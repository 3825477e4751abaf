"""The checks of a lineage or a case: deterministic rules on an output. Each rule is a module in check_rules/."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from pydantic import JsonValue, ValidationError

from evaluators.check_values import filled, miswritten, unfilled, variables_in
from evaluators.parts import Scores, finding
from evaluators.text import shown
from schemas.check_config import Check, CheckRule
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "overall"
PATTERNS = ("regex_match", "not_regex_match")
"""Rules whose value is an expression. What a case fills in is matched literally there."""
RULES = tuple(CheckRule.model_fields)
"""The names of the rules."""

Rule = Callable[[str], str]
"""Takes an output and returns what is wrong with it; empty if nothing is."""


class Checks:
    """Checks of a lineage: one metric of kind ``check`` for each, 1 or 0.

    With ``overall``, a first metric is 1 if all checks pass. Raises ConfigError for a check that can't be run.
    """

    asks = False

    def __init__(self, checks: Sequence[Check], *, overall: bool) -> None:
        self._checks = tuple(checks)
        self._overall = overall
        self._fixed = {check.name: examine(check, named(check)) for check in checks}
        self.ignores_case = None not in self._fixed.values()

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The overall metric, if any, and the checks in the order of the configuration."""
        first = (MetricSpec(name=METRIC),) if self._overall else ()
        return (*first, *(MetricSpec(name=check.name, kind="check") for check in self._checks))

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the checks."""
        settings = [[check.model_dump(mode="json", exclude_none=True) for check in self._checks], self._overall]
        return f"checks-4-{digest_of(settings)[:16]}"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding if the case lacks a variable of a check, or fills it in with something unusable."""
        return next((found for check in self._checks if (found := problem_of(check, named(check), case))), None)

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0 for each check."""
        rules = [(check.name, self._fixed[check.name] or rule_of(check, named(check), case)) for check in self._checks]
        found = [(name, rule(output)) for name, rule in rules]
        scores = [Score(metric=name, value=float(not problem), reason=problem) for name, problem in found]
        if not self._overall:
            return tuple(scores)
        failed = "; ".join(f"{name}: {problem}" for name, problem in found if problem)
        answer = shown(output, 400)
        return (Score(metric=METRIC, value=float(not failed), reason=failed, answer=answer), *scores)


def named(check: Check) -> str:
    """Returns a check for messages."""
    return f"check “{check.name}”"


def rule_name(check: CheckRule, where: str) -> str:
    """Returns the name of a check's rule. Raises ConfigError if there is none, or several."""
    given = [name for name in RULES if getattr(check, name) is not None]
    if len(given) != 1:
        what = "has no rule" if not given else f"has several rules ({', '.join(given)})"
        raise ConfigError(f"{where} {what}", hint=f"give it one of {', '.join(RULES)}")
    return given[0]


def examine(check: CheckRule, where: str) -> Rule | None:
    """Returns a check as a function; ``None`` if it has variables, so that each case has its own.

    Raises ConfigError for a check that can't be run, as far as that can be said without a case.
    """
    name, value = rule_name(check, where), _value_of(check)
    if (found := unfilled(value)) is not None:
        raise ConfigError(
            f"{where} looks for the literal text {found}, which is not filled in",
            hint="write {{expected}}, or the name of an input between {{ and }}",
        )
    return None if variables_in(value) else _built(name, check.model_dump_json(include={name}), where)


def problem_of(check: CheckRule, where: str, case: TestCase) -> Finding | None:
    """Returns why a check can't be run on a case, or ``None``."""
    try:
        rule_of(check, where, case)
    except ConfigError as error:
        return finding(case, error.what, error.hint or "change the check or the case")
    if (misspelt := miswritten(_value_of(check), case.inputs)) is not None:
        text, name = misspelt
        what = f"{where} looks for the literal text {text}, which is not filled in"
        return finding(case, what, f"write {{{{{name}}}}} for the case's {name}")
    return None


def rule_of(check: CheckRule, where: str, case: TestCase) -> Rule:
    """Returns a check as a function, with the variables of ``case`` filled in. Raises ConfigError."""
    name, value = rule_name(check, where), _value_of(check)
    if not variables_in(value):
        return _built(name, check.model_dump_json(include={name}), where)
    escape = _escaped if name in PATTERNS else None
    try:
        ready = CheckRule.model_validate({name: filled(value, case, escape)})
    except ValidationError as error:
        what = error.errors(include_input=False)[0]["msg"]
        raise ConfigError(f"the case's value doesn't fit {where}: {what}", hint="change the case's value") from None
    return _built(name, ready.model_dump_json(include={name}), where)


def _escaped(text: str) -> str:
    import re2  # type: ignore[import-untyped]

    return str(re2.escape(text))


@lru_cache(maxsize=4096)
def _built(name: str, written: str, where: str) -> Rule:
    value = getattr(CheckRule.model_validate_json(written), name)
    build: Callable[[Any, str], Rule] = importlib.import_module(f"evaluators.check_rules.{name}").build
    return build(value, f"the `{name}` of {where}")


def _value_of(check: CheckRule) -> JsonValue:
    values: dict[str, JsonValue] = check.model_dump(mode="json", include=set(RULES), exclude_none=True)
    return next(iter(values.values()), None)
