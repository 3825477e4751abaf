"""The bot as an operator starts it, with GitHub around it: a verdict, a stop in the middle, and what comes after."""

import pytest

from bot.webhooks.routing import EVENTS
from tests.bot.running import running
from tests.bot.served import SECRET
from tests.bot.whole import Whole
from tests.end_to_end.conftest import FILES, PROMPT
from tests.fakes.github import FakeGitHub
from tests.fakes.github.state import Hook

WORSE = PROMPT.replace("refund requests", "requests").replace("Answer with the label alone.", "Say something nice.")


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path) as fake:
        yield fake


@pytest.fixture
def whole(github, tmp_path):
    made = Whole(github, tmp_path / "data")
    made.move_to("acme/shop", FILES)
    yield made
    made.records.close()


@pytest.fixture
def start(github, whole, tmp_path):
    """Starts the bot; GitHub delivers to it."""

    def started():
        return running(
            tmp_path, PROMPTVERDICT_APP_ID=str(whole.app.id), PROMPTVERDICT_PRIVATE_KEY=whole.app.private_key,
            PROMPTVERDICT_API_URL=github.api_url, PROMPTVERDICT_SERVER_URL=github.server_url,
        )  # fmt: skip

    return started


def ended(whole, sha):
    return any(check["status"] == "completed" for check in whole.checks(sha))


@pytest.mark.slow
def test_a_stop_in_the_middle_of_a_run_loses_nothing(start, whole, github):
    pull, opened = whole.scene.open_pull({"prompts/triage.prompt.yml": WORSE})
    github.fail("POST", r"/repos/acme/shop/issues/\d+/comments", delay_s=60)
    with start() as bot:
        github.hooks[:] = [(whole.app, Hook(f"{bot.url}/webhook", SECRET, EVENTS))]
        (delivery,) = whole.emit("pull_request", opened)
        assert delivery.status_code == 202
        whole.until(lambda: whole.checks(pull.head_sha), 60)
        assert bot.stop() == 0
        assert bot.process.stderr.read() == ""
    assert not ended(whole, pull.head_sha)
    github.faults.clear()
    with start() as bot:
        whole.until(lambda: ended(whole, pull.head_sha), 60)
        assert bot.stop() == 0
        assert not any(line["level"] == "error" for line in bot.lines)
    (check,) = whole.checks(pull.head_sha)
    assert (check["status"], check["conclusion"]) == ("completed", "failure")
    assert len(whole.comments) == 1
    assert github.violations == []
