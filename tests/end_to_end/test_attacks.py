"""What may happen to ``promptverdict check`` on a real machine: killed, no room, no permission, a clock that is set back, a
provider or a judge that says nothing, two of them at once. Documented exit code, one line, nothing paid twice or lost."""

import asyncio
import json
import re
import resource
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PATH, Ran, run_command
from tests.end_to_end.test_check import comparable
from tests.end_to_end.test_judge import CASES, LONGER, PROMPT, RUBRIC, labels, like_the_judge
from tests.fakes.llm import FakeLlm
from tests.faults import ALL
from tests.repositories import Repository

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MODEL = "{{provider: openai, model: m, base_url: '{url}/v1', api_key_env: HOUSE_KEY, price: {{input: 1, output: 4}}}}"
CONFIG = """\
version: 1
models:
  house: {model}
defaults: {{model: house}}
run: {{max_concurrency: 4, timeout_s: {timeout_s}}}
lineages:
  triage:
    use_case: classification
    prompt: triage.prompt.yml
    tests: tests.jsonl
    labels: [billing, refunds]
"""
TRIAGE = """\
messages:
  - {{role: system, content: "{}: billing or refunds."}}
  - {{role: user, content: "{{{{ticket}}}}"}}
"""
JUDGED = """\
version: 1
models:
  toy: {{provider: offline, model: offline-large, price: {{input: 1, output: 4}}}}
  house: {model}
defaults: {{model: toy}}
run: {{timeout_s: {timeout_s}}}
lineages:
  letters:
    use_case: generation
    prompt: letter.txt
    tests: cases.jsonl
    rubric: rubric.yaml
    judge: {{model: house, labels: labels.jsonl}}
"""
UNPRIVILEGED = """
import ctypes, os
for capability in (1, 2) if os.geteuid() == 0 else ():  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root reads all
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "action", *sys.argv[1:]])
"""
SMALL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
CLOCK_SET_BACK = """
from datetime import timedelta
from adapters.clock import SystemClock
real, calls = SystemClock.utc, iter(range(10**9))
SystemClock.utc = lambda self: real(self) - timedelta(days=10 if next(calls) > 5 else 0)
"""


def cases(number):
    rows = [
        {"id": f"c{n}", "inputs": {"ticket": f"Ticket {n} about {label}"}, "expected": label, "slices": ["typical"]}
        for n in range(number)
        for label in [("billing", "refunds")[n % 2]]
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@dataclass
class House:
    """A repository whose model is the fake: it answers with the ticket's last word, which is right."""

    fake: FakeLlm
    repository: Repository
    home: Path

    def commit(self, base, head):
        first = self.repository.commit(base, branch="main")
        self.repository.commit(head, branch="head", parent=first)

    def triage(self, prompt, *, number=60, timeout_s=20, more=""):
        model = MODEL.format(url=self.fake.url)
        files = {
            "promptverdict.yaml": CONFIG.format(model=model, timeout_s=timeout_s) + more,
            "tests.jsonl": cases(number),
        }
        before, after = TRIAGE.format("Sort the ticket"), TRIAGE.format(prompt)
        self.commit({**files, "triage.prompt.yml": before}, {"triage.prompt.yml": after})

    async def start(self, *arguments, before="", store="store"):
        start = f"import sys; {before}\nfrom action.cli.main import main; main()"
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", start, "check", "--head", "head", "--base", "main", "--format", "json", *arguments,
            cwd=self.repository.path,
            env={"PATH": PATH, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / store),
                 "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOUSE_KEY": "sk-test"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def check(self, *arguments, before="", store="store"):
        """In a process of its own where that process is to be prepared, else in this one, which is quicker."""
        if before:
            return await self.end(await self.start(*arguments, before=before, store=store))
        given = ("check", "--head", "head", "--base", "main", "--format", "json", *arguments)
        more = {"XDG_CACHE_HOME": str(self.home / store), "HOUSE_KEY": "sk-test"}
        ran = await asyncio.to_thread(run_command, *given, cwd=self.repository.path, home=self.home, **more)
        assert "Traceback" not in ran.err, ran.err
        return ran

    async def end(self, process):
        async with asyncio.timeout(600 if ALL else 60):
            out, err = await process.communicate()
        ran = Ran(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in ran.err, ran.err
        return ran

    def stored(self, store="store"):
        """Answers in the store; each call (a request and its repetition) at most once."""
        with closing(sqlite3.connect(self.home / store / "promptverdict" / "outcomes.sqlite")) as connection:
            calls = connection.execute("SELECT request_digest, repetition FROM completions").fetchall()
        assert len(set(calls)) == len(calls)
        return len(calls)

    async def wait_for(self, answers):
        async with asyncio.timeout(60):
            while self.fake.answered < answers:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(tmp_path):
    (tmp_path / "home").mkdir()
    async with FakeLlm() as fake:
        fake.keep_heads = False
        yield House(fake, Repository(tmp_path / "repository"), tmp_path / "home")


WORSE = "[[say billing]] Guess"


def untimed(card):
    """The scorecard without what was measured with a clock."""
    card = comparable(card)
    for lineage in card["lineages"]:
        del lineage["latency"]
    return card


async def test_killed_at_any_moment_it_goes_on_where_it_was_and_says_the_same(house):
    house.triage(WORSE)
    calm = await house.check(store="calm")
    assert (calm.code, calm.card["status"]) == (1, "blocked")
    needed = house.fake.requests
    assert needed == house.stored("calm")
    for answers in (10, 25):
        house.fake.latency_s = 0.05
        process = await house.start()
        await house.wait_for(needed + answers)
        process.send_signal(signal.SIGKILL)
        assert (await house.end(process)).code == -signal.SIGKILL
        await house.fake.hung_up()
    house.fake.latency_s = 0.0
    kept, before = house.stored(), house.fake.requests
    again = await house.check()
    assert again.code == 1
    assert untimed(again.card) == untimed(calm.card)
    assert (again.card["spending"]["made"], house.fake.requests - before) == (needed - kept, needed - kept)
    assert house.fake.requests - 2 * needed < kept  # what was under way or not synced yet at the two kills


async def test_two_checks_at_once_on_one_store_pay_for_nothing_twice(house):
    house.triage(WORSE)
    house.fake.latency_s = 0.02
    one, other = await asyncio.gather(house.start(), house.start())
    ran = await asyncio.gather(house.end(one), house.end(other))
    assert [each.code for each in ran] == [1, 1]
    assert untimed(ran[0].card) == untimed(ran[1].card)
    assert sum(each.card["spending"]["made"] for each in ran) == house.fake.requests == house.stored()


async def test_a_full_disk_ends_the_run_and_keeps_what_it_had(house):
    house.triage(WORSE)
    ran = await house.check(before=SMALL_DISK)
    assert (ran.code, ran.out) == (3, "")
    assert "the outcome store failed: " in ran.err.splitlines()[-1]
    assert "earlier answers are kept" in ran.err.splitlines()[-1]
    paid = house.fake.requests
    again = await house.check()
    assert (again.code, again.card["status"]) == (1, "blocked")
    assert paid == 0 or again.card["spending"]["stored"] > 0


@pytest.mark.parametrize("what", ["store", "output"])
async def test_a_folder_that_can_not_be_written_to_is_said_before_anything_is_paid(house, what):
    house.triage(WORSE)
    folder = house.home / "locked"
    folder.mkdir(mode=0o500)
    arguments = ["--output", folder] if what == "output" else ["--store", folder / "outcomes.db"]
    ran = await house.check(*map(str, arguments), before=UNPRIVILEGED)
    assert (ran.code, ran.out, house.fake.requests) == (2 if what == "output" else 3, "", 0)
    last = ran.err.splitlines()[-1]
    assert last.startswith(f"promptverdict: {folder}")
    assert ("choose another folder" if what == "output" else "make the file and its folder writable") in last


async def test_a_clock_that_is_set_back_pays_for_nothing_again(house):
    house.triage(WORSE)
    ran = await house.check(before=CLOCK_SET_BACK)
    assert (ran.code, ran.card["status"]) == (1, "blocked")
    assert house.fake.requests == house.stored() == ran.card["spending"]["made"]
    again = await house.check()
    assert again.card["spending"]["made"] == 0
    assert comparable(again.card) == comparable(ran.card)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("[[hang]] Sort", "no answer: timeout"),
        ("[[401]] Sort", "api_key_env"),
    ],
)
async def test_a_provider_that_gives_nothing_is_an_error_that_names_the_case(house, prompt, says):
    house.triage(prompt, number=12, timeout_s=0.3)
    ran = await house.check()
    assert (ran.code, ran.card["status"], ran.card["passes"]) == (3, "error", False)
    text = json.dumps(ran.card, ensure_ascii=False)
    assert says in text
    assert re.search(r"""['"]c[0-9]+['"]""", text)


@pytest.mark.parametrize(
    ("rubric", "code", "says"),
    [
        ("[[hang]]", 3, "no answer within 0.3 s"),
        ("[[close]]", 3, "the judge could not be compared with"),
        ('[[say {\\"brevity\\": {\\"reason\\": \\"x\\", \\"grade\\": NaN}}]]', 5, "NaN is not JSON"),
    ],
    ids=["silent", "hangs up", "NaN"],
)
async def test_a_judge_that_gives_no_grades_decides_nothing(house, rubric, code, says):
    config = JUDGED.format(model=MODEL.format(url=house.fake.url), timeout_s=0.3)
    files = {"promptverdict.yaml": config, "letter.txt": PROMPT, "cases.jsonl": CASES}
    files |= {"rubric.yaml": RUBRIC.replace("How short it is.", json.dumps(rubric.replace("\\", "")))}
    files |= {"labels.jsonl": labels(like_the_judge)}
    house.commit(files, {"letter.txt": LONGER})
    ran = await house.check()
    assert (ran.code, ran.card["passes"]) == (code, False)
    text = json.dumps(ran.card["lineages"][0], ensure_ascii=False)
    assert says in text, text


async def test_a_prompt_that_stops_calling_its_tool_is_blocked(house):
    """The fake calls ``refund`` with ``{"id": 7}`` where the prompt says ``[[tool]]``, and talks otherwise."""
    asks = {"name": "refund", "arguments": {"id": {"any_of": [7, 8]}, "note": {"any_of": ["x"], "optional": True}}}
    rows = [{"id": f"c{n}", "inputs": {"ticket": f"{n}"}, "expected": {"tool_calls": [asks]}} for n in range(60)]
    config = CONFIG.format(model=MODEL.format(url=house.fake.url), timeout_s=20)
    config = config.replace("classification", "extraction").replace("    labels: [billing, refunds]\n", "")
    prompt = TRIAGE.replace(": billing or refunds", "")
    house.commit(
        {
            "promptverdict.yaml": config,
            "tests.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            "triage.prompt.yml": prompt.format("[[tool]] Use the tools"),
        },
        {"triage.prompt.yml": prompt.format("Use the tools")},
    )
    ran = await house.check()
    assert (ran.code, ran.card["status"]) == (1, "blocked")
    (card,) = ran.card["lineages"]
    assert [effect["metric"] for effect in card["metrics"]] == ["tool_calls", "tool names", "right calls"]
    assert [effect["baseline"] for effect in card["metrics"]] == pytest.approx([1, 1, 1])
    broken = next(case for case in card["cases"] if case["result"] == "regressed")
    assert broken["reason"] == "didn't call refund"


@pytest.mark.skipif(not ALL, reason="a minute: make soak runs it (FAULTS=all)")
async def test_twenty_thousand_cases(house):
    every = "gate: {mode: fixed, repetitions: 1}\nbudget: {per_run_usd: 100}\n"
    house.triage("Order it by team", number=20_000, more=every)
    ran = await house.end(await house.start())
    assert (ran.code, ran.card["status"]) == (0, "approved")
    assert house.fake.requests == house.stored() == 40_000
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    sys.stdout.write(f"{ran.card['seconds']} s, {house.fake.requests} calls, {peak_mb:.0f} MB\n")
    assert peak_mb < 700
    again = await house.check()
    assert again.card["spending"]["made"] == 0
