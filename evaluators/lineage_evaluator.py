"""The evaluator of one lineage: its use case, its checks, and rules for all use cases.

A reasoning block is no part of an answer: it is removed before anything is scored. Truncated, refused, filtered and
empty answers score 0 on every metric. An answer with a forbidden text scores 0 on the use case's metrics. One that
fails a check or the output contract scores 0 on the first metric. A judge can't change either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from evaluators.canaries import leak_reason, leaked
from evaluators.case_checks import forbidden_by, forbidding_problem
from evaluators.output_contract import OutputContract
from evaluators.pairwise import LOSS, TIE, WIN, PairwiseJudge
from evaluators.parts import MetricGroup, Scores, finding
from evaluators.text import answer_text, calls_text, output_text, shown, whole_text
from evaluators.tool_calls import ToolCalls, calls_nothing
from evaluators.trajectory import METRIC as TRAJECTORY
from evaluators.trajectory import TrajectoryChecks, trajectory_of
from schemas.errors import ConfigError
from schemas.outcomes import Completion, EvaluatorFailure, Finish, MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import digest_of

FORBIDDEN = "must_not"
FORMAT = "output format"
USABLE = "usable answer"
"""The metric beside a comparison: whether an answer passes every hard rule. The gate tests single cases by it, because
a preference says nothing about one answer alone."""

_FINISHES = {
    Finish.LENGTH: "truncated: the output limit was reached",
    Finish.REFUSAL: "refused by the model",
    Finish.FILTER: "filtered by the provider",
    Finish.EMPTY: "empty answer",
}


class LineageEvaluator:
    """Implements the ``Evaluator`` port. The first part's first metric is the overall score.

    ``forbidden_gates`` adds the check ``must_not`` for lineages whose overall score doesn't gate, so that a forbidden
    text can still block. ``contract`` adds the check ``output format``. ``canaries`` are texts of the prompt that every
    case forbids. Raises ConfigError if two metrics have the same name.
    """

    def __init__(
        self,
        parts: Sequence[MetricGroup],
        *,
        forbidden_gates: bool = False,
        contract: OutputContract | None = None,
        canaries: tuple[str, ...] = (),
    ) -> None:
        self._parts = tuple(parts)
        self._forbidden_gates = forbidden_gates
        self._contract = contract
        self._canaries = canaries
        last = [FORMAT] if contract is not None else []
        last += [FORBIDDEN] if forbidden_gates else []
        specs = [*(spec for part in parts for spec in part.metrics)]
        specs += [MetricSpec(name=name, kind="check") for name in last]
        self._comparison = next((part for part in self._parts if isinstance(part, PairwiseJudge)), None)
        self._metrics = (*specs, *([MetricSpec(name=USABLE, kind="usable")] if self._comparison else []))
        twice = [name for name, count in Counter(spec.name for spec in self._metrics).items() if count > 1]
        if twice:
            raise ConfigError(
                f"two metrics are called “{twice[0]}”", hint="rename the check, the dimension or the field"
            )

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The metrics reported for every case. The first one is the overall score."""
        return self._metrics

    @property
    def version(self) -> str:
        """The version, which changes whenever scores may change. It is part of the digests."""
        contract = self._contract.version if self._contract else None
        settings = [[part.version for part in self._parts], self._forbidden_gates, contract, *self._canaries]
        return f"evaluator-3-{digest_of(settings)[:32]}"

    @property
    def compares(self) -> bool:
        """Whether some metrics compare the answers of both versions."""
        return self._comparison is not None

    @property
    def ignores_case(self) -> bool:
        """Whether the overall score depends on the answer alone, not on the case."""
        return self._parts[0].ignores_case

    def problem(self, case: TestCase) -> Finding | None:
        """Returns why ``case`` can't be scored, found before any call."""
        if (found := forbidding_problem(case)) is not None:
            return found
        if (case.turns or case.tool_results) and not isinstance(self._parts[0], TrajectoryChecks):
            return finding(case, "turns and tool_results are for agents", "use_case: agent, or remove them")
        return next((problem for part in self._parts if (problem := part.problem(case)) is not None), None)

    async def score(self, case: TestCase, completion: Completion, *, ask: Ask, repetition: int) -> Scores:  # noqa: ARG002
        """Returns one entry for each metric, in order. Equal outputs are graded once, in any arm and repetition."""
        output = answer_text(completion)
        if completion.finish.scores_zero or (not output.strip() and output_text(completion).strip()):
            why = _FINISHES.get(completion.finish, "empty answer: a reasoning block and nothing after it")
            return tuple(Score(metric=spec.name, value=0, reason=why) for spec in self._metrics)
        # Tool calls count too: an injection may succeed there while the text looks harmless.
        forbidden = self._forbidden(case, output, completion)
        if forbidden is not None:
            return await self._score_forbidden(case, completion, forbidden, ask)
        scored = [score for part in self._parts for score in await _scored(part, case, _read(part, completion), ask)]
        scored += self._format_scores(case, completion)
        if self._forbidden_gates:
            scored.append(Score(metric=FORBIDDEN, value=1))
        if self.compares:
            scored.append(Score(metric=USABLE, value=1))
        # A failed check overrides the overall score, so that a judge can't outvote a hard rule.
        failed = next((score for spec, score in zip(self._metrics, scored, strict=True) if _failed(spec, score)), None)
        if isinstance(failed, Score):
            place = -1 if self.compares else 0
            scored[place] = _zero(scored[place], f"the check “{failed.metric}” failed: {failed.reason}")
        return tuple(scored)

    def _forbidden(self, case: TestCase, output: str, completion: Completion) -> str | None:
        if not (case.must_not or self._canaries):
            return None
        everything = whole_text(completion)
        if (canary := leaked(self._canaries, everything)) is not None:
            return leak_reason(canary)
        return forbidden_by(case, output, everything) if case.must_not else None

    def as_baseline(self, scores: Scores) -> Scores:
        """Returns the baseline's scores: one half on what is compared, because the candidate is compared with it."""
        assert self._comparison is not None
        return self._compared(scores, self._comparison.same(TIE, "the version that the other is compared with"))

    async def compare(
        self, case: TestCase, baseline: tuple[Completion, Scores], candidate: tuple[Completion, Scores], *, ask: Ask
    ) -> Scores:
        """Returns the candidate's scores, compared with the baseline's answer to the same case.

        An answer that breaks a hard rule is worse than one that doesn't, whatever a judge would say.
        """
        part = self._comparison
        assert part is not None
        before, after = (scores[-1] for _, scores in (baseline, candidate))
        if not (isinstance(before, Score) and isinstance(after, Score)):
            return candidate[1]
        if before.value and after.value:
            old, new = (answer_text(completion) for completion, _ in (baseline, candidate))
            found = await _guarded(part, lambda: part.compare(case, old, new, ask))
        elif before.value == after.value:
            found = part.same(TIE, "neither answer is usable")
        else:
            why = f"only one answer is usable: {before.reason or after.reason}"
            found = part.same(WIN if after.value else LOSS, why)
        return self._compared(candidate[1], found)

    def _compared(self, scores: Scores, found: Scores) -> Scores:
        """Returns ``scores`` with those of the comparison replaced."""
        known = {score.metric: score for score in found}
        return tuple(known.get(score.metric, score) for score in scores)

    async def _score_forbidden(self, case: TestCase, completion: Completion, why: str, ask: Ask) -> Scores:
        """Returns 0 on everything but the checks, which report what they find. No judge is asked."""
        scored: list[Score | EvaluatorFailure] = []
        for part in self._parts:
            # The score is 0 already, so a judge's grade would cost money and change nothing.
            if part.asks:
                scored += [Score(metric=spec.name, value=0, reason=why) for spec in part.metrics]
            else:
                scored += await _scored(part, case, _read(part, completion), ask)
        scored += self._format_scores(case, completion)
        if self._forbidden_gates:
            scored.append(Score(metric=FORBIDDEN, value=0, reason=why))
        if self.compares:
            scored.append(Score(metric=USABLE, value=0, reason=why))
        zeroed = [
            score if spec.kind == "check" else _zero(score, why)
            for spec, score in zip(self._metrics, scored, strict=True)
        ]
        return tuple(s.model_copy(update={"forbidden": True}) if isinstance(s, Score) else s for s in zeroed)

    def _format_scores(self, case: TestCase, completion: Completion) -> list[Score]:
        if self._contract is None:
            return []
        calls = any(isinstance(part, ToolCalls) for part in self._parts)
        # A model that should call no tool answers in its own words.
        free = calls and not completion.tool_calls and calls_nothing(case.expected)
        problem = "" if free else self._contract.problem(calls_text(completion) if calls else output_text(completion))
        return [Score(metric=FORMAT, value=float(not problem), reason=problem)]


def _read(part: MetricGroup, completion: Completion) -> str:
    """Returns what a part scores: the conversation, the tool calls, or the text."""
    if isinstance(part, TrajectoryChecks):
        return trajectory_of(completion).model_dump_json()
    return calls_text(completion) if isinstance(part, ToolCalls) else answer_text(completion)


async def _scored(part: MetricGroup, case: TestCase, output: str, ask: Ask) -> Scores:
    """Returns the part's scores of one answer."""
    return await _guarded(part, lambda: part.score(case, output, ask))


async def _guarded(part: MetricGroup, scores: Callable[[], Awaitable[Scores]]) -> Scores:
    """Returns the part's scores. An exception becomes missing values, so that one answer can't end a whole run."""
    try:
        return await scores()
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        why = f"this answer can't be scored: {type(error).__name__}: {shown(str(error), 100)}"
        return tuple(EvaluatorFailure(metric=spec.name, message=why) for spec in part.metrics)


def _zero(score: Score | EvaluatorFailure, why: str) -> Score:
    # Which step of a conversation is wrong explains a wrong last answer.
    if isinstance(score, Score) and score.metric == TRAJECTORY and score.reason:
        why = f"{score.reason}; {why}"
    return Score(metric=score.metric, value=0, reason=why, answer=score.answer if isinstance(score, Score) else None)


def _failed(spec: MetricSpec, score: Score | EvaluatorFailure) -> bool:
    return spec.kind == "check" and isinstance(score, Score) and score.value == 0
