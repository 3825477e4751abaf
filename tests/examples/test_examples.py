"""The examples are what they claim to be, and readable by our own readers."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from demo.toy_model import answer
from engine.readers.config import read_config
from engine.readers.prompts import read_prompt
from engine.readers.testsets import read_test_set
from engine.readers.tools import read_tools
from evaluators.calibration import calibrate
from evaluators.expected_trajectory import tools_named_by
from evaluators.generation import RubricJudge
from schemas.prompts import Parameters
from schemas.rubrics import LabeledAnswer, Rubric
from schemas.testsets import Source

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = read_config("promptverdict.yaml", (EXAMPLES / "promptverdict.yaml").read_bytes())
BLOBS = {
    str(path.relative_to(EXAMPLES)): path.read_bytes()
    for path in EXAMPLES.rglob("*")
    if path.is_file() and path.suffix in {".yml", ".yaml", ".md", ".json", ".jsonl"}
}
LINEAGES = sorted(CONFIG.lineages)


def committed(lineage):
    path = CONFIG.lineages[lineage].tests
    return read_test_set(path, BLOBS[path])


@pytest.mark.parametrize(
    ("lineage", "least"), [("support-triage", 200), ("resume-match", 60), ("outreach-email", 60), ("support-agent", 50)]
)
def test_there_are_cases_enough_in_every_slice(lineage, least):
    cases = committed(lineage).cases
    assert len(cases) >= least
    shares = {name: count / len(cases) for name, count in Counter(case.slices[0] for case in cases).items()}
    for name, share in {"typical": 0.6, "edge": 0.2, "known_failure": 0.1, "adversarial": 0.1}.items():
        assert shares[name] == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("lineage", LINEAGES)
def test_every_case_says_where_it_came_from(lineage):
    cases = committed(lineage).cases
    assert all(case.source is not None for case in cases)
    assert {case.source for case in cases} == set(Source)
    assert any(case.protected for case in cases)


@pytest.mark.parametrize("lineage", LINEAGES)
def test_the_adversarial_cases_of_every_lineage_are_attacks(lineage):
    attacks = [case for case in committed(lineage).cases if "adversarial" in case.slices]
    assert len(attacks) >= 6
    if lineage != "resume-match":  # there the attack shows in the fields
        assert all(case.must_not for case in attacks)


def test_the_agent_is_tried_in_conversations_with_tools_that_exist():
    cases = committed("support-agent").cases
    tools = {tool["name"] for tool in read_tools("t", BLOBS[CONFIG.lineages["support-agent"].tools])}
    assert sum(bool(case.turns) for case in cases) >= 12
    assert {name for case in cases for name in tools_named_by(case)} == tools
    assert all(any(one.set for one in case.tool_results) for case in cases)


def test_the_labels_of_the_tickets_are_those_of_the_configuration():
    expected = Counter(case.expected for case in committed("support-triage").cases)
    assert set(expected) == set(CONFIG.lineages["support-triage"].labels)
    assert min(expected.values()) >= 45


@pytest.mark.parametrize("lineage", LINEAGES)
def test_every_version_of_a_prompt_reads_and_differs(lineage):
    steps = sorted(path for path in (EXAMPLES / "history" / lineage).iterdir())
    prompts = [read_prompt(str(path.relative_to(EXAMPLES)), BLOBS) for path in steps]
    assert [path.name.partition("-")[2].partition(".")[0] for path in steps] == [
        "naive", "format", "few-shot", "reasoning", "guardrails",
    ]  # fmt: skip
    assert len({prompt.digest for prompt in prompts}) == 5
    assert not [warning for prompt in prompts for warning in prompt.warnings]
    assert read_prompt(CONFIG.lineages[lineage].prompt, BLOBS).digest == prompts[-1].digest


def test_the_lineages_show_three_formats():
    formats = {read_prompt(lineage.prompt, BLOBS).format for lineage in CONFIG.lineages.values()}
    assert formats == {"github", "pair", "studio"}


@pytest.mark.parametrize("lineage", LINEAGES)
def test_every_prompt_runs_on_a_model_that_the_configuration_knows(lineage):
    assert read_prompt(CONFIG.lineages[lineage].prompt, BLOBS).model in CONFIG.models


async def test_the_judge_agrees_with_our_labels():
    lineage = CONFIG.lineages["outreach-email"]
    rubric = Rubric.model_validate(yaml.safe_load(BLOBS[lineage.rubric]))
    rows = [LabeledAnswer.model_validate_json(line) for line in BLOBS[lineage.judge.labels].splitlines()]
    assert len(rows) >= 60

    async def ask(request, repetition):
        return answer(request, repetition)

    judge = RubricJudge(rubric, [CONFIG.models[lineage.judge.model]], gates=True)
    found = await calibrate(judge, rows, ask)
    assert found.calibrated
    assert found.agreement > 0.7


def test_the_judge_of_the_examples_does_not_waver():
    assert CONFIG.models["judge"].parameters == Parameters(temperature=0)


def test_the_looser_gate_differs_in_one_line():
    ours = BLOBS["promptverdict.yaml"].splitlines()
    looser = BLOBS["pull-requests/looser-gate/promptverdict.yaml"].splitlines()
    changed = [(before, after) for before, after in zip(ours, looser, strict=True) if before != after]
    assert [(b"guard" in before, b"watch" in after) for before, after in changed] == [(True, True)]


@pytest.mark.parametrize("folder", sorted(path.name for path in (EXAMPLES / "pull-requests").iterdir()))
def test_a_pull_request_lays_files_over_those_of_the_repository(folder):
    root = EXAMPLES / "pull-requests" / folder
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert files
    assert all((EXAMPLES / path).is_file() for path in files)
    assert any((EXAMPLES / path).read_bytes() != (root / path).read_bytes() for path in files)
