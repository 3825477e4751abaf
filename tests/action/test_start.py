"""The Action as a whole: the real engine, the real offline model, the real store, against our GitHub over HTTP."""

import io
import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from action.start import run_action
from tests.action.stage import ALL, Ran
from tests.action.test_outputs import parse_outputs
from tests.action.triage import BROKEN, CONFIG, FILES, PROMPT, REWORDED
from tests.fakes.github import Scene

pytestmark = pytest.mark.slow

READ = {"contents": "read", "pull_requests": "read", "statuses": "read", "actions": "read"}
TRIAGE = "prompts/triage.prompt.yml"


@pytest.fixture
def scene(github):
    repository = github.repository("acme/shop", mia="maintain", ada="write")
    repository.git.commit("main", FILES)
    return Scene(github, repository)


@pytest.fixture
def act(github, scene, stage):
    """Runs the Action as the runner would, but in this process."""

    def run(name, payload, permissions=ALL, **more):
        token = github.actions_token(scene.repository, **permissions)
        variables = stage.variables(name, payload, **{"INPUT_GITHUB-TOKEN": token, "PATH": "/usr/bin:/bin", **more})
        stream = io.StringIO()
        code = run_action(variables, stream)
        work = stage.folder / f"run-{stage.runs}"
        texts = {n: (work / n).read_text() if (work / n).exists() else "" for n in ("output", "summary")}
        return Ran(code, stream.getvalue(), parse_outputs(texts["output"]), texts["summary"])

    return run


def test_a_harmless_change_is_measured_and_published(act, scene, stage, github):
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request", event)
    assert (ran.code, stage.state(pull.head_sha)) == (0, "success"), ran.log
    assert int(ran.outputs["calls"]) > 0
    card = json.loads((stage.home / "prompt-verdict/scorecard.json").read_text())
    assert card["lineages"][0]["lineage"] == "triage"
    assert ran.outputs["report-html"].endswith("prompt-verdict/report.html")
    assert len(github.asked) <= 12


def test_a_broken_prompt_is_blocked_with_annotations(act, scene, stage):
    pull, event = scene.open_pull({TRIAGE: BROKEN})
    ran = act("pull_request", event)
    assert (ran.outputs["verdict"], stage.state(pull.head_sha)) == ("blocked", "failure"), ran.log
    assert f"::error file={TRIAGE},line=" in ran.log
    assert "blocked" in stage.comments[0]


def test_a_second_run_pays_nothing_and_says_the_same(act, scene, stage):
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    first = act("pull_request", event)
    again = act("pull_request", event)
    assert (again.outputs["calls"], again.outputs["verdict"]) == ("0", first.outputs["verdict"])
    assert stage.states(pull.head_sha) == ["pending", "success"] * 2


def test_a_later_pull_request_shows_how_the_last_ones_did(act, scene, stage):
    first, event = scene.open_pull({TRIAGE: REWORDED})
    act("pull_request", event)
    _, event = scene.open_pull({TRIAGE: BROKEN})
    act("pull_request", event)
    (card,) = json.loads((stage.home / "prompt-verdict/scorecard.json").read_text())["lineages"]
    assert [(point["number"], point["verdict"]) for point in card["trend"]] == [(first.number, "approved")]


def test_the_queue_reuses_what_the_pull_request_measured(act, scene, stage):
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    act("pull_request", event)
    store = stage.home / "prompt-verdict/outcomes.sqlite3"
    scene.artifact("prompt-verdict-1", {"outcomes.sqlite3": store.read_bytes()}, head_sha=pull.head_sha)
    store.unlink()
    scene.git.commit("main", {"README.md": "somebody else merged\n"})
    event = scene.queue(pull)
    ran = act("merge_group", event)
    assert (ran.outputs["calls"], stage.state(event["merge_group"]["head_sha"])) == ("0", "success"), ran.log


@pytest.mark.parametrize("left", [b"no database", None], ids=["damaged", "a newer version's"])
def test_a_store_that_the_cache_brings_and_nobody_can_read_is_begun_anew(act, scene, stage, left):
    home = stage.home / "prompt-verdict"
    home.mkdir(parents=True)
    store = home / "outcomes.sqlite3"
    if left is None:
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        store.write_bytes(left)
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request", event)
    assert (stage.state(pull.head_sha), "paid for again" in ran.log) == ("success", True), ran.log
    assert (home / "unreadable-outcomes.sqlite3").exists()
    assert act("pull_request", event).outputs["calls"] == "0"


def test_a_store_that_can_not_be_written_is_an_error_and_stays_where_it_is(act, scene, stage):
    home = stage.home / "prompt-verdict"
    (home / "outcomes.sqlite3").mkdir(parents=True)
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    act("pull_request", event)
    assert stage.state(pull.head_sha) == "error"
    assert (home / "outcomes.sqlite3").is_dir()


def test_nothing_to_evaluate_makes_no_call(act, scene, stage):
    pull, event = scene.open_pull({"README.md": "better\n"})
    ran = act("pull_request", event)
    assert (ran.outputs["verdict"], ran.outputs["calls"], stage.state(pull.head_sha)) == (
        "not_applicable",
        "0",
        "success",
    )
    assert stage.comments == []


def test_a_prompt_that_nobody_gates_is_named_in_a_comment(act, scene, stage):
    pull, event = scene.open_pull({"prompts/other.prompt.yml": PROMPT})
    act("pull_request", event)
    assert stage.state(pull.head_sha) == "success"
    assert ["1 warning" in comment for comment in stage.comments] == [True]


def test_the_pull_request_that_installs_us_passes_without_a_call(act, github, scene, stage):
    scene.git.commit("main", {"promptverdict.yaml": None, "prompts/triage.prompt.yml": PROMPT})
    workflow = {".github/workflows/prompt-verdict.yml": "on: pull_request\njobs: {}\n"}
    pull, event = scene.open_pull({"promptverdict.yaml": CONFIG, **workflow})
    ran = act("pull_request", event)
    assert (ran.outputs["calls"], stage.state(pull.head_sha)) == ("0", "success"), ran.log
    assert ["installs Prompt Verdict" in comment for comment in stage.comments] == [True]


def test_a_loosened_gate_needs_review_and_a_maintainer_clears_it_until_it_changes_again(act, scene, stage):
    looser = CONFIG + "gate: {margin: {overall: 0.4}}\n"
    pull, event = scene.open_pull({"promptverdict.yaml": looser, TRIAGE: REWORDED})
    assert act("pull_request", event).outputs["verdict"] == "needs_review"
    act("pull_request_review", scene.review(pull, "mia"))
    assert stage.state(pull.head_sha) == "success"
    act("pull_request", scene.push(pull, {"README.md": "unrelated\n"}))
    assert stage.state(pull.head_sha) == "success"
    act("pull_request", scene.push(pull, {"promptverdict.yaml": looser.replace("0.4", "0.9")}))
    assert stage.state(pull.head_sha) == "failure"


def test_an_edited_workflow_is_accepted_once_and_not_for_its_next_edit(act, scene, stage):
    calls_us = "on: pull_request\njobs: {verdict: {steps: [{uses: prompt-verdict/prompt-verdict@v1}]}}\n"
    path = ".github/workflows/verdict.yml"
    scene.git.commit("main", {path: calls_us})
    pull, event = scene.open_pull({path: calls_us + "# harmless\n", TRIAGE: REWORDED})
    assert act("pull_request", event).outputs["verdict"] == "needs_review"
    act("pull_request_review", scene.review(pull, "mia"))
    assert stage.state(pull.head_sha) == "success"
    act("pull_request", scene.push(pull, {path: calls_us + "# not so harmless\n"}))
    assert stage.state(pull.head_sha) == "failure"


def test_a_fork_is_planned_and_not_run_until_its_head_is_approved(act, scene, stage):
    fork, event = scene.open_pull({TRIAGE: REWORDED}, author="eve", fork="eve/shop")
    ran = act("pull_request", event, READ)
    assert (ran.code, ran.outputs["calls"], ran.outputs["verdict"]) == (5, "0", "needs_review"), ran.log
    assert fork.head_sha in ran.summary.replace("&#", "")
    ran = act("workflow_dispatch", scene.dispatch(pull_request="1", head_sha=fork.head_sha))
    assert (stage.state(fork.head_sha), ran.outputs["verdict"]) == ("success", "approved"), ran.log


def test_an_approved_fork_may_spend_a_quarter_of_the_cap(act, scene, stage):
    scene.git.commit("main", {"promptverdict.yaml": CONFIG + "budget: {per_run_usd: 8.00}\n"})
    fork, _ = scene.open_pull({TRIAGE: REWORDED}, author="eve", fork="eve/shop")
    act("workflow_dispatch", scene.dispatch(pull_request="1", head_sha=fork.head_sha))
    card = json.loads((stage.home / "prompt-verdict/scorecard.json").read_text())
    assert Decimal(card["spending"]["budget_usd"]) == 2
    _, event = scene.open_pull({TRIAGE: REWORDED}, branch="ours")
    act("pull_request", event)
    card = json.loads((stage.home / "prompt-verdict/scorecard.json").read_text())
    assert Decimal(card["spending"]["budget_usd"]) == 8


def test_a_broken_configuration_at_base_is_an_error_that_names_the_line(act, scene, stage):
    scene.git.commit("main", {"promptverdict.yaml": CONFIG.replace("labels", "lables")})
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request", event)
    assert stage.state(pull.head_sha) == "error"
    assert "promptverdict.yaml:" in ran.log


def test_secrets_are_masked_before_anything_is_said(act, scene):
    _, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request", event, ANTHROPIC_API_KEY="sk-ant-123456")
    first = ran.log.splitlines()
    assert first.index("::add-mask::sk-ant-123456") < next(
        n for n, line in enumerate(first) if "Prompt Verdict" in line
    )


def test_a_refusal_is_one_line(act, scene):
    _, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request_target", event)
    assert ran.code == 2
    assert ran.log.splitlines()[-1].startswith("::error title=Prompt Verdict::on: refusing to run")


def test_a_bug_of_ours_shows_no_command(act, scene, monkeypatch):
    _, event = scene.open_pull({TRIAGE: REWORDED})

    def broken(*_):
        raise RuntimeError("::set-output name=verdict::approved\n##[command]")

    monkeypatch.setattr("action.job.read_event", broken)
    ran = act("pull_request", event)
    assert ran.code == 3
    lines = [line for line in ran.log.splitlines() if not line.startswith(("::add-mask::", "::error title=Prompt"))]
    assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
