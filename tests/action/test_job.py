"""Each event from its JSON to what stands on GitHub afterwards."""

import html
from pathlib import Path

import pytest

from engine.render.encode import entities
from schemas.config import CommentPolicy
from schemas.errors import UsageError
from schemas.verdicts import VerdictStatus
from tests.action.stage import GATE, PROMPT
from tests.render.scorecards import triage

PAGE = Path(__file__).parents[2] / "docs" / "action.md"
BETTER = {PROMPT: "Sort the ticket well.\n"}


@pytest.fixture
def pull(scene):
    return scene.open_pull(BETTER)[0]


def opened(scene, pull):
    return scene.pull_event("opened", pull)


def test_a_pull_request_gets_a_pending_status_a_comment_and_its_verdict(stage, scene, pull):
    ran = stage.run("pull_request", opened(scene, pull))
    assert stage.states(pull.head_sha) == ["pending", "success"]
    (comment,) = stage.comments
    assert comment.startswith(f"<!-- prompt-verdict {pull.head_sha} -->\n## ✅ Prompt Verdict: approved")
    assert (ran.code, ran.outputs["verdict"], ran.outputs["calls"]) == (0, "approved", "40")
    assert ran.outputs["comment-url"].endswith(f"#issuecomment-{scene.repository.comments[0]['id']}")
    assert "approved" in ran.summary
    assert "0 of 40 calls" in ran.log


def test_a_run_that_ends_in_one_comment_and_one_status_takes_the_requests_that_the_page_says(
    stage, scene, github, pull
):
    stage.run("pull_request", opened(scene, pull))
    assert len(github.asked) == 12
    assert "takes 12 requests" in PAGE.read_text()
    bodies = [a.body["body"] for a in github.asked if a.method in ("POST", "PATCH") and "comments" in a.path]
    assert len(bodies) == 2


def test_a_clearing_run_too(stage, scene, github, pull):
    stage.script.status = VerdictStatus.NEEDS_REVIEW
    stage.run("pull_request", opened(scene, pull))
    event = scene.review(pull, "mia")
    before = len(github.asked)
    stage.run("pull_request_review", event)
    assert stage.state(pull.head_sha) == "success"
    assert len(github.asked) - before == 17
    assert "17 with a review that clears it" in PAGE.read_text()


@pytest.mark.parametrize(
    ("status", "state"),
    [("blocked", "failure"), ("needs_review", "failure"), ("error", "error"), ("inconclusive", "success")],
)  # fmt: skip
def test_each_verdict_has_its_status_and_the_job_stays_green_beside_it(stage, scene, pull, status, state):
    stage.script.status = VerdictStatus(status)
    assert stage.run("pull_request", opened(scene, pull)).code == 0
    assert stage.state(pull.head_sha) == state


@pytest.mark.parametrize(
    ("required", "says"),
    [
        ([], "main merges without the status prompt-verdict. It requires no check."),
        (["Prompt Verdict / measure", "lint"], "It requires Prompt Verdict / measure, lint, and a required job"),
        (["prompt-verdict", "lint"], ""),
    ],
)
def test_a_branch_that_merges_without_the_status_is_named_in_log_and_summary(stage, scene, pull, required, says):
    scene.repository.required_checks["main"] = [{"context": name} for name in required]
    stage.script.status = VerdictStatus.BLOCKED
    ran = stage.run("pull_request", opened(scene, pull))
    assert (ran.code, stage.state(pull.head_sha)) == (0, "failure")
    assert (says in ran.log, says in html.unescape(ran.summary), "merges without" in ran.log) == (
        True,
        True,
        bool(says),
    )


def test_nothing_to_evaluate_is_a_success_under_the_same_name_without_a_call(stage, scene):
    pull, event = scene.open_pull({"README.md": "better\n"})
    ran = stage.run("pull_request", event)
    assert stage.state(pull.head_sha) == "success"
    assert (ran.outputs["verdict"], stage.script.paid) == ("not_applicable", 0)


def test_a_second_push_updates_and_never_adds(stage, scene, pull):
    stage.run("pull_request", opened(scene, pull))
    first = pull.head_sha
    stage.script.status = VerdictStatus.BLOCKED
    stage.run("pull_request", scene.push(pull, {PROMPT: "Sort badly.\n"}))
    assert len(stage.comments) == 1
    assert "blocked" in stage.comments[0]
    assert (stage.state(first), stage.state(pull.head_sha)) == ("success", "failure")


def test_the_comment_links_to_the_lines_in_the_repository(stage, scene, pull):
    stage.script.status, stage.script.lineages = VerdictStatus.BLOCKED, (triage(),)
    ran = stage.run("pull_request", opened(scene, pull))
    home = entities(f"{stage.github.server_url}/acme/shop/blob/")
    for text in (stage.comments[0], ran.summary):
        assert f'<a href="{home}{pull.base_sha}&#47;tests&#47;triage&#46;jsonl&#63;plain&#61;1&#35;L191">' in text
        assert (
            f'<a href="{home}{pull.head_sha}&#47;prompts&#47;triage&#46;prompt&#46;yml&#63;plain&#61;1&#35;L5">' in text
        )
        assert "verdict approve" not in text  # there is no bot to tell


def test_a_deleted_comment_comes_back(stage, scene, pull):
    stage.run("pull_request", opened(scene, pull))
    scene.repository.comments.clear()
    stage.run("pull_request", opened(scene, pull))
    assert len(stage.comments) == 1


def test_a_comment_deleted_during_the_run_comes_back(stage, scene, pull):
    stage.script.during.append(scene.repository.comments.clear)
    stage.run("pull_request", opened(scene, pull))
    assert len(stage.comments) == 1


def test_ours_is_found_behind_250_foreign_comments_and_a_spoofed_marker_is_not(stage, scene, pull):
    scene.comment(pull.number, "eve", f"<!-- prompt-verdict {pull.head_sha} -->\n## ✅ approved")
    for n in range(250):
        scene.comment(pull.number, "ada", f"remark {n}")
    stage.run("pull_request", opened(scene, pull))
    stage.run("pull_request", opened(scene, pull))
    assert len(stage.comments) == 1
    assert scene.repository.comments[0]["body"].endswith("## ✅ approved")


@pytest.mark.parametrize(
    ("policy", "status", "count"),
    [("off", "blocked", 0), ("failures", "approved", 0), ("failures", "blocked", 1), ("changes", "approved", 1), ("always", "approved", 1)],
)  # fmt: skip
def test_when_a_comment_is_written(stage, scene, pull, policy, status, count):
    stage.script.comment, stage.script.status = CommentPolicy(policy), VerdictStatus(status)
    stage.run("pull_request", opened(scene, pull))
    assert len(stage.comments) == count


def test_under_changes_only_pull_requests_that_change_a_lineage_are_commented(stage, scene):
    stage.script.comment = CommentPolicy.CHANGES
    _, event = scene.open_pull({"README.md": "better\n"})
    stage.run("pull_request", event)
    assert stage.comments == []


def test_under_changes_a_comment_that_stands_is_brought_up_to_date(stage, scene, pull):
    stage.script.comment = CommentPolicy.CHANGES
    stage.run("pull_request", opened(scene, pull))
    stage.run("pull_request", scene.push(pull, {PROMPT: "Sort the ticket.\n"}))
    assert ["nothing to evaluate" in c for c in stage.comments] == [True]


def test_an_old_verdict_never_stands_as_if_current(stage, scene, pull):
    stage.script.comment = CommentPolicy.FAILURES
    stage.script.status = VerdictStatus.BLOCKED
    stage.run("pull_request", opened(scene, pull))
    stage.script.status = VerdictStatus.APPROVED
    stage.run("pull_request", scene.push(pull, {PROMPT: "Better still.\n"}))
    assert ["approved" in c for c in stage.comments] == [True]


def test_the_event_of_an_old_head_does_nothing(stage, scene, github, pull):
    event = opened(scene, pull)
    scene.push(pull, {PROMPT: "newer\n"})
    ran = stage.run("pull_request", event)
    assert (ran.code, github.count("POST"), stage.script.paid) == (3, 0, 0)


def test_a_closed_pull_request_gets_no_green_job_without_a_verdict(stage, scene, github, pull):
    event = opened(scene, pull)
    pull.state = "closed"
    assert (stage.run("pull_request", event).code, github.count("POST")) == (3, 0)


def test_a_push_during_the_run_leaves_nothing_of_the_old_head_as_current(stage, scene, pull):
    old = pull.head_sha
    stage.script.during.append(lambda: scene.push(pull, {PROMPT: "newer\n"}))
    stage.run("pull_request", opened(scene, pull))
    assert stage.states(old) == ["pending"]
    assert "approved" not in stage.comments[0]


def test_a_retargeted_base_starts_again(stage, scene, pull):
    stage.run("pull_request", opened(scene, pull))
    scene.git.commit("release", {PROMPT: "Something else.\n"}, parents=(scene.git.resolve("main"),))
    stage.run("pull_request", scene.retarget(pull, "release"))
    assert stage.states(pull.head_sha) == ["pending", "success"] * 2
    assert stage.script.paid == 40  # the content is the same, so nothing is paid twice


@pytest.mark.parametrize("base", ["lax", "ada/own"])
def test_a_base_that_no_ruleset_guards_is_named_and_its_success_is_nobody_elses(stage, scene, github, base):
    scene.git.commit(base, {"README.md": "lax\n"}, parents=(scene.git.resolve("main"),))
    pull, event = scene.open_pull(BETTER, base=base, branch="other")
    assert stage.run("pull_request", event).code == 0
    newest = scene.repository.statuses_of(pull.head_sha)[0]
    assert (newest["context"], newest["state"]) == (f"prompt-verdict ({base})", "success")
    assert stage.state(pull.head_sha) is None
    assert stage.run("pull_request", renamed(scene, pull)).code == 0
    stage.run("pull_request", scene.retarget(pull, "main"))
    assert stage.states(pull.head_sha) == ["pending", "success"]


@pytest.mark.parametrize(("base", "counts"), [("main", False), ("release", True), ("lax", False)])
def test_a_base_whose_success_counts_for_the_default_branch_is_compared_with_it(stage, scene, base, counts):
    main = scene.git.resolve("main")
    if base != "main":
        scene.git.commit(base, {"README.md": "x\n"}, parents=(main,))
    pull, event = scene.open_pull(BETTER, base=base, branch="other")
    stage.run("pull_request", event)
    event = scene.queue(pull)
    stage.run("merge_group", event)
    assert stage.script.defaults == [main if counts else None] * 2
    (*_, newest) = (one["context"] for one in scene.repository.statuses_of(event["merge_group"]["head_sha"]))
    assert newest == ("prompt-verdict (lax)" if base == "lax" else "prompt-verdict")


def test_a_base_whose_rules_can_not_be_read_is_named(stage, scene, github):
    scene.git.commit("release", {"README.md": "x\n"}, parents=(scene.git.resolve("main"),))
    pull, event = scene.open_pull(BETTER, base="release", branch="other")
    github.fail("GET", "rules/branches", status=403, message="Resource not accessible by integration")
    stage.run("pull_request", event)
    assert stage.state(pull.head_sha) is None


@pytest.mark.parametrize(
    "moved", [{GATE: "version: 1 # stricter\n"}, {"tests/triage.jsonl": "{}\n"}, {"README.md": "x\n"}]
)
def test_what_judges_is_the_tip_of_base_and_not_where_it_was_when_the_pull_request_was_opened(
    stage, scene, pull, moved
):
    stage.run("pull_request", opened(scene, pull))
    tip = scene.git.commit("main", moved)
    stage.run("pull_request", scene.push(pull, {"src/new.py": "x = 1\n"}))
    assert stage.script.bases[-1] == tip != stage.script.bases[0]


def renamed(scene, pull):
    return scene.pull_event("edited", pull, changes={"title": {"from": "x"}})


def remarked(scene, pull):
    return scene.review(pull, "mia", "COMMENTED")


BESIDE = pytest.mark.parametrize(("name", "event"), [("pull_request", renamed), ("pull_request_review", remarked)])


@BESIDE
def test_a_renamed_title_and_a_remark_are_not_worth_a_run(stage, scene, github, pull, name, event):
    stage.run("pull_request", opened(scene, pull))
    before = len(github.asked)
    ran = stage.run(name, event(scene, pull))
    assert (ran.code, len(github.asked) - before, stage.states(pull.head_sha)) == (0, 1, ["pending", "success"])


@BESIDE
def test_where_the_job_is_the_gate_neither_turns_it_green(stage, scene, pull, name, event):
    stage.script.status = VerdictStatus.BLOCKED
    assert stage.run("pull_request", opened(scene, pull), INPUT_STATUS="false").code == 1
    assert stage.run(name, event(scene, pull), INPUT_STATUS="false").code == 1
    assert stage.script.paid == 40


class TestForks:
    @pytest.fixture
    def fork(self, scene):
        return scene.open_pull(BETTER, author="eve", fork="eve/shop")[0]

    READ = {"contents": "read", "pull_requests": "read", "statuses": "read"}

    def test_a_fork_never_causes_a_call_and_fails_closed_with_an_explanation(self, stage, scene, fork):
        ran = stage.run("pull_request", opened(scene, fork), self.READ)
        assert (ran.code, stage.script.paid) == (5, 0)
        assert "is read-only" in ran.log
        assert "permissions:" not in ran.log
        assert ran.outputs["verdict"] == "needs_review"

    def test_an_approving_review_is_no_approval_of_a_run(self, stage, scene, github, fork):
        stage.run("pull_request", opened(scene, fork))
        assert (len(stage.comments), github.count("PATCH")) == (1, 0)  # nothing runs, so “running” is never said
        stage.run("pull_request_review", scene.review(fork, "mia"))
        assert (stage.state(fork.head_sha), stage.script.paid) == ("failure", 0)

    def test_a_maintainers_dispatch_with_its_full_sha_runs_it(self, stage, scene, fork):
        stage.run("workflow_dispatch", scene.dispatch(pull_request=str(fork.number), head_sha=fork.head_sha))
        assert (stage.state(fork.head_sha), stage.script.paid) == ("success", 40)

    def test_renaming_its_title_does_not_turn_the_job_green(self, stage, scene, fork):
        assert stage.run("pull_request", opened(scene, fork), self.READ).code == 5
        assert stage.run("pull_request", renamed(scene, fork), self.READ).code == 5

    def test_a_review_from_before_the_run_accepts_nothing_that_the_run_finds(self, stage, scene, fork):
        stage.run("workflow_dispatch", scene.dispatch(pull_request=str(fork.number)))
        scene.review(fork, "mia")
        stage.script.status = VerdictStatus.NEEDS_REVIEW
        stage.run("workflow_dispatch", scene.dispatch(pull_request=str(fork.number), head_sha=fork.head_sha))
        assert stage.state(fork.head_sha) == "failure"

    def test_a_dispatch_without_the_sha_stays_static(self, stage, scene, fork):
        stage.run("workflow_dispatch", scene.dispatch(pull_request=str(fork.number)))
        assert (stage.state(fork.head_sha), stage.script.paid) == ("failure", 0)

    def test_a_moved_head_refuses(self, stage, scene, fork):
        seen = fork.head_sha
        scene.push(fork, {PROMPT: "Ignore everything.\n"})
        with pytest.raises(UsageError, match="is no longer"):
            stage.run("workflow_dispatch", scene.dispatch(pull_request=str(fork.number), head_sha=seen))
        assert stage.script.paid == 0

    def test_a_fork_that_touches_no_prompt_is_not_held_up(self, stage, scene):
        _, event = scene.open_pull({"README.md": "typo\n"}, author="eve", fork="eve/shop")
        assert stage.run("pull_request", event, self.READ).code == 0


class TestClearing:
    @pytest.fixture(autouse=True)
    def needs_review(self, stage, scene, pull):
        stage.script.status = VerdictStatus.NEEDS_REVIEW
        stage.run("pull_request", opened(scene, pull))
        assert stage.state(pull.head_sha) == "failure"

    @pytest.mark.parametrize("who", ["ada", "rob", "nobody"])
    def test_the_author_and_readers_clear_nothing(self, stage, scene, pull, who):
        stage.run("pull_request_review", scene.review(pull, who))
        assert stage.state(pull.head_sha) == "failure"

    @pytest.mark.parametrize(
        ("how", "reviewers", "state"),
        [
            ({"by": "mia"}, ["mia"], "failure"),
            ({"wrote": "x <1+mia@users.noreply.github.com>"}, ["mia"], "failure"),
            ({"by": "mia"}, ["mia", "max"], "success"),
            ({"by": "dependabot[bot]"}, ["mia"], "failure"),
            ({"by": "dependabot[bot]"}, ["mia", "max"], "success"),
        ],
    )
    def test_people_with_a_part_in_the_head_clear_nothing(self, stage, scene, pull, how, reviewers, state):
        stage.run("pull_request", scene.push(pull, {PROMPT: "Another.\n"}, **how))
        for reviewer in reviewers:
            stage.run("pull_request_review", scene.review(pull, reviewer))
        assert stage.state(pull.head_sha) == state

    def test_a_maintainer_clears_and_is_named(self, stage, scene, pull):
        stage.run("pull_request_review", scene.review(pull, "mia"))
        assert stage.state(pull.head_sha) == "success"
        assert "accepted by mia" in stage.comments[0]
        assert stage.script.paid == 40

    def test_it_survives_an_unrelated_push(self, stage, scene, pull):
        stage.run("pull_request_review", scene.review(pull, "mia"))
        stage.run("pull_request", scene.push(pull, {"README.md": "unrelated\n"}))
        assert stage.state(pull.head_sha) == "success"

    def test_it_dies_with_the_next_change_that_matters(self, stage, scene, pull):
        stage.run("pull_request_review", scene.review(pull, "mia"))
        stage.run("pull_request", scene.push(pull, {GATE: "version: 1 # looser still\n"}))
        assert stage.state(pull.head_sha) == "failure"

    def test_it_dies_with_a_base_that_has_another_policy(self, stage, scene, pull):
        stage.run("pull_request_review", scene.review(pull, "mia"))
        scene.git.commit("release", {GATE: "version: 1 # stricter\n"}, parents=(scene.git.resolve("main"),))
        stage.run("pull_request", scene.retarget(pull, "release"))
        assert stage.state(pull.head_sha) == "failure"

    def test_an_approval_of_another_pull_request_with_the_same_head_counts_for_that_one_only(self, stage, scene, pull):
        other, _ = scene.open_pull({}, branch="other")
        other.head_sha = pull.head_sha
        scene.review(other, "mia")
        stage.run("pull_request", scene.pull_event("opened", other))
        assert stage.state(pull.head_sha) == "failure"

    def test_a_dismissed_review_takes_it_back(self, stage, scene, pull):
        event = scene.review(pull, "mia")
        stage.run("pull_request_review", event)
        scene.repository.reviews[-1]["state"] = "DISMISSED"
        stage.run("pull_request_review", {**event, "action": "dismissed"})
        assert stage.state(pull.head_sha) == "failure"

    def test_an_approval_from_before_the_verdict_accepts_nothing(self, stage, scene, pull):
        event = scene.push(pull, {PROMPT: "Yet another.\n"})
        scene.review(pull, "mia")
        scene.repository.reviews[-1]["submitted_at"] = "2020-01-01T00:00:00Z"
        stage.run("pull_request", event)
        assert stage.state(pull.head_sha) == "failure"

    def test_blocked_is_not_cleared_by_a_review(self, stage, scene, pull):
        stage.script.status = VerdictStatus.BLOCKED
        stage.run("pull_request_review", scene.review(pull, "mia"))
        assert stage.state(pull.head_sha) == "failure"

    def test_it_holds_in_the_merge_queue(self, stage, scene, pull):
        stage.run("pull_request_review", scene.review(pull, "mia"))
        event = scene.queue(pull)
        stage.run("merge_group", event)
        assert stage.state(event["merge_group"]["head_sha"]) == "success"


def test_a_dispatch_overwrites_the_status_and_the_comment(stage, scene, pull):
    stage.script.status = VerdictStatus.ERROR
    stage.run("pull_request", opened(scene, pull))
    stage.script.status = VerdictStatus.APPROVED
    stage.run("workflow_dispatch", scene.dispatch(pull_request=str(pull.number)))
    assert stage.states(pull.head_sha)[-1] == "success"
    assert ["approved" in c for c in stage.comments] == [True]


def test_two_commits_by_name_are_measured_and_set_no_status(stage, scene, github, pull):
    stage.script.status = VerdictStatus.BLOCKED
    ran = stage.run("workflow_dispatch", scene.dispatch(base="main", head="change"))
    assert (ran.code, ran.outputs["verdict"]) == (1, "blocked")
    assert (github.count("POST"), scene.repository.statuses) == (0, [])


def test_the_status_can_be_switched_off(stage, scene, pull):
    stage.script.status = VerdictStatus.BLOCKED
    ran = stage.run("pull_request", opened(scene, pull), INPUT_STATUS="false")
    assert (ran.code, scene.repository.statuses) == (1, [])


@pytest.mark.parametrize("name", ["pull_request_target", "workflow_run", "issue_comment"])
def test_events_that_would_hand_out_secrets_are_refused(stage, scene, github, pull, name):
    with pytest.raises(UsageError):
        stage.run(name, opened(scene, pull))
    assert github.asked == []
