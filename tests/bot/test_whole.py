"""A webhook comes in, a verdict stands on GitHub: everything real but GitHub and the model."""

import pytest

from schemas.outcomes import Arm
from tests.bot.whole import Whole
from tests.end_to_end.conftest import FILES, PROMPT

pytestmark = pytest.mark.slow

WORSE = PROMPT.replace("refund requests", "requests").replace("Answer with the label alone.", "Say something nice.")


SITE = {
    "PROMPTVERDICT_CLIENT_ID": "Iv1", "PROMPTVERDICT_CLIENT_SECRET": "a client secret",
    "PROMPTVERDICT_PUBLIC_URL": "https://verdict.example.com",
}  # fmt: skip


@pytest.fixture
def whole(request, github, tmp_path):
    made = Whole(github, tmp_path / "data", **getattr(request, "param", {}))
    made.move_to("acme/shop", FILES)
    with made.web(), made.working():
        yield made
    made.records.close()


def test_a_pull_request_gets_one_comment_and_one_completed_check(whole):
    pull, opened = whole.scene.open_pull({"prompts/triage.prompt.yml": WORSE})
    (delivery,) = whole.emit("pull_request", opened)
    assert delivery.status_code == 202
    whole.until(lambda: whole.records.current_run(whole.scene.repository.id, pull.number))
    whole.quiet()
    (check,) = whole.checks(pull.head_sha)
    assert (check["status"], check["conclusion"]) == ("completed", "failure")
    assert check["external_id"].startswith(f"exp:{whole.scene.repository.id}:1:{pull.head_sha}:")
    assert check["output"]["title"].startswith("blocked")
    (comment,) = whole.comments
    assert f"runs&#47;{check['id']}" in comment
    accepting = "<code>&#47;verdict approve &#60;reason&#62;</code>"
    assert accepting in comment
    assert accepting in check["output"]["summary"]
    home = f"{whole.scene.repository.full_name.replace('/', '&#47;')}&#47;blob&#47;"
    assert f"{home}{pull.head_sha}&#47;prompts" in comment


STOLEN = "sk-canary-77aa"
CURIOUS = """\
import os
def handler(output, expected):
    try:
        return {"score": 1, "reason": open(f"/proc/{os.getppid()}/environ").read()}
    except OSError as error:
        raise ValueError(f"{error.strerror}, {os.environ.get('ANTHROPIC_API_KEY')}")
"""


def test_a_repository_s_own_scorer_finds_no_key_of_the_operator(whole, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", STOLEN)
    scored = FILES["promptverdict.yaml"].rstrip("\n") + "\n    scorer: evals/score.py\n"
    whole.move_to("acme/scored", FILES | {"promptverdict.yaml": scored, "evals/score.py": CURIOUS})
    pull, opened = whole.scene.open_pull({"prompts/triage.prompt.yml": PROMPT.replace("You sort", "You assign")})
    whole.emit("pull_request", opened)
    whole.until(lambda: whole.records.current_run(whole.scene.repository.id, pull.number))
    whole.quiet()
    (check,) = whole.checks(pull.head_sha)
    assert check["conclusion"] == "failure"
    assert "it raised ValueError: Operation not permitted, None" in check["output"]["summary"]
    assert STOLEN not in f"{check} {whole.comments}"


@pytest.mark.parametrize("whole", [SITE], indirect=True)
def test_with_pages_the_comment_leads_to_the_run_and_each_case_has_its_texts(whole):
    pull, opened = whole.scene.open_pull({"prompts/triage.prompt.yml": WORSE})
    whole.emit("pull_request", opened)
    whole.until(lambda: whole.records.current_run(whole.scene.repository.id, pull.number))
    whole.quiet()
    run = whole.records.current_run(whole.scene.repository.id, pull.number)
    page = f"/repositories/{run.repository_id}/runs/{run.sequence}"
    (comment,), (check,) = whole.comments, whole.checks(pull.head_sha)
    for text in (comment, check["output"]["summary"]):
        assert f'<a href="https&#58;&#47;&#47;verdict&#46;example&#46;com{page}'.replace("/", "&#47;") in text
    kept = whole.records.run_page(run.repository_id, run.sequence)
    assert (kept.author, kept.has_cases) == (pull.author, True)
    case = whole.records.kept_case(kept.experiments[0].id, 0)
    assert (case.row.baseline_said, case.row.candidate_said) == tuple(case.texts.said(arm) for arm in Arm)
    assert "ticket" in dict(case.texts.inputs)
    assert {one.arm for one in case.texts.answers} == set(Arm)
    assert all(one.text and one.grades[0].value is not None for one in case.texts.answers)
