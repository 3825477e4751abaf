"""A search of the bot, killed with ``kill -9`` and resumed: real processes, on SQLite in one, on Postgres in two."""

import asyncio
import signal
import threading
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import pytest

from adapters.store import open_store
from bot.store.records import Records
from bot.store.suggest_values import SuggestionState
from bot.webhooks.routing import EVENTS
from engine.improve.suggest import ROUNDS
from tests.bot.improve_stage import SUGGEST
from tests.bot.running import running
from tests.bot.served import SECRET
from tests.bot.whole import Whole
from tests.fakes.github import FakeGitHub
from tests.fakes.github.state import Hook
from tests.fakes.llm import FakeLlm
from tests.improve import lab

pytestmark = pytest.mark.slow

SHOWN = 30


@contextmanager
def model_server():
    """The fake in a thread with a loop of its own."""
    loop, fake = asyncio.new_event_loop(), FakeLlm(latency_s=0.05)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    do(fake.start())
    try:
        yield fake, do
    finally:
        do(fake.__aexit__())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def completions(url):
    """The number of stored answers."""

    async def counted():
        store = open_store(url)
        try:
            return (await store.stats()).completions
        finally:
            await store.aclose()

    return asyncio.run(counted())


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param(("",), id="one process", marks=pytest.mark.long),
        pytest.param(("web", "worker"), id="web and worker"),
    ],
)
def test_a_killed_search_is_resumed_and_pays_for_nothing_twice(roles, request, tmp_path):
    url = request.getfixturevalue("new_database")() if len(roles) > 1 else f"sqlite:///{tmp_path / 'bot.db'}"
    with FakeGitHub(tmp_path / "github") as github, model_server() as (fake, do):
        served = f"{{provider: openai, base_url: '{fake.url}/v1', api_key_env: LLM_KEY, model"
        config = lab.CONFIG.replace("{provider: offline, model", served) + "run: {max_concurrency: 2}\n" + SUGGEST
        whole = Whole(github, tmp_path / "data", url=url)
        whole.move_to("acme/shop", lab.files(config=config))
        variables = {
            "PROMPTVERDICT_APP_ID": str(whole.app.id), "PROMPTVERDICT_PRIVATE_KEY": whole.app.private_key,
            "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url,
            "DATABASE_URL": url, "LLM_KEY": "sk-test", "PROMPTVERDICT_KEY_ORIGINS": f"LLM_KEY={fake.url}/v1",
        }  # fmt: skip

        @contextmanager
        def bot():
            with ExitStack() as stack:
                started = [
                    stack.enter_context(
                        running(tmp_path, *filter(None, (role,)), **variables, PROMPTVERDICT_SLOT=role or "one")
                    )
                    for role in roles
                ]
                started[0].until("listening", wait_s=240)
                github.hooks[:] = [(whole.app, Hook(f"{started[0].url}/webhook", SECRET, EVENTS))]
                yield started

        with bot() as processes:
            pull, opened = whole.scene.open_pull({"README.md": "x"})
            whole.emit("pull_request", opened)
            whole.emit("issue_comment", whole.scene.comment(pull.number, "ada", "/verdict suggest"))
            whole.until(lambda: fake.answered >= 9, 240)
            fake.latency_s = 120.0  # no call in flight ends by itself
            for one in processes:
                one.process.send_signal(signal.SIGKILL)
                one.process.wait(15)
        do(fake.hung_up())
        records = Records(url)
        kept, asked = records.suggestion(1), fake.requests
        stored = completions(url if len(roles) > 1 else str(tmp_path / "data" / "outcomes.sqlite3"))
        assert kept.state is SuggestionState.RUNNING
        assert kept.spent_usd > 0
        fake.latency_s = 0.0
        with bot():
            whole.until(lambda: not records.suggestion(1).state.is_open, 240)
            marker = "<!-- prompt-verdict-suggestion 1 "
            whole.until(lambda: any(one.startswith(marker) for one in whole.comments), 120)
            whole.until(lambda: not records.open_runs(), 120)
        ended = records.suggestion(1)
        assert (ended.state, ended.run_id) == (SuggestionState.DONE, kept.run_id)
        # Its answers are the last word of a message, so no edit is usable: each shown case and each round is one call.
        assert 0 < stored <= asked < SHOWN + ROUNDS
        assert fake.requests - asked == SHOWN + ROUNDS - stored, "no answer that was stored is paid again"
        assert kept.spent_usd < ended.spent_usd <= Decimal(2)
        assert [one.startswith(marker) for one in whole.comments].count(True) == 1
        records.close()
        whole.records.close()
