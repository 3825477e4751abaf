"""A staged pull request of the examples, decided without git and without a store: for measuring over many seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

from demo.toy_model import answer
from engine.doubts.form_drift import form_drift
from engine.gate.cells import Batch, Observations
from engine.gate.decision import Decision
from engine.gate.design import design
from engine.gate.protocol import protocol
from engine.planning.call_cost import neutral
from engine.readers.config import read_config
from engine.readers.dialects import fill_in
from engine.readers.prompts.registry import read_prompt
from engine.readers.testsets import read_test_set
from engine.readers.tools import read_tools
from engine.records.replay import converse
from engine.runner.conversation import follow_up, summed
from evaluators.registry import evaluator_for
from schemas.config import Config, LineageConfig
from schemas.outcomes import Arm, Cell, Completion, Outcome, Score
from schemas.ports import Evaluator, RenderJob
from schemas.pricing import Price
from schemas.prompts import PromptFile, Request
from schemas.rubrics import Rubric
from schemas.testsets import TestCase
from schemas.use_cases import UseCase
from schemas.values import digest_of
from schemas.verdicts import Reason

EXAMPLES = Path(__file__).parent.parent / "examples"


def blobs(pull_request: str | None = None) -> Mapping[str, bytes]:
    """Returns the files of the examples, overlaid with those of a pull request."""
    folders = [EXAMPLES] if pull_request is None else [EXAMPLES, EXAMPLES / "pull-requests" / pull_request]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Staged:
    """One lineage of one pull request, ready to be decided."""

    def __init__(self, pull_request: str, lineage: str) -> None:
        self.config: Config = read_config("promptverdict.yaml", blobs()["promptverdict.yaml"])
        self.lineage: LineageConfig = self.config.lineages[lineage]
        assert self.lineage.tests
        self.outcomes: list[Outcome] = []
        """The results of the cells of the latest decision."""
        self.cases: tuple[TestCase, ...] = read_test_set(self.lineage.tests, blobs()[self.lineage.tests]).cases
        self.prompts: tuple[PromptFile, PromptFile] = (self._prompt(blobs()), self._prompt(blobs(pull_request)))

    def _prompt(self, files: Mapping[str, bytes]) -> PromptFile:
        prompt, tools = read_prompt(self.lineage.prompt, files), self.lineage.tools
        if tools is None:
            return prompt
        parameters = prompt.parameters.model_copy(update={"tools": read_tools(tools, files[tools])})
        return prompt.model_copy(update={"parameters": parameters})

    @cached_property
    def _prices(self) -> dict[str, Price]:
        return {model.model: model.price for model in self.config.models.values() if model.price is not None}

    @cached_property
    def evaluator(self) -> Evaluator:
        """Returns the evaluator of the base's configuration. A judge counts as calibrated."""
        judges = [self.config.models[name] for name in self.lineage.judge.models] if self.lineage.judge else []
        rubric = None
        if self.lineage.rubric:
            rubric = Rubric.model_validate(yaml.safe_load(blobs()[self.lineage.rubric]))
        return evaluator_for(self.lineage, self.prompts[0], rubric, judges, cases=self.cases, calibrated=True)

    def requests(self, seed: int) -> tuple[list[Request], list[Request]]:
        """Returns the calls of both arms. The seed is a parameter of each, so every seed is an independent draw."""
        arms = []
        for prompt in self.prompts:
            model = self.config.models[prompt.model or "offline-large"]
            rows = []
            for case in self.cases:
                messages = fill_in(RenderJob(dialect=prompt.dialect, messages=prompt.messages, variables=case.inputs))
                assert isinstance(messages, tuple), messages
                rows.append(
                    Request(
                        provider="offline",
                        origin="offline:",
                        model=model.model,
                        messages=messages,
                        parameters=prompt.parameters.model_copy(update={"seed": seed}),
                    )
                )
            arms.append(rows)
        return arms[0], arms[1]

    def decide(self, seed: int, flips: int = 9_999) -> Decision:
        """Returns the gate's decision for this ``seed``."""
        self.outcomes = []
        arms = self.requests(seed)
        plan = design(
            [case.id for case in self.cases],
            [case.slices for case in self.cases],
            clusters=[case.cluster for case in self.cases],
            protected=[case.protected for case in self.cases],
            metrics=self.evaluator.metrics,
            identical=[one.digest == other.digest for one, other in zip(*arms, strict=True)],
            gate=self.lineage.gate or self.config.gate,
            digest=digest_of([request.digest for arm in arms for request in arm]),
            flips=flips,
        )
        return converse(protocol(plan), lambda batch: asyncio.run(self._observe(arms, batch)))

    def drift(self) -> tuple[Reason, ...]:
        """Returns the form drift of the latest decision's answers."""
        return form_drift(self.cases, self.outcomes, self.lineage.labels)

    async def _observe(self, arms: tuple[list[Request], list[Request]], batch: Batch) -> Observations:
        rows: list[tuple[list[float], Completion]] = []
        for case, arm, repetition in zip(batch.cases, batch.arms, batch.repetitions, strict=True):
            scores, completion = await self.cell(arms[arm][case], self.cases[case], int(repetition))
            rows.append((scores, completion))
            cell = Cell(case=int(case), arm=tuple(Arm)[arm], repetition=int(repetition))
            self.outcomes.append(Outcome(cell=cell, result=completion))
        table, completions = [row[0] for row in rows], [row[1] for row in rows]
        costs = [float(neutral(each.usage, self._prices[each.model])) for each in completions]
        return Observations(
            scores=np.array(table, dtype=np.float64).reshape(len(rows), len(self.evaluator.metrics)),
            missing=np.zeros(len(rows), dtype=np.bool_),
            forbidden=np.zeros(len(rows), dtype=np.bool_),
            input_tokens=np.array([each.usage.input for each in completions], dtype=np.float64),
            output_tokens=np.array([each.usage.output for each in completions], dtype=np.float64),
            cost_usd=np.array(costs),
            latency_s=np.array([each.latency_s for each in completions]),
            made_at=np.zeros(len(rows)),
        )

    async def cell(self, request: Request, case: TestCase, repetition: int) -> tuple[list[float], Completion]:
        """Returns the scores of one answer, and the answer."""
        completion = self._answered(request, case, repetition)

        async def ask(question: Request, call: int) -> Completion:
            graded = answer(question, call)
            assert isinstance(graded, Completion), graded
            return graded

        found = await self.evaluator.score(case, completion, ask=ask, repetition=repetition)
        return [score.value if isinstance(score, Score) else float("nan") for score in found], completion

    def _answered(self, request: Request, case: TestCase, repetition: int) -> Completion:
        """Returns the answer to a request: that of one call, or of an agent's whole conversation."""
        answers = []
        while True:
            completion = answer(request, repetition)
            assert isinstance(completion, Completion), completion
            if self.lineage.use_case != UseCase.AGENT:
                return completion
            answers.append(completion)
            following = follow_up(request, completion, case, self.lineage.max_steps)
            if not isinstance(following, Request):
                return summed(answers, following)
            request = following
