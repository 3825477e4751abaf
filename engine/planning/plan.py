"""Plans the experiment of a changed lineage: both arms are rendered, paired, priced and hashed before the first
call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.planning.agents import likely_steps, undefined_tools
from engine.planning.call_cost import Estimate, estimate_sizes
from engine.planning.change_coverage import RenderedSide, unreached
from engine.planning.inputs import mark_changed, unused_inputs
from engine.planning.rendering import job_of, render
from engine.planning.requests import Requests, digests_of, sizes_of
from engine.readers.bounded import shown
from engine.runner.experiment import ArmPlan, Endpoint
from schemas.config import LineageConfig, ModelConfig
from schemas.gate_config import GateConfig
from schemas.outcomes import Arm
from schemas.ports import CodeScorers, Evaluator, PriceTable, RenderFailure, TemplateRenderer
from schemas.prompts import Finding, Message, Parameters, PromptFile, Request
from schemas.testsets import TestCase
from schemas.use_cases import UseCase
from schemas.values import canonical_json, digest_of
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


@dataclass(frozen=True)
class ArmSource:
    """The sources of one arm."""

    prompt: PromptFile
    model: ModelConfig


@dataclass(frozen=True)
class Plan:
    """The plan of one lineage and one model, before any call."""

    lineage: str
    model: str
    """The candidate's model name in the configuration."""
    cases: tuple[TestCase, ...]
    added: tuple[bool, ...]
    """Cases that only the head has."""
    arms: Mapping[Arm, ArmPlan]
    """Without a baseline if the lineage is new or the baseline can't be rendered."""
    identical: tuple[bool, ...]
    """Whether both arms send the same request, so that no call is needed. By case."""
    evaluator: Evaluator
    judges: tuple[Endpoint, ...]
    gate: GateConfig
    digest: str
    """The content digest: requests of both arms, gating tests, policy, evaluator."""
    scorers: CodeScorers
    """What runs the lineage's own scorer."""
    estimates: Mapping[Arm, Estimate]
    """Estimate of one run of every case whose requests differ."""
    unreached: tuple[str, ...] = ()
    """Parts of the prompt's change that no case reaches."""
    warnings: tuple[Finding, ...] = ()
    max_steps: int | None = None
    """Most calls of one case of an agent. ``None``: each case is a single call."""


def request_of(source: ArmSource, messages: tuple[Message, ...]) -> Request:
    """Returns the request of a rendered prompt."""
    return Request(
        provider=source.model.provider,
        origin=source.model.origin,
        api=source.model.unusual_api,
        model=source.model.model,
        messages=messages,
        parameters=parameters_of(source.prompt, source.model),
    )


def parameters_of(prompt: PromptFile, model: ModelConfig) -> Parameters:
    """Returns the parameters of a prompt's requests to a model.

    The prompt's own parameters override its model's. An output limit that isn't configured is sent only if the API
    requires one.
    """
    own = {
        name: value
        for name, value in prompt.parameters.model_dump(exclude_unset=True).items()
        if value not in (None, (), {})
    }
    # Lowest precedence: a limit of the model or the prompt replaces the default.
    default = {} if model.default_limit is None else {"max_tokens": model.default_limit}
    return Parameters.model_validate(default | _given(model.parameters) | own)


def _given(parameters: Parameters) -> dict[str, object]:
    return {name: value for name, value in parameters.model_dump().items() if value not in (None, (), {})}


def plan_experiment(
    *,
    lineage: str,
    model: str,
    config: LineageConfig,
    gate: GateConfig,
    baseline: ArmSource | None,
    candidate: ArmSource,
    tests: Sequence[TestCase],
    added: Sequence[TestCase],
    evaluator: Evaluator,
    judges: Sequence[ModelConfig],
    renderer: TemplateRenderer,
    prices: PriceTable,
    scorers: CodeScorers,
) -> Plan | Reason:
    """Plans one experiment, or returns the reason why nothing can be measured.

    Raises ConfigError for a model without a price.
    """
    # The base's cases come first, so their indices stay the same if the head adds some.
    cases = (*tests, *added)
    if not cases:
        where = ", ".join(config.test_paths) or "the prompt's testData"
        return _problem(ReasonCode.NO_CASES, f"There is no test case: {where} is empty, so nothing was measured.")
    same: dict[Message, Message] = {}
    rendered = {arm: _rendered(source, cases, renderer, same) for arm, source in _sources(baseline, candidate)}
    if problem := _unfilled(candidate, rendered, len(tests)):
        return problem
    warnings: list[Finding] = []
    arms = {}
    for arm, source in _sources(baseline, candidate):
        messages = rendered[arm]
        if isinstance(messages, _Unfilled):
            what = f"the baseline prompt can't be filled in: {messages.why}"
            hint = "the candidate is judged as a new prompt, without a baseline"
            warnings.append(Finding(what=what, where=source.prompt.path, hint=hint))
        else:
            endpoint = Endpoint(model=source.model, price=prices.price(source.model))
            arms[arm] = ArmPlan(endpoint=endpoint, requests=Requests(request_of(source, messages[0]), messages))
    max_steps = config.max_steps if config.use_case == UseCase.AGENT else None
    if problem := _mismatch(config, _prompts(baseline, candidate), arms, cases):
        return problem
    identical = _identical(arms, len(cases))
    cases = mark_changed(cases, identical)
    arms = {arm: replace(plan, draws=_draws(plan, arms)) for arm, plan in arms.items()}
    return Plan(
        lineage=lineage,
        model=model,
        cases=cases,
        added=tuple(index >= len(tests) for index in range(len(cases))),
        arms=arms,
        identical=identical,
        evaluator=evaluator,
        scorers=scorers,
        judges=tuple(Endpoint(model=judge, price=prices.price(judge)) for judge in judges),
        gate=gate,
        digest=_content_digest(arms, cases, gate, evaluator, config),
        max_steps=max_steps,
        estimates={arm: _estimate(plan, cases, identical, max_steps) for arm, plan in arms.items()},
        unreached=_unreached(baseline, candidate, rendered, cases, renderer),
        warnings=tuple(warnings),
    )


def _unfilled(candidate: ArmSource, rendered: Rendered, tests: int) -> Reason | None:
    """Returns why an experiment without these messages can't be planned. A baseline may fail on old cases only."""
    if isinstance(failure := rendered[Arm.CANDIDATE], _Unfilled):
        path = shown(candidate.prompt.path)
        return _problem(ReasonCode.UNREADABLE, f"The candidate prompt {path} can't be filled in: {failure.why}.")
    before = rendered.get(Arm.BASELINE)
    if isinstance(before, _Unfilled) and (before.gone or before.first >= tests):
        hint = "run it again" if before.gone else "give the added case the inputs that it needs"
        return _problem(ReasonCode.UNREADABLE, f"The baseline prompt can't be filled in: {before.why} ({hint}).")
    return None


def _mismatch(
    config: LineageConfig, prompts: Sequence[PromptFile], arms: Mapping[Arm, ArmPlan], cases: Sequence[TestCase]
) -> Reason | None:
    """Returns why prompt and cases don't fit: no input reaches a request, or a case names a tool that isn't defined."""
    if not config.static and (why := unused_inputs(prompts, arms, cases)):
        return _problem(ReasonCode.SAME_REQUESTS, why)
    if config.use_case == UseCase.AGENT and (why := undefined_tools(arms, cases)):
        return _problem(ReasonCode.UNREADABLE, why)
    return None


def _estimate(plan: ArmPlan, cases: Sequence[TestCase], identical: Sequence[bool], max_steps: int | None) -> Estimate:
    """Returns the estimate of one run of every case whose requests differ."""
    sizes = (
        (size, 1 if max_steps is None else min(likely_steps(case), max_steps))
        for size, case, same in zip(sizes_of(plan.requests), cases, identical, strict=True)
        if size is not None and not same
    )
    return estimate_sizes(sizes, plan.endpoint.price, max_steps=max_steps or 1)


def _unreached(
    baseline: ArmSource | None,
    candidate: ArmSource,
    rendered: Rendered,
    cases: Sequence[TestCase],
    renderer: TemplateRenderer,
) -> tuple[str, ...]:
    """Returns the parts of the change of the text that no case's messages show."""
    before, after = rendered.get(Arm.BASELINE), rendered[Arm.CANDIDATE]
    if baseline is None or before is None or isinstance(before, _Unfilled) or isinstance(after, _Unfilled):
        return ()
    # The text is the same, so only settings differ, and these are in every request.
    if baseline.prompt.text == candidate.prompt.text:
        return ()
    found = unreached(RenderedSide(baseline.prompt, before), RenderedSide(candidate.prompt, after), cases, renderer)
    # The text changed, but every rendered message is the same, so no case can show the change.
    return found or (("any of its text",) if before == after else ())


def _prompts(baseline: ArmSource | None, candidate: ArmSource) -> tuple[PromptFile, ...]:
    return tuple(source.prompt for _, source in _sources(baseline, candidate))


def with_evaluator(plan: Plan, evaluator: Evaluator, config: LineageConfig) -> Plan:
    """Returns the plan with another evaluator. Its digest changes too."""
    digest = _content_digest(plan.arms, plan.cases, plan.gate, evaluator, config)
    return replace(plan, evaluator=evaluator, digest=digest)


def _sources(baseline: ArmSource | None, candidate: ArmSource) -> list[tuple[Arm, ArmSource]]:
    both = [] if baseline is None else [(Arm.BASELINE, baseline)]
    return [*both, (Arm.CANDIDATE, candidate)]


@dataclass(frozen=True)
class _Unfilled:
    """A prompt that can't be filled in for every case."""

    why: str
    """One sentence about the first failure and how many there are."""
    first: int
    """The first case that fails."""
    gone: bool
    """Whether the renderer was lost. That may not be the prompt's fault, so the baseline is not given up."""


Rendered = Mapping[Arm, list[tuple[Message, ...]] | _Unfilled]
"""The messages of every case by arm, or why there are none."""


def _rendered(
    source: ArmSource, cases: Sequence[TestCase], renderer: TemplateRenderer, same: dict[Message, Message]
) -> list[tuple[Message, ...]] | _Unfilled:
    """Returns the messages of every case, or why there are none. ``same`` collects messages that several cases share:
    most have the same system message, and both arms the same user message."""
    jobs = [job_of(source.prompt, case) for case in cases]
    done: list[tuple[Message, ...]] = []
    failures: list[tuple[int, RenderFailure]] = []
    for index, result in enumerate(render(renderer, jobs)):
        if isinstance(result, RenderFailure):
            failures.append((index, result))
        else:
            done.append(tuple(same.setdefault(message, message) for message in result))
    if not failures:
        return done
    first, failure = failures[0]
    more = len(failures) - 1
    others = f" (and {more} more {'case' if more == 1 else 'cases'})" if more else ""
    why = f"case {cases[first].id}{others}: {failure.message}"
    return _Unfilled(why, first, gone=any(failure.gone for _, failure in failures))


def _identical(arms: Mapping[Arm, ArmPlan], cases: int) -> tuple[bool, ...]:
    if Arm.BASELINE not in arms:
        return (False,) * cases
    pairs = zip(*(digests_of(arms[arm].requests) for arm in (Arm.BASELINE, Arm.CANDIDATE)), strict=True)
    return tuple(before is not None and before == after for before, after in pairs)


def _draws(plan: ArmPlan, arms: Mapping[Arm, ArmPlan]) -> tuple[int, ...]:
    """Returns, by case, the index of its own answer to its request in one arm.

    If only one arm sends the same request for several cases (because the prompt lost its variable, say), each case uses
    an answer of its own. A single answer would otherwise be the evidence for 60 cases. Cases that send the same
    requests in every arm are one cluster (``clusters_of``) and share their answers.
    """
    taken: dict[str | None, dict[tuple[str | None, ...], int]] = {}
    draws = []
    sent = zip(*(digests_of(arm.requests) for arm in arms.values()), strict=True)
    for digest, every in zip(digests_of(plan.requests), sent, strict=True):
        # Cases with the same combination of requests in all arms get the same number and share an answer.
        own = taken.setdefault(digest, {})
        draws.append(own.setdefault(every, len(own)))
    return tuple(draws)


_UNSCORED: dict[str, bool | dict[str, bool]] = {
    **dict.fromkeys(
        ("gate", "run", "budget", "prompt", "tests", "columns", "static", "template", "scorer", "tools", "production"),
        True,
    ),
    "judge": {"mode": True},
    "canary": True,
}
"""Settings of a lineage that the digest leaves out. They change no score, or what they give is digested itself:
requests, cases, the scorer, the evaluator."""


def _content_digest(
    arms: Mapping[Arm, ArmPlan],
    cases: Sequence[TestCase],
    gate: GateConfig,
    evaluator: Evaluator,
    config: LineageConfig,
) -> str:
    return digest_of(
        [
            {arm.value: [*digests_of(plan.requests)] for arm, plan in arms.items()},
            digest_of([case.model_dump(mode="json") for case in cases]),
            gate.model_dump(mode="json"),
            evaluator.version,
            [spec.model_dump(mode="json") for spec in evaluator.metrics],
            # Gate and tests are already in the digest. Run settings and paths don't change what is measured.
            canonical_json(config.model_dump(mode="json", exclude={**_UNSCORED, **_of_others(config)})).decode(),
        ]
    )


def _of_others(config: LineageConfig) -> dict[str, bool]:
    """Returns the settings of other use cases. Without them, digests from before they existed stay valid."""
    return {} if config.use_case == UseCase.AGENT else {"max_steps": True}


def _problem(code: ReasonCode, sentence: str) -> Reason:
    return Reason(code=code, status=VerdictStatus.ERROR, sentence=sentence)
