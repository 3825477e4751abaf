"""Scores generated text by a rubric, else by the lineage's own scorer, else by the prompt file's own evaluators, else
by checks, else by what its cases say."""

from __future__ import annotations

from evaluators.case_assertions import CaseAssertions
from evaluators.case_checks import CaseChecks
from evaluators.checks import Checks
from evaluators.inline import InlineEvaluators
from evaluators.judges import judge_of
from evaluators.own_scorer import is_metric, own_scorer
from evaluators.parts import EvaluatorSources, MetricGroup
from schemas.errors import ConfigError


def part(sources: EvaluatorSources) -> MetricGroup:
    """Returns the group with the overall score. Raises ConfigError if nothing scores the text."""
    if sources.rubric is not None:
        return judge_of(sources.lineage, sources.rubric, sources.needed_judges(), gates=sources.judge_gates)
    if sources.scorer is not None and is_metric(sources):
        return own_scorer(sources, name="overall")
    inline = sources.prompt.evaluators if sources.prompt is not None else ()
    if inline:
        judge = next(iter(sources.judges), None)
        return InlineEvaluators(inline, judge, gates=sources.judge_gates, cases=sources.cases)
    if sources.lineage.checks:
        return Checks(sources.lineage.checks, overall=True)
    if any(case.assertions for case in (*sources.cases, *sources.added)):
        return CaseAssertions(overall=True, labeled=False)
    if any(case.must for case in (*sources.cases, *sources.added)):
        return CaseChecks(overall=True)
    raise ConfigError(
        "nothing scores the generated text",
        hint="add `rubric:`, `scorer:` or `checks:` to the lineage, or `must:` to the cases",
    )
