"""The optimizer's side: scores edits on the shown cases and asks for rewrites, through the runner, store and budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.improve.ports import Ports, reflected
from engine.improve.reflection import Example, reflection_request, rewritten
from engine.improve.scoring import scored_once
from engine.improve.split import cluster_numbers
from engine.improve.texts import Texts, like, problem, with_texts
from engine.patterns.patterns import failing_patterns
from engine.planning.plan import ArmSource, Plan, request_of
from engine.planning.rendering import job_of, render
from engine.runner.budget import SpendingCap
from engine.runner.experiment import Endpoint
from evaluators.trajectory import in_lines
from schemas.blame import Pattern, Unit
from schemas.config import RunConfig
from schemas.errors import ProviderError
from schemas.outcomes import Completion, CompletionError, Outcome, Score
from schemas.ports import RenderFailure

FAILS = 0.5
"""A case with a lower score fails."""


class Search:
    """What the optimizer asks for (``schemas.ports.Rated``), and all that it learned. It knows the shown cases only."""

    def __init__(
        self,
        plan: Plan,
        source: ArmSource,
        *,
        reflector: Endpoint,
        settings: RunConfig,
        keep: Sequence[str],
        lost: Sequence[Unit],
        ports: Ports,
        cap: SpendingCap,
    ) -> None:
        """``plan`` is the plan of the shown cases alone. ``keep`` are texts that an edit may not remove, ``lost`` are
        earlier changes that lost shown cases."""
        self._plan = plan
        self._source = source
        self._reflector = reflector
        self._settings = settings
        self._keep = keep
        self._lost = lost
        self._ports = ports
        self._cap = cap
        self._seen: dict[tuple[tuple[str, ...], int], Example] = {}
        self._texts: dict[tuple[str, ...], dict[str, str]] = {}
        self._asked: Counter[str] = Counter()
        self._patterns: tuple[Pattern, ...] | None = None
        self.rewrites = 0
        """Usable rewrites."""

    async def score(self, texts: Mapping[str, str], cases: Sequence[int]) -> list[float]:
        """Returns the score of each case. Raises BudgetExceeded, and ProviderError for a call without an answer."""
        key = _key(texts)
        self._texts[key] = dict(texts)
        missing = [case for case in dict.fromkeys(cases) if (key, case) not in self._seen]
        if missing:
            await self._run(texts, missing)
        return [self._seen[key, case].score for case in cases]

    async def rewrite(self, texts: Mapping[str, str], name: str, cases: Sequence[int]) -> str | None:
        """Asks the reflection model, which sees the answers of these cases, those that fail first."""
        key, old = _key(texts), texts[name]
        examples = sorted((self._seen[key, case] for case in cases), key=lambda each: each.score)
        sentences = [pattern.sentence for pattern in self.patterns]
        request = reflection_request((old, name.partition(" ")[0]), examples, sentences, self._lost, self._reflector)
        # Asked the same again, the model may give another answer, which is stored beside the first.
        repetition = self._asked[request.digest]
        self._asked[request.digest] += 1
        answer = await reflected(
            request, self._reflector, self._ports, self._cap, settings=self._settings, repetition=repetition
        )
        found = rewritten(answer)
        new = None if found is None else like(old, found)
        if new is None or new == old or problem(self._source.prompt, old, new, self._keep):
            return None
        if not self._renders({**texts, name: new}):
            return None
        self.rewrites += 1
        self._ports.on_line(f"edit {self.rewrites} of the message “{name}”")
        return new

    @property
    def started(self) -> bool:
        """Whether the prompt as it is was scored on every shown case. Without it, nothing can be compared."""
        if not self._texts:
            return False
        first = next(iter(self._texts))
        return all((first, case) in self._seen for case in range(len(self._plan.cases)))

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What the cases have in common that fail with the prompt as it is."""
        if self._patterns is None:
            failing = [case for case, example in enumerate(self._own()) if example.score < FAILS]
            groups = cluster_numbers(self._plan.cases)
            seed = int(self._plan.digest[:8], 16)
            self._patterns = failing_patterns(self._plan.cases, failing, clusters=groups, seed=seed)
        return self._patterns

    def mean(self, texts: Texts) -> float:
        """Returns the mean score over all shown cases."""
        return sum(example.score for example in self._all(_key(texts))) / len(self._plan.cases)

    def fixed(self, texts: Texts) -> tuple[int, int]:
        """Returns the number of cases that fail with the prompt as it is, and how many of them pass with ``texts``."""
        failing = [case for case, example in enumerate(self._own()) if example.score < FAILS]
        edited = self._all(_key(texts))
        return len(failing), sum(edited[case].score >= FAILS for case in failing)

    def better(self, texts: Texts) -> list[dict[str, str]]:
        """Returns the edits with a higher mean than ``texts`` over all shown cases, the best and shortest first.

        Edits that cost more than the gate allows are left out. If all do, the best one is returned, so that the gate
        says so.
        """
        size = len(self._plan.cases)
        whole = [each for key, each in self._texts.items() if all((key, case) in self._seen for case in range(size))]
        found = [each for each in whole if self.mean(each) > self.mean(texts)]
        found.sort(key=lambda each: (-self.mean(each), sum(map(len, each.values())), _key(each)))
        limit = self._plan.gate.max_cost_increase
        most = None if limit is None else self._cost(texts) * (1 + limit)
        return [each for each in found if most is None or self._cost(each) <= most] or found[:1]

    def _cost(self, texts: Texts) -> Decimal:
        return sum((example.cost_usd for example in self._all(_key(texts))), Decimal(0))

    def _all(self, key: tuple[str, ...]) -> list[Example]:
        return [self._seen[key, case] for case in range(len(self._plan.cases))]

    def _own(self) -> list[Example]:
        return self._all(next(iter(self._texts)))  # the optimizer starts with the prompt as it is

    def _renders(self, texts: Texts) -> bool:
        prompt = with_texts(self._source.prompt, texts)
        results = render(self._ports.renderer, [job_of(prompt, case) for case in self._plan.cases])
        return not any(isinstance(result, RenderFailure) for result in results)

    async def _run(self, texts: Texts, cases: Sequence[int]) -> None:
        chosen = [self._plan.cases[case] for case in cases]
        prompt = with_texts(self._source.prompt, texts)
        source = ArmSource(prompt, self._source.model)
        rendered = render(self._ports.renderer, [job_of(prompt, case) for case in chosen])
        requests = [None if isinstance(each, RenderFailure) else request_of(source, each) for each in rendered]
        result = await scored_once(
            self._plan, chosen, requests, settings=self._settings, ports=self._ports, cap=self._cap
        )
        if result.stopped is not None:
            raise result.stopped
        for outcome in result.outcomes:
            self._seen[_key(texts), cases[outcome.cell.case]] = self._example(cases[outcome.cell.case], outcome)

    def _example(self, case: int, outcome: Outcome) -> Example:
        """Returns the answer with its overall score. Raises ProviderError if there is none: that is no score of 0."""
        asked = self._plan.cases[case]
        if isinstance(outcome.result, CompletionError):
            raise ProviderError(f"case {asked.id!r} got no answer: {outcome.result.message}", where=self._plan.lineage)
        overall, *others = outcome.scores
        if not isinstance(overall, Score):
            raise ProviderError(f"case {asked.id!r} could not be scored: {overall.message}", where=self._plan.lineage)
        reasons = [each.reason for each in (overall, *others) if isinstance(each, Score) and each.value < 1]
        text = _text_of(outcome.result)
        reason = "; ".join(dict.fromkeys(filter(None, reasons)))
        return Example(asked, text, overall.value, reason, outcome.neutral_cost_usd)


def _text_of(answer: Completion) -> str:
    if answer.trajectory is not None:
        return in_lines(answer.trajectory.steps)
    return answer.text or "\n".join(f"{call.name}({call.arguments})" for call in answer.tool_calls)


def _key(texts: Texts) -> tuple[str, ...]:
    return tuple(text for _, text in sorted(texts.items()))
