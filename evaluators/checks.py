"""Checks: deterministic rules on an output, for any use case.

Texts are compared as written. Only ``contains`` and ``not_contains`` ignore case, Unicode form, dashes and line breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from evaluators.json_schema import schema_check
from evaluators.parts import Scores
from evaluators.patterns import compile_pattern
from evaluators.placeholders import placeholder
from evaluators.text import contains, one_line, shown
from schemas.config import Check
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

METRIC = "overall"

Rule = Callable[[str], str]
"""Takes an output and returns what is wrong with it; empty if nothing is."""


class Checks:
    """Checks of a lineage: one metric of kind ``check`` for each, 1 or 0.

    With ``overall``, a first metric is 1 if all checks pass. Raises ConfigError for a check with no kind or several,
    and for an unusable expression or schema.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = True

    def __init__(self, checks: Sequence[Check], *, overall: bool) -> None:
        self._checks = tuple(checks)
        self._rules = [(check.name, rule_of(check)) for check in checks]
        self._overall = overall

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The overall metric, if any, and the checks in the order of the configuration."""
        first = (MetricSpec(name=METRIC),) if self._overall else ()
        return (*first, *(MetricSpec(name=name, kind="check") for name, _ in self._rules))

    @property
    def version(self) -> str:
        """The version of the algorithm and a digest of the checks."""
        settings = [[check.model_dump(mode="json") for check in self._checks], self._overall]
        return f"checks-1-{digest_of(settings)[:16]}"

    def problem(self, case: TestCase) -> Finding | None:  # noqa: ARG002 - checks expect nothing of a case
        """Returns ``None``: every case can be checked."""
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0 for each check."""
        found = [(name, rule(output)) for name, rule in self._rules]
        scores = [Score(metric=name, value=float(not problem), reason=problem) for name, problem in found]
        if not self._overall:
            return tuple(scores)
        failed = "; ".join(f"{name}: {problem}" for name, problem in found if problem)
        answer = shown(output, 400)
        return (Score(metric=METRIC, value=float(not failed), reason=failed, answer=answer), *scores)


def rule_of(check: Check) -> Rule:
    """Returns the check as a function. Raises ConfigError."""
    where = f"check “{check.name}”"
    kinds: dict[str, Callable[[], Rule]] = {
        "equals": lambda: _equals(check.equals or ""),
        "contains": lambda: _contains(check.contains or ""),
        "not_contains": lambda: _not_contains(check.not_contains or ""),
        "regex": lambda: _regex(check.regex or "", where),
        "max_words": lambda: _max_words(check.max_words or 0),
        "json_schema": lambda: schema_check(check.json_schema or {}, where),
    }
    given = [kind for kind in kinds if getattr(check, kind) is not None]
    if len(given) != 1:
        what = "has no rule" if not given else f"has several rules ({', '.join(given)})"
        raise ConfigError(f"{where} {what}", hint=f"give it one of {', '.join(kinds)}")
    _refuse_pointless(check, where)
    return kinds[given[0]]()


def _refuse_pointless(check: Check, where: str) -> None:
    """Raises ConfigError for a text with placeholders, and for a check that every answer passes."""
    texts = {"equals": check.equals, "contains": check.contains, "regex": check.regex}
    given = next(((kind, text) for kind, text in texts.items() if text is not None), None)
    kind, text = given or ("not_contains", check.not_contains)
    if text is None:
        return
    if found := placeholder(text, any_name=kind != "not_contains"):
        raise ConfigError(
            f"{where} looks for the literal text {found}; checks don't fill in placeholders",
            hint="write the text, or compare with `expected` by use_case: classification or extraction",
        )
    if kind != "regex" and not one_line(text):
        raise ConfigError(f"the `{kind}` of {where} is blank", hint="write the text that it looks for")
    if kind == "regex" and all(map(compile_pattern(text, where), _ANY_ANSWER)):
        raise ConfigError(
            f"the regex of {where} matches every answer, so it checks nothing",
            hint="describe a right answer; an empty answer fails anyway",
        )


_ANY_ANSWER = (
    "x",
    "7",
    "?!",
    "\u6f22\u5b57",
    "No.",
    "I can't help with that.\nSorry!",
    "\u2026" * 40,
    "lorem ipsum " * 60,
)
"""Sample answers without anything in common."""


def _equals(text: str) -> Rule:
    return lambda output: "" if output.strip() == text.strip() else f"is not “{shown(text, 40)}”"


def _contains(text: str) -> Rule:
    return lambda output: "" if contains(output, text) else f"does not contain “{shown(text, 40)}”"


def _not_contains(text: str) -> Rule:
    return lambda output: f"contains “{shown(text, 40)}”" if contains(output, text) else ""


def _regex(pattern: str, where: str) -> Rule:
    matches = compile_pattern(pattern, where)
    return lambda output: "" if matches(output) else f"does not match {shown(pattern, 60)}"


def _max_words(limit: int) -> Rule:
    def check(output: str) -> str:
        words = len(output.split())
        return "" if words <= limit else f"has {words:,} words, more than {limit:,}"

    return check
