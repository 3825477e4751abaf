"""The whole bot in this process: the fake GitHub around it, the web in one thread, a worker in another."""

import asyncio
import threading
import time
from contextlib import contextmanager, suppress

from adapters.clock import SystemClock
from bot.site import add_hub, add_intake, services_of
from bot.store.records import Records
from bot.telemetry.metrics import Metrics
from bot.webhooks.endpoints import create_app
from bot.worker import make_worker
from tests.bot.served import SECRET, served, settings_for
from tests.fakes.github import FakeGitHub, Scene
from tests.fakes.github.state import Hook

PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}
EVENTS = frozenset(
    [
        "pull_request",
        "pull_request_review",
        "check_run",
        "check_suite",
        "issue_comment",
        "merge_group",
        "push",
        "installation",
    ]
)
PATIENCE_S = 30


class Whole:
    """The App, installed on repositories that tests add, and what stands in the newest of them."""

    def __init__(self, github: FakeGitHub, folder, *, url=None, slot="one", **settings):
        self.github = github
        self.app, self.installation = github.app("prompt-verdict", [], **PERMISSIONS)
        self.settings = settings_for(
            folder,
            PROMPTVERDICT_APP_ID=str(self.app.id),
            PROMPTVERDICT_PRIVATE_KEY=self.app.private_key,
            PROMPTVERDICT_API_URL=github.api_url,
            PROMPTVERDICT_SERVER_URL=github.server_url,
            PROMPTVERDICT_SLOT=slot,
            **({"DATABASE_URL": url} if url else {}),
            **settings,
        )
        folder.mkdir(exist_ok=True, parents=True)
        self.records = Records(self.settings.database_url)
        self.records.migrate()
        self.clock = SystemClock()
        self.loop = None
        self.worker = None

    def move_to(self, name, files):
        """A new repository, which the App covers: the stage from now on."""
        repository = self.github.repository(name, mia="maintain", max="write", ada="write", rob="read")
        repository.git.commit("main", files)
        self.app.installations[self.installation] |= {name}
        required = {"context": "prompt-verdict", "integration_id": self.app.id}
        repository.required_checks = {"main": [required], "release": [required]}
        self.scene = Scene(self.github, repository)

    @contextmanager
    def web(self):
        """Listens; GitHub delivers there, and applications read and send."""
        metrics = Metrics()
        app = create_app(self.records, self.settings, clock=self.clock, metrics=metrics, wake=self._wake)
        add_hub(app, self.records, self.settings, self.clock, services_of(self.records, self.settings, self.clock)[0])
        add_intake(app, self.records, self.settings, self.clock, metrics)
        with served(app) as address:
            self.github.hooks.append((self.app, Hook(f"{address}/webhook", SECRET, EVENTS)))
            yield address
            self.github.hooks.pop()

    @contextmanager
    def working(self, make=make_worker, *, sweeping=True):
        """A worker in a thread of its own. Without ``sweeping`` nothing happens but what events lead to."""
        started = threading.Event()
        failure = []

        async def work():
            self.loop, self.wake = asyncio.get_running_loop(), asyncio.Event()
            self.worker = make(self.settings, self.records, Metrics(), self.wake)
            await self.worker.start()
            run = self.worker.run if sweeping else self.worker.delivery_processor.run
            self.task = asyncio.ensure_future(run())
            started.set()
            with suppress(asyncio.CancelledError):
                await self.task
            await self.worker.stop()

        def thread():
            try:
                asyncio.run(work())
            except BaseException as error:
                failure.append(error)
                started.set()
                raise

        running = threading.Thread(target=thread)
        running.start()
        started.wait(PATIENCE_S)
        assert not failure, failure
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self.task.cancel)
            running.join(PATIENCE_S)
            self.loop = None
            assert not running.is_alive()

    def _wake(self):
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.wake.set)

    def emit(self, event, payload):
        """As GitHub delivers it."""
        return self.github.webhooks.emit(event, payload)

    def do(self, coroutine):
        """Runs something in the worker's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def until(self, true, patience_s=PATIENCE_S):
        """Waits for something to become true."""
        end = time.monotonic() + patience_s
        while not (found := true()):
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.02)
        return found

    def quiet(self, patience_s=PATIENCE_S):
        """Waits until no delivery and no run is open."""
        self.until(lambda: not self.records.unhandled_count() and not self.records.open_runs(), patience_s)

    # what stands on GitHub afterwards

    @property
    def comments(self):
        return [c["body"] for c in self.scene.repository.comments if c["author"] == self.app.login]

    def checks(self, sha):
        """Oldest first."""
        return [c for c in self.scene.repository.check_runs if c["head_sha"] == sha and c["name"] == "prompt-verdict"]

    def conclusions(self, sha):
        return [check["conclusion"] for check in self.checks(sha)]
