"""The calling process: the same answers from another process, which has no secrets lying about, is never waited for in
vain and never outlives us."""

import asyncio
import gc
import os
import shutil
import signal
import site
import sys
import time
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.call_process import client as room
from adapters.call_process import process
from adapters.call_process.client import MOST_DEATHS, Caller
from adapters.call_process.process import CallingProcess, started_for
from adapters.call_process.protocol import Lines, Opening
from adapters.clock import SystemClock
from adapters.providers.open_provider import provider_for
from engine.runner.access import Access
from engine.runner.experiment import ArmPlan, Endpoint, Experiment
from engine.runner.run import run
from schemas.config import ModelConfig
from schemas.errors import ProviderError
from schemas.outcomes import Completion, ErrorKind
from tests.providers.conftest import KEY, model_at, request_of
from tests.providers.test_canary import leaks
from tests.run.conftest import store
from tests.run.laboratory import PRICE, experiment

pytestmark = pytest.mark.slow

__all__ = ["store"]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"HOUSE_KEY": KEY, "ANOTHER_KEY": "sk-not-for-you"}


@pytest.fixture
async def called(fake):
    """A provider in a calling process, and the process that runs at the moment."""
    caller = Caller()
    provider = caller.provider(model_at(fake.url, "chat"), ENVIRONMENT)
    yield provider
    await provider.aclose()


def pid_of(provider):
    return provider.caller._child._process._process.pid


def ask(provider, text, timeout_s=20.0):
    return provider.complete(request_of(text), repetition=0, timeout_s=timeout_s)


async def until(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - there is no event for what happens elsewhere
            await asyncio.sleep(0.01)


def alive(pid):
    """Not even a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_answers_and_failures_are_those_of_a_provider_in_this_process(fake, api):
    caller, model = Caller(), model_at(fake.url, api)
    there, here = caller.provider(model, ENVIRONMENT), provider_for(model, ENVIRONMENT)
    for text in (
        "ticket billing", "[[tool]]", "[[say “é” \N{GRINNING FACE} \\n]]", "[[429-seconds]]", "[[quota]]", "[[401]]", "[[truncated]]",
        "[[reset]]", "[[length]]", "[[redirect http://127.0.0.1:9/]]",
    ):  # fmt: skip
        answers = [await ask(provider, text) for provider in (there, here)]
        timed = [one.model_copy(update={"latency_s": 0}) if isinstance(one, Completion) else one for one in answers]
        assert timed[0] == timed[1]
        if isinstance(answers[0], Completion):
            assert answers[0].latency_s > 0
    await there.aclose()
    await here.aclose()


async def test_every_question_gets_its_own_answer(called, fake):
    fake.latency_s = 0.05
    texts = [f"ticket {number}" for number in range(300)]
    answers = await asyncio.gather(*(ask(called, text) for text in texts))
    assert [answer.text for answer in answers] == [text.split()[1] for text in texts]
    assert fake.requests == 300


async def test_a_cancelled_call_is_cancelled_there_and_the_others_go_on(called, fake):
    hanging = [asyncio.create_task(ask(called, f"[[hang]] {number}")) for number in range(3)]
    await until(lambda: fake.requests == 3)
    connections = open_connections(pid_of(called))
    for call in hanging[:2]:
        call.cancel()
    await until(lambda: open_connections(pid_of(called)) == connections - 2)
    assert (await ask(called, "ticket billing")).text == "billing"
    assert not hanging[2].done()
    hanging[2].cancel()


def open_connections(pid):
    return sum(str(handle.readlink()).startswith("socket:") for handle in Path(f"/proc/{pid}/fd").iterdir())


async def test_a_timeout_is_total_there_as_here(called):
    await ask(called, "warm")
    answer = await ask(called, "[[drip]]", timeout_s=0.3)
    assert answer.kind is ErrorKind.TIMEOUT


async def test_a_process_that_is_killed_fails_what_was_under_way_and_is_replaced(called, fake):
    calls = [asyncio.create_task(ask(called, "[[hang]]")) for _ in range(5)]
    await until(lambda: fake.requests == 5)
    killed = pid_of(called)
    os.kill(killed, signal.SIGKILL)
    answers = await asyncio.gather(*calls)
    assert {(answer.kind, answer.billed) for answer in answers} == {(ErrorKind.TRANSPORT, True)}
    assert "the calling process ended during the call (with -9)" in answers[0].message
    assert (await ask(called, "ticket billing")).text == "billing"
    assert pid_of(called) != killed
    assert not alive(killed)


async def test_a_run_whose_process_is_killed_loses_nothing_and_pays_for_nothing_twice_but_what_was_under_way(
    fake, store
):
    fake.latency_s = 0.02
    one, model = experiment(60), model_at(fake.url, "chat").model_copy(update={"price": PRICE})
    arms = {arm: ArmPlan(Endpoint(model, PRICE), plan.requests) for arm, plan in one.arms.items()}
    caller = Caller()
    access = Access(lambda model: caller.provider(model, ENVIRONMENT), SystemClock(), max_concurrency=8)

    async def kill():
        for answered in (20, 60):
            await until(lambda answered=answered: fake.answered >= answered)
            os.kill(caller._child._process._process.pid, signal.SIGKILL)

    killing = asyncio.create_task(kill())
    (result,) = await run(
        [Experiment(one.lineage, one.name, one.cases, arms, one.evaluator, one.protocol)],
        access=access, store=store, clock=SystemClock(),
    )  # fmt: skip
    await killing
    await access.aclose()
    assert not result.decision[0].missing.any()
    assert result.spending.made == 120
    assert 120 <= fake.requests <= 120 + 2 * 8


async def test_a_process_that_hangs_is_ended_when_its_time_is_over(called, monkeypatch):
    await ask(called, "warm")
    monkeypatch.setattr(room, "GRACE_S", 0.2)
    stopped = pid_of(called)
    os.kill(stopped, signal.SIGSTOP)
    answer = await ask(called, "ticket billing", timeout_s=0.2)
    assert (answer.kind, answer.billed) == (ErrorKind.TIMEOUT, True)
    assert not alive(stopped)
    assert (await ask(called, "ticket billing")).text == "billing"


async def test_a_process_that_answered_in_time_is_not_ended_because_we_stood_still(fake, monkeypatch):
    monkeypatch.setattr(room, "GRACE_S", 0.6)
    caller = Caller()
    provider = caller.provider(model_at(fake.url, "chat"), ENVIRONMENT)
    await ask(provider, "warm")
    pid, seen = pid_of(provider), fake.answered
    call = asyncio.create_task(ask(provider, "ticket billing", timeout_s=0.3))
    fake.latency_s = 0.0
    while fake.answered == seen:  # noqa: ASYNC110 - no later than that
        await asyncio.sleep(0)
    time.sleep(1.2)  # noqa: ASYNC251 - a loop that stands still is what this is about
    assert isinstance(await call, Completion)
    assert pid_of(provider) == pid
    await provider.aclose()


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(1)",
        "import sys; sys.stdin.buffer.readline(); import os; os.write(0, b'garbage\\n'); input()",
    ],
)
async def test_a_process_that_can_not_work_is_started_a_few_times_and_no_more(fake, monkeypatch, program):
    monkeypatch.setattr(process, "PROGRAM", program)
    started = []
    monkeypatch.setattr(room, "CallingProcess", lambda: started.append(1) or CallingProcess())
    caller = Caller()
    provider = caller.provider(model_at(fake.url, "chat"), ENVIRONMENT)
    answers = [await ask(provider, "x") for _ in range(MOST_DEATHS + 4)]
    assert {(answer.kind, answer.billed) for answer in answers} == {(ErrorKind.TRANSPORT, False)}
    assert len(started) == MOST_DEATHS
    monkeypatch.setattr(process, "PROGRAM", PROGRAM)
    monkeypatch.setattr(room, "REST_S", 0.0)
    assert (await ask(provider, "ticket billing")).text == "billing"
    await provider.aclose()


PROGRAM = process.PROGRAM


async def test_one_that_can_not_be_started_is_a_failed_call(fake, monkeypatch):
    def refused():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(room, "CallingProcess", refused)
    provider = Caller().provider(model_at(fake.url, "chat"), ENVIRONMENT)
    answer = await ask(provider, "x")
    assert (answer.kind, answer.billed, answer.message) == (
        ErrorKind.TRANSPORT, False, "the calling process doesn't start",
    )  # fmt: skip


async def test_it_knows_no_secret_but_its_keys_and_shows_none(called, fake):
    assert (await ask(called, "ticket billing")).text == "billing"
    place = Path(f"/proc/{pid_of(called)}")
    environment = (place / "environ").read_bytes().decode().strip("\0").split("\0")
    assert dict(one.split("=", 1) for one in environment) == process.ENVIRONMENT
    assert not leaks((place / "cmdline").read_bytes())
    assert {str((place / "fd" / name).readlink()) for name in "12"} == {"/dev/null"}
    assert KEY not in repr(called)
    assert KEY not in repr(called.caller._openings)
    assert b"sk-not-for-you" not in called.caller._openings[0].model_dump_json().encode()


BUG = """
{paths}
from adapters.providers.openai import OpenAiProvider
from adapters.call_process import worker
def read(self, answer, latency_s):
    raise RuntimeError("scripted, beside " + self._key)
OpenAiProvider.{name} = read
worker.main([])
"""


@pytest.mark.parametrize("name", ["read", "open"])
async def test_a_bug_there_is_a_bug_here_without_the_key(fake, monkeypatch, name):
    monkeypatch.setattr(process, "PROGRAM", BUG.format(paths=process.PATHS, name=name))
    provider = Caller().provider(model_at(fake.url, "chat"), ENVIRONMENT)
    with pytest.raises(RuntimeError, match=r"(?s)in the calling process: Traceback.*worker\.py") as told:
        await ask(provider, "x")
    assert not leaks(str(told.value).encode())
    await provider.aclose()


ORPHAN = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.providers.test_caller import ENVIRONMENT, Caller, ask, model_at
async def main():
    provider = Caller().provider(model_at({url!r}, "chat"), ENVIRONMENT)
    print(provider.caller._child._process._process.pid, flush=True)
    if {early}:
        await asyncio.sleep(60)
    await ask(provider, "[[hang]]")
asyncio.run(main())
"""


@pytest.mark.parametrize("early", [True, False])
async def test_it_dies_with_us_however_we_die(fake, early):
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN.format(root=str(ROOT), url=fake.url, early=early), stdout=asyncio.subprocess.PIPE
    )
    pid = int(await program.stdout.readline())
    if not early:
        await until(lambda: fake.requests == 1)
    assert alive(pid)
    program.kill()
    await until(lambda: not alive(pid))
    await program.wait()


async def test_who_closes_it_leaves_nothing(fake):
    never, once = Caller(), Caller(CallingProcess(["openai"]))
    never.close()
    provider = once.provider(model_at(fake.url, "chat"), ENVIRONMENT)
    assert isinstance(await ask(provider, "ticket billing"), Completion)
    pid = pid_of(provider)
    call = asyncio.create_task(ask(provider, "[[hang]]"))
    await until(lambda: fake.requests == 2)
    await provider.aclose()
    assert (await call).kind is ErrorKind.TRANSPORT
    assert not alive(pid)
    again = await ask(provider, "ticket billing")
    assert (again.kind, again.billed) == (ErrorKind.TRANSPORT, False)
    assert fake.requests == 2


async def test_it_may_be_closed_from_another_loop_than_that_of_its_calls(fake):
    caller = Caller()
    provider = caller.provider(model_at(fake.url, "chat"), ENVIRONMENT)

    async def call():
        answer = await ask(provider, "[[hang]]")
        await asyncio.sleep(0.05)  # the loop of a worker's runs goes on, too
        return answer

    runs = asyncio.create_task(asyncio.to_thread(asyncio.run, call()))
    await until(lambda: fake.requests == 1)
    pid = pid_of(provider)
    await provider.aclose()
    assert (await runs).kind is ErrorKind.TRANSPORT
    assert not alive(pid)


@pytest.mark.parametrize("midway", [False, True])
def test_a_loop_that_ends_first_leaves_no_line_open(midway):
    """As a queue's loop that cancels its tasks, and whose caller is closed afterwards."""

    async def work(caller):
        caller.provider(model_at("http://127.0.0.1:9", "chat"), ENVIRONMENT)
        opening = asyncio.create_task(caller._living().opens(0))
        await (asyncio.sleep(0) if midway else opening)

    caller = Caller()
    asyncio.run(work(caller))
    line = caller._child._process.line
    caller.close()
    assert line.fileno() == -1
    caller = line = None
    # Raises where a socket or transport was left open.
    gc.collect()


def test_a_second_interrupt_while_it_ends_shows_nothing(monkeypatch):
    ending = CallingProcess()
    wait, interrupts = ending._process.wait, iter([KeyboardInterrupt])

    def interrupted():
        for interrupt in interrupts:
            raise interrupt
        return wait()

    monkeypatch.setattr(ending._process, "wait", interrupted)
    assert ending.end() == -signal.SIGKILL
    ending.line.close()


def test_a_key_is_checked_before_anything_is_started(monkeypatch):
    monkeypatch.setattr(room, "CallingProcess", lambda: pytest.fail("started"))
    with pytest.raises(ProviderError, match="OPENAI_API_KEY"):
        Caller().provider(ModelConfig(provider="openai", model="m"), {})
    Caller().provider(ModelConfig(provider="offline", model="m"), {})


async def test_certificates_are_found_by_a_name_that_means_something_here(tmp_path, monkeypatch):
    shutil.copy(certifi.where(), tmp_path / "company.pem")
    monkeypatch.chdir(tmp_path)
    environment = ENVIRONMENT | {"PROMPTVERDICT_CA_BUNDLE": "company.pem"}
    provider = Caller().provider(model_at("https://127.0.0.1:9", "chat"), environment)
    assert "no connection to 127.0.0.1" in (await ask(provider, "x")).message
    await provider.aclose()


async def test_what_the_user_installed_without_an_environment_is_found_but_nothing_instead_of_ours(
    fake, tmp_path, monkeypatch
):
    (tmp_path / "openai.py").write_text("raise RuntimeError('the user has installed it')")
    (tmp_path / "adapters.py").write_text("raise RuntimeError('not ours')")
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path))
    provider = Caller().provider(model_at(fake.url, "chat"), ENVIRONMENT)
    with pytest.raises(RuntimeError, match="the user has installed it"):
        await ask(provider, "x")
    await provider.aclose()


def test_it_is_started_early_only_where_a_providers_own_key_is(monkeypatch):
    monkeypatch.setattr(process, "CallingProcess", lambda sdks: sdks)
    assert started_for({"HOUSE_KEY": "k", "OPENAI_API_KEY": ""}) is None
    found = started_for({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})
    assert found == ["adapters.providers.anthropic", "anthropic", "adapters.providers.openai", "openai"]


def test_an_opening_does_not_show_its_key():
    opening = Opening(provider=0, model=ModelConfig(provider="openai", model="m"), variables={"OPENAI_API_KEY": KEY})
    assert KEY not in repr(opening)


@given(st.lists(st.binary(max_size=4).map(lambda data: data.replace(b"\n", b"")), max_size=6), st.integers(1, 5))
def test_lines_are_the_same_however_they_arrive(said, size):
    data = b"".join(one + b"\n" for one in said)
    lines = Lines()
    cut = [one for at in range(0, len(data), size) for one in lines.cut(data[at : at + size])]
    assert cut == said
