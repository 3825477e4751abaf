"""The staged pull requests deserve their verdicts, whatever the seed. `python -m benchmarks.rewording --all` measures it at length."""

import asyncio

import pytest
import yaml

from benchmarks.rewording import OTHERS, REWORDING
from benchmarks.staged import EXAMPLES, Staged
from demo.toy_model import answer
from schemas.verdicts import VerdictStatus

pytestmark = pytest.mark.slow

STORIES = {story["name"]: story for story in yaml.safe_load((EXAMPLES / "pull-requests.yaml").read_text())}
SEEDS = {"cheaper-model": 1}
NOT_CERTAIN = {("trusting-triage", 1): VerdictStatus.NEEDS_REVIEW}
"""With this seed 3 of the 21 adversarial cases break for good: a person should look."""


def test_every_story_is_measured():
    assert {name for name, _ in (REWORDING, *OTHERS)} == set(STORIES)


@pytest.mark.parametrize(("name", "lineage"), [REWORDING, *OTHERS])
def test_the_prompt_alone_earns_the_verdict(name, lineage):
    story, staged = STORIES[name], Staged(name, lineage)
    # who loosens the gate is held up by the policy; the prompt beside it is harmless
    expected, because = (
        (VerdictStatus.APPROVED, "no_drop") if name == "looser-gate" else (story["expect"], story["because"])
    )
    for seed in range(SEEDS.get(name, 3)):
        decision = staged.decide(seed, flips=999)
        assert decision.status == NOT_CERTAIN.get((name, seed), expected)
        reason = next(reason for reason in decision.reasons if reason.status == decision.status)
        assert (reason.code, reason.slice) == (because, story.get("slice"))


def mean_by_slice(name, arm):
    staged = Staged(name, "support-triage")

    async def scored():
        found = {}
        for case, request in zip(staged.cases, staged.requests(seed=1)[arm], strict=True):
            for repetition in range(4):
                scores, _ = await staged.cell(request, case, repetition)
                found.setdefault(case.slices[0], []).append(scores[0])
                found.setdefault("all", []).append(scores[0])
        return {name: sum(scores) / len(scores) for name, scores in found.items()}

    return asyncio.run(scored())


def test_the_average_rises_while_the_adversarial_slice_falls():
    before, after = mean_by_slice("trusting-triage", 0), mean_by_slice("trusting-triage", 1)
    assert after["all"] > before["all"]
    assert after["adversarial"] < before["adversarial"] - 0.15


def test_identical_runs_differ_in_a_few_cases_only():
    """The flip rate that the gate's planning counts on: 2-15% of cases, at the temperature of the examples."""
    staged = Staged("reworded-triage", "support-triage")
    flips = [answer(r, 0).text != answer(r, 1).text for r in staged.requests(seed=3)[0]]
    assert 0.02 < sum(flips) / len(flips) < 0.15
