"""What goes wrong at each request of a run: a surface that fails never changes the verdict, and no fault ends in a pass."""

import errno
import io
import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from action.exits import exit_of_error
from action.outputs import Runner
from schemas.errors import PromptVerdictError
from schemas.verdicts import VerdictStatus
from tests.action.stage import ALL, PROMPT
from tests.faults import Nth, moments, pairs

pytestmark = pytest.mark.slow

KINDS = {
    "403 permission": {"status": 403, "message": "Resource not accessible by integration", "headers": {"x-accepted-github-permissions": "statuses=write"}},
    "403 secondary limit": {"status": 403, "message": "You have exceeded a secondary rate limit", "headers": {"retry-after": "1"}},
    "404": {"status": 404, "message": "Not Found"},
    "422": {"status": 422, "message": "Validation Failed"},
    "429": {"status": 429, "message": "slow down", "headers": {"retry-after": "1"}},
    "500": {"status": 500},
    "lost answer": {"lost": True},
    "cut line": {"cut": True},
}  # fmt: skip
PASSING = ("403 secondary limit", "429", "500", "lost answer", "cut line")
"""What a repetition fixes."""
FILE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE)
FEW = ("403 permission", "404", "429", "500")
SURFACES = {
    "the status": ("POST", "/statuses/"),
    "finding the comment": ("GET", "/issues/1/comments$"),
    "making the comment": ("POST", "/comments$"),
    "updating the comment": ("PATCH", "/comments/"),
    "other pull requests of the head": ("GET", "/commits/[0-9a-f]+/pulls$"),
}
EVIDENCE = {
    "the pull request": ("GET", "/pulls/1$", 0),
    "the pull request once more": ("GET", "/pulls/1$", 1),
    "the commits": ("GIT", "git-upload-pack$", 0),
}


@pytest.fixture
def pull(scene):
    return scene.open_pull({PROMPT: "Sort the ticket badly.\n"})[0]


@pytest.fixture
def judged(stage, scene, pull):
    """Runs it with a verdict; exit code, the output “verdict”, the newest status, the log."""

    def run(status=VerdictStatus.BLOCKED):
        stage.script.status = status
        try:
            ran = stage.run("pull_request", scene.pull_event("opened", pull))
        except PromptVerdictError as error:  # action/start.py says it and sets the output
            return int(exit_of_error(error)), "error", stage.state(pull.head_sha), f"::error::{error}"
        return ran.code, ran.outputs["verdict"], stage.state(pull.head_sha), ran.log

    return run


@pytest.mark.parametrize(("where", "kind"), pairs(SURFACES, KINDS))
def test_a_surface_that_fails_for_good_leaves_the_verdict_and_a_gate(stage, github, judged, where, kind):
    method, path = SURFACES[where]
    github.fail(method, path, **KINDS[kind], times=999)
    code, verdict, state, log = judged()
    assert verdict == "blocked", log
    gated = state in ("failure", "error")
    assert code == (0 if gated else 1), log
    assert gated == (where != "the status" or kind == "lost answer")
    assert "::warning title=Prompt Verdict::" in log or kind == "lost answer"
    assert len(stage.comments) <= 1


@pytest.mark.parametrize(("where", "kind"), pairs(SURFACES, PASSING))
def test_a_fault_that_passes_leaves_no_trace(stage, github, scene, pull, judged, where, kind):
    method, path = SURFACES[where]
    github.fail(method, path, **KINDS[kind])
    code, verdict, _, log = judged(VerdictStatus.APPROVED)
    assert (code, verdict, stage.states(pull.head_sha)) == (0, "approved", ["pending", "success"])
    assert ["approved" in comment for comment in stage.comments] == [True]
    assert "::warning" not in log


@pytest.mark.parametrize(("where", "kind"), pairs(EVIDENCE, KINDS))
def test_without_evidence_there_is_an_error_and_never_a_pass(github, judged, where, kind):
    method, path, skip = EVIDENCE[where]
    github.fail(method, path, **KINDS[kind], times=999, skip=skip)
    code, verdict, state, log = judged(VerdictStatus.APPROVED)
    if where == "the commits" and kind == "lost answer":
        return  # the fake's git answers before the line is cut
    assert verdict == "error", log
    assert (code, state) == ((3, None) if where == "the pull request" else (0, "error")), log
    assert "::error" in log


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize(
    "path", ["/pulls/1/reviews$", "/collaborators/mia/permission$", "/commits/[0-9a-f]+/statuses$"]
)
def test_what_can_not_be_read_clears_nothing(stage, github, scene, pull, judged, path, kind):
    judged(VerdictStatus.NEEDS_REVIEW)
    event = scene.review(pull, "mia")
    github.fail("GET", path, **KINDS[kind], times=999)
    stage.run("pull_request_review", event)
    assert stage.state(pull.head_sha) == "failure"


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("path", ["/actions/artifacts$", "/zip$"])
def test_outcomes_that_can_not_be_fetched_cost_calls_only(stage, github, scene, pull, outcomes, path, kind):
    scene.artifact("prompt-verdict-1", {"outcomes.sqlite3": outcomes(3)}, head_sha=pull.head_sha)
    event = scene.queue(pull)
    github.fail("GET", path, **KINDS[kind], times=999)
    ran = stage.run("merge_group", event)
    assert (ran.outputs["verdict"], stage.state(event["merge_group"]["head_sha"])) == ("approved", "success")
    assert "can't be reused" in ran.log


@pytest.mark.parametrize("kind", ["403 permission", "500"])
def test_a_push_that_can_not_be_read_adopts_nothing_and_stays_green(stage, github, scene, pull, kind):
    event = scene.merge(pull)
    github.fail("GET", "/pulls$", **KINDS[kind], times=999)
    ran = stage.run("push", event)
    assert (ran.code, "no answers were kept" in ran.log) == (0, True)


def test_without_statuses_write_the_jobs_exit_code_is_the_gate_and_the_yaml_is_said_once(stage, scene, pull):
    stage.script.status = VerdictStatus.BLOCKED
    ran = stage.run("pull_request", scene.pull_event("opened", pull), {**ALL, "statuses": "read"})
    assert ran.code == 1
    assert ran.log.count("  statuses: write") == 1
    assert "this job's own result is the gate" in ran.log
    assert len(stage.comments) == 1


def test_without_permission_to_comment_the_verdict_is_the_same(stage, scene, pull):
    ran = stage.run("pull_request", scene.pull_event("opened", pull), {**ALL, "pull_requests": "read"})
    assert (ran.code, stage.state(pull.head_sha)) == (0, "success")
    assert "pull-requests: write" in ran.log


def test_a_locked_conversation_costs_the_comment_only(stage, scene, pull):
    pull.locked = True
    assert stage.run("pull_request", scene.pull_event("opened", pull)).code == 0
    assert (stage.state(pull.head_sha), stage.comments) == ("success", [])


# -- every request, in order


@pytest.fixture
def every_request(stage, github, scene):
    """Runs it with one fault planned and whoever asks next; what came of it."""

    github.writes_a_minute = 10**6

    def run(nth=None, way=None, times=1):
        branch = f"change-{len(scene.repository.pulls)}"
        pull, event = scene.open_pull({PROMPT: f"Sort the ticket badly, {branch}.\n"}, branch=branch)
        before = github.count() + len(github.git_requests)
        if way is not None:
            github.fail("*", "", **KINDS[way], times=times, skip=nth - 1)
        stage.script.status = VerdictStatus.BLOCKED
        try:
            ran = stage.run("pull_request", event)
            code, verdict, log = ran.code, ran.outputs["verdict"], ran.log
        except PromptVerdictError as error:  # action/start.py says it
            code, verdict, log = int(exit_of_error(error)), "error", f"::error::{error}"
        github.faults.clear()
        asked = github.count() + len(github.git_requests) - before
        comments = len(scene.repository.comments_of(pull.number))
        return code, verdict, stage.states(pull.head_sha), log, comments, asked

    return run


@pytest.mark.parametrize("times", [1, 999], ids=["once", "from then on"])
@pytest.mark.parametrize("way", KINDS)
def test_no_request_that_fails_lets_a_blocked_verdict_pass(every_request, way, times):
    code, verdict, states, _, _, asked = every_request()
    assert (code, verdict, states) == (0, "blocked", ["pending", "failure"])
    for nth in moments(asked, way, KINDS):
        code, verdict, states, log, comments, _ = every_request(nth, way, times)
        assert verdict in ("blocked", "error"), log
        assert "success" not in states
        assert code != 0 or states[-1] in ("failure", "error"), log  # green only where the status is the gate
        assert comments <= 1
        assert verdict == "blocked" or "::error" in log


# -- the machine


def full(folder, *names):
    """Folders where files would be written: what a full disk is to the writer."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)


def test_a_full_disk_costs_summary_outputs_and_reports_and_no_verdict(stage, scene, pull, tmp_path):
    stage.script.status = VerdictStatus.BLOCKED
    stage.home.mkdir()
    (stage.home / "prompt-verdict").write_text("in the way")
    full(tmp_path / "full", "output", "summary")
    places = {"GITHUB_OUTPUT": str(tmp_path / "full/output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "full/summary")}
    ran = stage.run("pull_request", scene.pull_event("opened", pull), **places)
    assert (ran.code, stage.state(pull.head_sha), len(stage.comments)) == (0, "failure", 1)
    for what in ("the reports", "the job summary", "the outputs"):
        assert len(re.findall(f"::warning title=Prompt Verdict::{what} can't be written", ran.log)) == 1


@pytest.mark.parametrize("number", FILE, ids=errno.errorcode.get)
def test_no_file_that_can_not_be_written_changes_a_verdict(stage, scene, monkeypatch, number):
    turn = Nth()

    def failing(real):
        def write(self, *given, **more):
            ours = self.is_relative_to(stage.home) or self.name in ("output", "summary")
            if ours and more.get("mode") != "r" and turn():
                raise OSError(number, os.strerror(number), str(self))
            return real(self, *given, **more)

        return write

    for name in ("open", "mkdir"):
        monkeypatch.setattr(Path, name, failing(getattr(Path, name)))

    def judged(nth):
        nonlocal turn
        pull, event = scene.open_pull({PROMPT: f"Sort the ticket badly, {nth}.\n"}, branch=f"change-{nth}")
        stage.script.status = VerdictStatus.BLOCKED
        turn = Nth(nth)
        ran = stage.run("pull_request", event)
        assert (ran.code, stage.states(pull.head_sha)) == (0, ["pending", "failure"])
        return ran.log

    (stage.home / "prompt-verdict").mkdir(parents=True)  # as in every run but the first
    judged(0)
    count = turn.count
    assert count >= 6
    for nth in moments(count, number, FILE):
        log = judged(nth)
        assert os.strerror(number) in log or not turn.came


def test_a_full_disk_is_said_without_a_path_from_anybody(tmp_path):
    stream = io.StringIO()
    full(tmp_path, "output")
    Runner(stream, str(tmp_path / "output"), None).outputs({"verdict": "approved"})
    assert stream.getvalue() == "::warning title=Prompt Verdict::the outputs can't be written: Is a directory\n"


@pytest.mark.parametrize(
    ("failure", "said"),
    [(OSError(28, "No space left on device"), "No space left"), (RuntimeError("x"), "a bug"), (KeyboardInterrupt(), "cancelled")],
)  # fmt: skip
def test_whatever_stops_a_run_no_check_stays_pending(stage, scene, pull, failure, said):
    def stop():
        raise failure

    stage.script.during.append(stop)
    with suppress(RuntimeError, KeyboardInterrupt):
        assert stage.run("pull_request", scene.pull_event("opened", pull)).outputs["verdict"] == "error"
    assert stage.states(pull.head_sha) == ["pending", "error"]
    assert said in scene.repository.statuses_of(pull.head_sha)[0]["description"]
