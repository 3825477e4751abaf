"""The bot as an operator starts it, killed in the middle of a run: it goes on, and nothing is paid for twice."""

import re
import signal
import socket
import time
from collections import Counter
from decimal import Decimal

import httpx
import pytest

from bot.store.values import RunState
from engine.playground.draft import DraftEdit
from schemas.verdicts import VerdictStatus
from tests.bot.pages.bench import Bench, House, replies, sent, with_house
from tests.bot.running import running
from tests.fakes.github import FakeGitHub

pytestmark = pytest.mark.slow
NOBODY = Decimal(0)
NO_REUSE = httpx.Limits(max_keepalive_connections=0)
"""A process that was killed leaves connections behind."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """A signed-in person, over real HTTP. The cookie is sent by hand: the server is loopback without TLS."""

    def __init__(self, base, github, login):
        self.base, self.client = base, httpx.Client(base_url=base, trust_env=False, timeout=200)
        github.oauth.login = login
        there = self.client.get("/login", params={"to": "/"})
        state = there.headers["set-cookie"].partition(";")[0]
        back = httpx.get(there.headers["location"], trust_env=False).headers["location"]
        ended = self.client.get(back.removeprefix(base), headers={"cookie": state})
        self.client.headers["cookie"] = next(
            one.partition(";")[0] for one in ended.headers.get_list("set-cookie") if "verdict=" in one
        )

    def get(self, address):
        return self.client.get(address)

    def post(self, address, data, headers):
        del headers
        return self.client.post(address, data=data, headers={"origin": self.base, "sec-fetch-site": "same-origin"})


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), "postgres"])
def stand(request, tmp_path):
    """The pages' address, the bench, and how to start the processes."""
    port = free_port()
    url = None if request.param == "sqlite" else request.getfixturevalue("new_database")()
    with FakeGitHub(tmp_path / "github") as github, House(latency_s=0.7) as house:
        made = Bench(
            github, tmp_path / "data", replies(house.url), public=f"http://127.0.0.1:{port}", lineage="replies", url=url
        )
        with_house(house, made.whole)
        made.house, made.folder = house, tmp_path
        variables = {
            "PROMPTVERDICT_APP_ID": str(made.whole.app.id), "PROMPTVERDICT_PRIVATE_KEY": made.whole.app.private_key,
            "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url,
            "PROMPTVERDICT_CLIENT_ID": made.whole.app.client_id,
            "PROMPTVERDICT_CLIENT_SECRET": made.whole.app.client_secret, "PROMPTVERDICT_PUBLIC_URL": made.public,
            "PROMPTVERDICT_KEY_ORIGINS": f"HOUSE_KEY={house.url}/v1", "HOUSE_KEY": "house-key",
            "PROMPTVERDICT_PORT": str(port), **({"DATABASE_URL": url} if url else {}),
        }  # fmt: skip
        made.parts = ("web", "worker") if url else ("",)

        def start(part=""):
            more = {"PROMPTVERDICT_PORT": "0"} if part == "worker" else {}
            return running(tmp_path, *([part] if part else []), **variables | more)

        made.start = start
        yield made
        made.records.close()


def test_web_and_worker_die_in_the_middle_and_nothing_is_paid_twice(stand):
    processes = {}
    kept = []

    def up(part):
        manager = stand.start(part)
        kept.append(manager)
        processes[part] = manager.__enter__()
        processes[part].until("listening", wait_s=150)

    def kill(part):
        processes[part].process.send_signal(signal.SIGKILL)
        processes[part].process.wait(10)

    try:
        for part in stand.parts:
            up(part)
        stand.seeded(only="edge")
        stand.house.calls.clear()
        person = Browser(stand.public, stand.github, "max")
        answer = sent(
            person, stand.address, **{"text.0": "You answer.\nReply in at most two sentences.\n", "action": "run"}
        )
        draft = int(re.search(r"draft=(\d+)", answer.headers["location"])[1])
        run = stand.newest(draft)
        # The web dies while the browser follows; the run goes on without it.
        seen = stream(person, stand, draft, run.sequence, most=2)
        stand.house.stalled.set()  # a process takes its time to start; the run must not end meanwhile
        kill(stand.parts[0])
        if stand.parts[0]:
            up(stand.parts[0])
            before = stand.records.asked_run(run.sequence).done
            stand.house.stalled.clear()
            stand.whole.until(lambda: stand.records.asked_run(run.sequence).done > before, 150)
            stand.house.stalled.set()
            later = stream(person, stand, draft, run.sequence, last=seen, most=2)
            assert later > seen
            kill(stand.parts[-1])
        before = stand.records.asked_run(run.sequence)
        assert before.done, "in the middle"
        assert stand.records.run(run.id).state is RunState.RUNNING
        stand.house.stalled.clear()
        up(stand.parts[-1])
        run = stand.ended(run, 300)
        assert run.state is RunState.DONE
        assert stand.records.verdict(run.id).scorecard.status is not VerdictStatus.ERROR
        # A call that was in flight at the kill was asked again; no answer that was stored was.
        asked = Counter(stand.house.calls)
        twice = sum(number - 1 for number in asked.values())
        assert twice <= 4 * len(stand.parts), "at most the calls in flight"
        assert len(asked) == 40 or len(asked) >= 24
        page = person.get(f"{stand.address}?draft={draft}").text
        assert "What the gate would say" in page
        assert DraftEdit.model_validate_json(stand.records.draft(draft, "max").document).texts
        stand.whole.until(lambda: stand.records.asked_run(run.sequence).settled, 60)
        spent = stand.records.asked_run(run.sequence).spent_usd
        assert stand.records.person_usd("max", run.opened_at.date()) == spent > NOBODY
        answers = stand.records.answers_after(run.sequence, 0, 1000)
        assert len({one.cell for _, one in answers}) == len(answers)
    finally:
        for part in processes:
            kill(part)
        for manager in kept:
            manager.__exit__(None, None, None)


def stream(person, stand, draft, sequence, *, last=None, most):
    """Reads some events of the stream; returns the id of the last."""
    headers = {} if last is None else {"last-event-id": str(last)}
    address, seen, number = f"{stand.address}/events?draft={draft}&run={sequence}", 0, last or 0
    end = time.monotonic() + 200
    with person.client.stream("GET", address, headers=headers, timeout=200) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number, seen = int(line[4:]), seen + 1
            if seen >= most or line.startswith("event: end") or time.monotonic() > end:
                return number
    return number
