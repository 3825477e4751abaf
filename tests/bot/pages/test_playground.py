"""The playground: a person edits a prompt in a form, runs it, and saves it as a pull request."""

import re
from decimal import Decimal

import pytest

from bot.store.values import RunState
from schemas.verdicts import VerdictStatus
from tests.bot.pages.bench import Bench, sent
from tests.bot.pages.site import FROM_US
from tests.fakes.github import FakeGitHub

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with FakeGitHub(folder / "github") as github:
        made = Bench(github, folder / "data")
        with made.working():
            made.seeded()
            yield made
        made.records.close()
        assert github.violations == []


def draft_of(answer):
    assert answer.status_code == 303, re.sub(r"<[^>]+>", " ", answer.text)[-3000:]
    return int(re.search(r"draft=(\d+)", answer.headers["location"])[1])


def test_from_a_version_to_a_pull_request_that_costs_nothing_more(bench):
    max_ = bench.signed_in("max")
    page = max_.get(bench.address).text
    assert "script-src 'self'" in max_.get(bench.address).headers["content-security-policy"]
    text = re.search(r'<textarea name="text.0"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)[1]
    better = text.replace("Reply", "Always reply") + "\nWhen a customer asks for money back, say refunds."
    answer = sent(max_, bench.address, **{"text.0": better, "action": "run"})
    draft = draft_of(answer)
    run = bench.ended(bench.newest(draft))
    assert run.state is RunState.DONE
    shown = max_.get(answer.headers["location"].partition("#")[0]).text
    assert "What the gate would say" in shown
    kept = bench.records.verdict(run.id)
    assert kept.scorecard.spending.made > 0
    # The save page: a patch that changes only the message, and a pull request by the person.
    save = max_.get(f"{bench.address}/save?draft={draft}").text
    assert "say refunds" in save
    opened = max_.post(
        f"{bench.address}/save?draft={draft}", data={"open": "1", "title": "Say refunds"}, headers=FROM_US
    ).text
    assert "Your pull request is open" in opened
    (pull,) = bench.whole.scene.repository.pulls.values()
    assert (pull.author, pull.title, pull.base_ref) == ("max", "Say refunds", "main")
    diff = bench.git.git("diff", "--numstat", "main", pull.head_sha)
    assert re.fullmatch(r"\d+\t\d+\tprompts/triage.prompt.yml", diff)
    with bench.whole.web():
        bench.whole.emit("pull_request", bench.whole.scene.pull_event("opened", pull))
        bench.whole.quiet(60)
    checked = bench.records.verdict(bench.records.current_run(bench.repo.repository_id, pull.number).id).scorecard
    assert (checked.spending.made, checked.spending.cost_usd) == (0, Decimal(0))
    assert checked.status is kept.scorecard.status is not VerdictStatus.ERROR
    assert checked.lineages[0].overall == kept.scorecard.lineages[0].overall
