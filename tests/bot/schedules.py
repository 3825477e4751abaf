"""A town for schedules: the real desk, publishing, execution, commands and records on a host in memory, with deaths, lost
answers and things that happen in between; and an oracle of its own that says what may ever be shown as a success."""

import asyncio
import html
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from bot.commands.command import CommandContext
from bot.commands.dispatch import MOST_ANSWERS, answer
from bot.publishing.publisher import VerdictPublisher
from bot.runs.coverage import Coverage
from bot.runs.evaluation import Evaluated
from bot.runs.execution import Execution
from bot.runs.intent_handler import IntentHandler
from bot.runs.moved_bases import BaseMoves
from bot.runs.reconciler import Reconciler
from bot.runs.run_queue import QueueStatus
from bot.store.records import Records
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from bot.webhooks.intents import CommandPosted, PullRequestClosed, PullRequestMoved, RerunRequested, ReviewGiven
from engine.approvals.acceptance import moment
from engine.publishing.check_names import NAME
from engine.render.progress import notice
from schemas.config import CommentPolicy
from schemas.errors import HostUnavailable, NotFound
from schemas.host import CheckConclusion, Comment, HostedCheck, ReviewState, Role
from schemas.pullrequests import Trust
from schemas.scorecard import CommitRef, Scorecard
from schemas.values import digest_of
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.bot.hosting import REPO, MemoryHost, Ticking

WRITERS = (Role.WRITE, Role.MAINTAIN, Role.ADMIN)
WEEK = timedelta(days=7)
BASES = ("main", "release")
VERDICTS = {
    ("plain", "main"): VerdictStatus.APPROVED,
    ("plain", "release"): VerdictStatus.APPROVED,
    ("better", "main"): VerdictStatus.APPROVED,
    ("better", "release"): VerdictStatus.BLOCKED,
    ("worse", "main"): VerdictStatus.BLOCKED,
    ("worse", "release"): VerdictStatus.APPROVED,
    ("loose", "main"): VerdictStatus.NEEDS_REVIEW,
    ("loose", "release"): VerdictStatus.BLOCKED,
    ("odd", "main"): VerdictStatus.NEEDS_REVIEW,
    ("odd", "release"): VerdictStatus.NEEDS_REVIEW,
    ("broken", "main"): VerdictStatus.ERROR,
    ("broken", "release"): VerdictStatus.ERROR,
}
"""What measuring a content against a base's policy gives. ``broken`` is an error only until somebody fixes it."""
CONTENTS = tuple(dict.fromkeys(content for content, _ in VERDICTS))
GAP = "between the last look and the write"
WAITING = "waiting"
"""The status of a fork that nobody approved, in the oracle's words."""


@contextmanager
def stores(template):
    """Gives an empty store each time it is called, of one engine: it compiles each statement once for all schedules."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "bot.db"
        shutil.copy(template, path)
        store = Records(f"sqlite:///{path}")

        def empty():
            store.close()
            for old in Path(folder).iterdir():
                old.unlink()
            shutil.copy(template, path)
            return store

        yield empty
        store.close()


class KilledError(BaseException):
    """The process is gone, in the middle of what it did."""


@dataclass
class Fault:
    """What goes wrong at the n-th step of an operation (a step: before or after a call to the host or the store)."""

    after: int = 0
    kind: str = "none"
    """``kill``, ``lose`` (an answer of the host) or ``meanwhile``."""
    meanwhile: object = None
    """What happens in between: called without arguments."""
    at: str = ""
    """Counts only steps of this name."""


class CheckedHost(MemoryHost):
    """The host with check runs, and an eye on what is written on them."""

    def __init__(self, now, seen, published):
        super().__init__(now)
        self.checks_of = {}
        """id → CheckRun as it stands"""
        self.seen = seen
        self.published = published

    def pull_requests_of(self, sha):
        self._ask("pull_requests_of")
        return tuple(pull for pull in self.pulls.values() if pull.head_sha == sha)

    def open_pull_requests(self, base=None):
        self._ask("open_pull_requests")
        return tuple(pull for pull in self.pulls.values() if pull.is_open)

    def checks(self, sha, name=None):
        self._ask("checks")
        return tuple(
            self._hosted(found)
            for found in sorted(self.checks_of, reverse=True)
            if self.checks_of[found].head_sha == sha
        )

    def _hosted(self, found):
        run = self.checks_of[found]
        return HostedCheck(
            id=found, name=run.name, head_sha=run.head_sha, external_id=run.external_id, app_id=1, conclusion=run.conclusion,
            title=run.title, url="https://x.test", started_at=None, annotations=0,
        )  # fmt: skip

    def create_check(self, run, look=None):
        self._ask("create_check")
        looked = self._look(look)
        known = next((n for n, one in self.checks_of.items() if one.external_id == run.external_id), None)
        found = known or 5_000 + len(self.checks_of)
        self._write(found, run, looked)
        self._ask("create_check done")
        return found

    def update_check(self, number, run, look=None):
        self._ask("update_check")
        looked = self._look(look)
        if number not in self.checks_of:
            raise NotFound("Not Found")
        self._write(number, run, looked)
        self._ask("update_check done")

    def _write(self, number, run, looked):
        assert run.name == NAME
        self.checks_of[number] = run
        self.seen(run)
        if run.conclusion is not None and said(run.summary):
            self.published(int(run.external_id.split(":")[2]), run.head_sha, looked)

    def _look(self, look):
        """The heads as they were at the last look; then it may happen that somebody pushes before the write arrives."""
        if look is not None:
            look()
        heads = {number: pull.head_sha for number, pull in self.pulls.items()}
        self._ask(GAP)
        return heads

    def find_comment(self, number, marker):
        self._ask("find_comment")
        return next(
            (Comment(id=found, url="https://x.test/c") for found, (n, author, body) in self.comments.items()
             if (n, author) == (number, self.login) and body.startswith(f"{marker} ")),
            None,
        )  # fmt: skip

    def write_comment(self, number, body, marker, known, look=None):
        self._ask("write_comment")
        looked = self._look(look)
        if said(body):
            self.published(number, body.split()[2], looked)
        known = (known if known and known.id in self.comments else None) or self.find_comment(number, marker)
        found = known.id if known else self.posted(number, self.login, body)
        self.comments[found] = (number, self.login, body)
        self._ask("write_comment done")
        return Comment(id=found, url="https://x.test/c")

    def current(self, sha):
        """The check that GitHub shows for a commit: the newest."""
        mine = [found for found, run in self.checks_of.items() if run.head_sha == sha]
        return self.checks_of[max(mine)] if mine else None


class Mortal:
    """The records, with a step before and behind every call."""

    def __init__(self, records, step):
        self._records = records
        self._step = step

    def __getattr__(self, name):
        real = getattr(self._records, name)

        def called(*args, **kwargs):
            self._step(name)
            found = real(*args, **kwargs)
            self._step(name)
            return found

        return called


@dataclass
class Queue:
    """``Durable`` as a set that outlives every process."""

    waiting: dict = field(default_factory=dict)

    async def enqueue(self, run_id, *, unapproved_fork=False, of_page=False):
        self.waiting.setdefault(run_id)

    async def cancel(self, run_id):
        self.waiting.pop(run_id, None)

    async def statuses(self, run_ids):
        return {one: QueueStatus.WAITING if one in self.waiting else QueueStatus.ENDED for one in run_ids}


@dataclass
class Said:
    """An approval as a person posted it."""

    number: int
    author: str
    posted: CommandPosted
    seen: frozenset
    """(digest, status) that this pull request had shown by then."""
    handled: list = field(default_factory=list)
    """(role, time) whenever the bot looked at it."""


class Town:
    """Everything that outlives a process, and what people and the machine do."""

    def __init__(self, store):
        self.store = store
        self.clock = Ticking()
        self.host = CheckedHost(self.clock, self._saw, self._published)
        self.host.trouble = self._step
        self.host.roles = {"ada": Role.WRITE, "mia": Role.WRITE, "max": Role.ADMIN, "rob": Role.READ, "eve": Role.READ}
        self.store.repository(REPO, self.clock())
        self.queue = Queue()
        self.mail = []
        """Intents that were not handled yet."""
        self.commits = {}
        """sha → content"""
        self.policy = dict.fromkeys(BASES, 0)
        self.mended = False
        self.rests = False
        self.unheard = False
        """Something changed that GitHub sends no event about: what is shown may be old until it is stated anew."""
        self.fault = Fault()
        self.steps = 0
        # what the oracle knows
        self.measured = {}
        """(number, head, base ref) → [(digest, status)], oldest first"""
        self.shown = {}
        """number → [(time, head, digest, status)]"""
        self.approvals = []
        self.runs_approved = []
        """(number, sha, author, roles)"""
        self.broken = []
        """Successes that nobody may show."""
        self.counted = Counter()
        """What happened, so that nobody takes a machine for thorough in which nothing does."""
        self.disturbed = False
        """Something happened in the middle of an operation: what it had read may be old by now."""

    # -- one process, until it is killed

    def process(self):
        """A desk and an executor that share nothing in memory with those before."""
        records = Mortal(self.store, self._step)
        clock = self

        class App:
            @staticmethod
            def host(installation_id, repository):
                assert (installation_id, repository) == (REPO.installation_id, REPO.full_name)
                return self.host

        publisher = VerdictPublisher(records, App, "https://github.test", clock)

        reconciler = Reconciler(records, publisher, self.queue, moves=BaseMoves(records, App, self), clock=clock)

        async def reply(posted):
            return await answer(posted, CommandContext(records, self.host, reconciler, None, self.clock, None, None))

        coverage = Coverage(records, App, self.queue, clock)
        handler = IntentHandler(
            records, reconciler, coverage, handle_command=reply, on_default=lambda *_: None, clock=clock
        )
        execution = Execution(
            records, self, publisher, clock, on_superseded=reconciler.superseded, metrics=METRICS,
            health=Health(lambda: 0.0),
        )  # fmt: skip
        reconciler.handle = handler.handle
        return reconciler, execution

    def utc(self):
        return self.clock()

    async def sleep(self, seconds):
        await asyncio.Event().wait()

    def _step(self, name):
        if self.fault.kind == "none" or self.fault.at not in ("", name):
            return
        self.steps += 1
        if self.steps < self.fault.after:
            return
        fault = self.fault
        self.counted[fault.kind] += 1
        if fault.kind == "lose" and name not in LOSABLE:
            return  # the store's answers don't get lost
        self.fault = Fault()
        if fault.kind == "kill":
            raise KilledError
        if fault.kind == "lose":
            raise HostUnavailable("the answer was lost")
        with ThreadPoolExecutor(1) as other:  # it may be a worker, with a loop of its own
            other.submit(fault.meanwhile).result()
        self.disturbed = True

    def run(self, work, fault=None):
        """Runs ``work(desk, execution)`` in a process of its own. Whether it came to its end."""
        outer = (self.fault, self.steps, self.disturbed)
        self.fault, self.steps, self.disturbed = fault or Fault(), 0, False
        reconciler, execution = self.process()
        try:
            with patch("asyncio.to_thread", at_once):
                asyncio.run(work(reconciler, execution))
        except BaseException as error:
            if not _expected(error):
                raise
            return False
        finally:
            self.fault, self.steps, self.disturbed = outer
        return True

    def deliver(self, position, fault=None, *, again=False):
        """One delivery is handled; it stays where it is when that failed, or when it comes ``again``."""
        intent = self.mail[position]
        self._hears(intent)

        async def work(reconciler, execution):
            await reconciler.handle(intent)

        if self.run(work, fault) and not again and intent in self.mail:
            self.mail.remove(intent)

    def _hears(self, intent):
        """The oracle notes the role that somebody has when the bot may ask for it."""
        if isinstance(intent, CommandPosted):
            role = self.host.roles.get(intent.author, Role.NONE)
            for one in self.approvals:
                if one.posted is intent:
                    one.handled.append((role, self.clock()))
            self.runs_approved += [
                (intent.number, found[1], intent.author, role)
                for found in [re.fullmatch(r"/verdict approve-run ([0-9a-f]{40})", intent.body)]
                if found
            ]

    def execute(self, position, fault=None):
        """The executor takes up a run: both steps, as far as it comes."""
        run_id = list(self.queue.waiting)[position]

        async def work(reconciler, execution):
            await execution.measure(run_id)
            if run_id in self.queue.waiting:  # else it was cancelled meanwhile
                await execution.publish(run_id)

        if self.run(work, fault):
            self.queue.waiting.pop(run_id, None)

    def sweep(self, fault=None):
        """What the sweep does for open heads and for runs that nobody executes."""

        async def work(reconciler, execution):
            for run in self.store.open_runs():
                if run.id not in self.queue.waiting:
                    await reconciler.reconcile(REPO, run.number, "sweep")
            for pull in list(self.host.pulls.values()):
                run = self.store.current_run(REPO.repository_id, pull.number)
                if pull.is_open and (run is None or (run.head_sha, run.base_ref) != (pull.head_sha, pull.base_ref)):
                    await reconciler.reconcile(REPO, pull.number, "sweep")

        self.run(work, fault)

    def settle(self):
        """Everything that is under way comes to its end. Where nothing happened since the last time it is so already."""
        if self.rests:
            return
        self.rests = True
        for _ in range(12):
            while self.mail:
                self.deliver(0)
            self.sweep()
            for _ in range(50):
                if not self.queue.waiting:
                    break
                self.execute(0)
            if not self.mail and not self.queue.waiting and not self.store.open_runs():
                break
        else:
            raise AssertionError("it never comes to rest")

    def republish(self, number, fault=None):
        """What stands is stated anew."""
        return self.run(lambda reconciler, _: reconciler.republish(REPO, number), fault)

    # -- what the stub of the engine says

    def prepare(self, repo, pull_request):
        assert repo == REPO
        return Stub(self, pull_request)

    # -- what people do

    def commit(self, content):
        sha = digest_of(["commit", len(self.commits)])[:40]
        self.commits[sha] = content
        return sha

    def opened(self, author, content, *, fork, base_ref, head=None):
        number = len(self.host.pulls) + 1
        self.host.opened(number, head or self.commit(content), author=author, fork=fork, base_ref=base_ref)
        self.mail.append(PullRequestMoved(repo=REPO, number=number, why="opened"))

    def moved(self, number, why, **fields):
        left = self.host.pulls[number].head_sha if "head_sha" in fields else None
        self.host.changed(number, **fields)
        pull = self.host.pulls[number]
        self.mail.append(
            PullRequestMoved(repo=REPO, number=number, why=why, left=left) if pull.is_open
            else PullRequestClosed(repo=REPO, number=number)
        )  # fmt: skip

    def says(self, number, author, body):
        found = self.host.posted(number, author, body)
        posted = CommandPosted(
            repo=REPO, number=number, comment_id=found, author=author, body=body, posted_at=self.clock.iso(),
            url=f"https://github.test/c/{found}",
        )  # fmt: skip
        self.mail.append(posted)
        if body.startswith("/verdict approve "):
            seen = frozenset(
                (digest, status)
                for at, _, digest, status in self.shown.get(number, [])
                if at <= moment(posted.posted_at)
            )
            self.approvals.append(Said(number, author, posted, seen))

    def reviewed(self, number, by, state):
        self.host.reviewed(number, by, self.host.pulls[number].head_sha, state)
        self.mail.append(ReviewGiven(repo=REPO, number=number))

    def dismissed(self, number, by):
        self.host.dismissed(number, by)
        self.mail.append(ReviewGiven(repo=REPO, number=number))

    def pressed(self, number, by):
        self.mail.append(RerunRequested(repo=REPO, number=number, head_sha=self.host.pulls[number].head_sha, by=by))

    # -- the oracle

    def digest_of_content(self, content, base_ref):
        return digest_of([content, base_ref, self.policy[base_ref]])

    def _saw(self, run):
        """A check was written: what it shows, and whether it may."""
        found = said(run.summary)
        _, _, number, head, _, _ = run.external_id.split(":")
        number = int(number)
        if found:  # also while a twin has no verdict yet: the check is under way then, but says what this one's is
            self.shown.setdefault(number, []).append((self.clock(), head, found[1], found[2]))
        if run.conclusion is CheckConclusion.SUCCESS:
            how = (
                "accepted"
                if "(accepted by" in run.title
                else "overridden"
                if "(overridden by" in run.title
                else "passed"
            )
            self.counted[how] += 1
            base_ref = self.store.run(run.external_id).base_ref
            self.must(self.justified(number, head, base_ref, any_of_them=True), number, head, base_ref, run.title)
            for other in self.host.pulls.values():
                if other.is_open and other.head_sha == head and not self.disturbed:
                    self.must(self.justified(other.number, head, other.base_ref, any_of_them=True), other, run.title)

    def _published(self, number, head, looked):
        """A verdict was written: of the head that was there at the last look. What moves after it is fixed: see below."""
        self.must(self.disturbed or looked[number] == head, number, head, "is published as current and isn't")

    def must(self, holds, *about):
        """What doesn't hold is noted: an exception here could be taken for one of the host's."""
        if not holds:
            self.broken.append(about)

    def justified(self, number, head, base_ref, *, any_of_them=False, accepted=True):
        """Whether a success may be shown: it was evaluated and passes, or a person who may accepted what was shown."""
        results = self.measured.get((number, head, base_ref), [])
        return any(
            status == "approved" or (accepted and self._accepted(number, digest, status))
            for digest, status in (results if any_of_them else results[-1:])
        )

    def _accepted(self, number, digest, status):
        author = self.host.pulls[number].author
        if status in (WAITING, "error"):
            return False
        for one in self.approvals:
            fresh = [at for role, at in one.handled if role in WRITERS and self.clock() < at + WEEK]
            if one.number == number and one.author != author and fresh and (digest, status) in one.seen:
                return True
        if status != "needs_review":
            return False
        last = {}
        for n, review in self.host.given:
            if n == number and review.state in (
                ReviewState.APPROVED,
                ReviewState.CHANGES_REQUESTED,
                ReviewState.DISMISSED,
            ):
                last[review.reviewer] = review
        return any(
            review.state is ReviewState.APPROVED
            and by != author
            and self.host.roles.get(by) in WRITERS
            and any(
                (head, known, was) == (review.commit, digest, status) and at <= moment(review.submitted_at)
                for at, head, known, was in self.shown.get(number, [])
            )
            for by, review in last.items()
        )

    def check_all(self):
        """At rest: a head shows success exactly where every open pull request with it deserves it."""
        for pull in self.host.pulls.values():
            if not pull.is_open:
                continue
            sharing = [p for p in self.host.pulls.values() if p.is_open and p.head_sha == pull.head_sha]
            deserved = all(self.justified(p.number, p.head_sha, p.base_ref) for p in sharing)
            passes = all(self.justified(p.number, p.head_sha, p.base_ref, accepted=False) for p in sharing)
            current = self.host.current(pull.head_sha)
            assert current is not None, pull
            assert current.conclusion is not None, (pull, "still under way")
            success = current.conclusion is CheckConclusion.SUCCESS
            assert deserved if success else not passes, (pull, current.title, deserved)
            (comment,) = [body for body in self.host.ours(pull.number) if body.startswith("<!-- prompt-verdict ")]
            assert comment.startswith(f"<!-- prompt-verdict {pull.head_sha} -->"), (pull, comment)
            found = said(comment)
            assert found is not None, (pull, comment)
            assert found.groups() == self.measured[pull.number, pull.head_sha, pull.base_ref][-1], (pull, comment)
        ours = [body.split("\n")[0] for _, author, body in self.host.comments.values() if author == self.host.login]
        answers = [line for line in ours if line.startswith("<!-- prompt-verdict-answer")]
        answered = [int(line.split()[2]) for line in answers]
        asked = {found: of[:2] for found, of in self.host.comments.items() if of[1] != self.host.login}
        assert len(answered) == len(set(answered))
        assert asked.keys() >= set(answered)
        most = Counter(asked[found] for found in answered)
        assert all(found in answered or most[who] >= MOST_ANSWERS for found, who in asked.items())


def said(text):
    """The verdict in a text of ours, if it holds one: which content has which status."""
    return re.search(r"content ([0-9a-f]{64}) is (\w+)", html.unescape(re.sub("</?code>", "", text)))


class Stub:
    """``bot.runs.evaluation.Preparation`` without an engine."""

    def __init__(self, town, pull_request):
        self.town = town
        self.pull_request = pull_request
        self.content = town.commits[pull_request.head_sha]
        self.content_digest = town.digest_of_content(self.content, pull_request.base_ref)

    def static(self):
        raise AssertionError("measure says it")

    @property
    def comment(self):
        return CommentPolicy.ALWAYS

    def running(self):
        return notice(self.pull_request.head_sha, "⏳ Prompt Verdict: running", "Measuring.")

    async def measure(self, tell):
        town, pull = self.town, self.pull_request
        status = VERDICTS[self.content, pull.base_ref]
        if status is VerdictStatus.ERROR and town.mended:
            status = VerdictStatus.BLOCKED
        reasons = ()
        name = status.value
        if pull.trust is Trust.FORK:
            status, name = VerdictStatus.NEEDS_REVIEW, WAITING
            reasons = (Reason(code=ReasonCode.UNTRUSTED, status=status, sentence="A fork."),)
        elif town.host.pulls[pull.number].head_repository != REPO.full_name:
            town.must(
                any(
                    (number, sha) == (pull.number, pull.head_sha) and role in WRITERS
                    for number, sha, _, role in town.runs_approved
                ),
                "a fork was measured that nobody approved",
            )
        town.measured.setdefault((pull.number, pull.head_sha, pull.base_ref), []).append((self.content_digest, name))
        return Evaluated(
            Scorecard(
                status=status, passes=status is VerdictStatus.APPROVED, title=name, reasons=reasons, comment=CommentPolicy.ALWAYS,
                summary=f"content {self.content_digest} is {name}",
                base=CommitRef(ref=pull.base_ref, sha=pull.base_sha), merge_base=pull.base_sha,
                head=CommitRef(ref=pull.head_ref, sha=pull.head_sha),
            )
        )  # fmt: skip

    async def aclose(self):
        return None


async def at_once(work, *args, **kwargs):
    """``asyncio.to_thread`` without the thread: nothing here waits, and ten thousand schedules are to be walked."""
    return work(*args, **kwargs)


METRICS = Metrics()
LOSABLE = {
    "pull_request", "branch", "required_checks", "authorship", "reviews", "role", "react", "pull_requests_of", "checks", "create_check", "create_check done",
    "update_check", "update_check done", "find_comment", "write_comment", "write_comment done", "comment", "comment was written",
}  # fmt: skip


def _expected(error):
    """Whether an operation may end so: killed, or an answer was lost."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_expected, error.exceptions))
    return isinstance(error, KilledError | HostUnavailable)
