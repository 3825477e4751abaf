"""What happens on GitHub in a storm: pull requests are opened, pushed, retargeted and closed, and webhooks tell of it,
duplicated, shuffled and lost. ``benchmarks.webhooks`` blows it."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.bot.scripted import FILES, PROMPT
from tests.fakes.github import FakeGitHub, Scene
from tests.fakes.github.server import Fault
from tests.fakes.github.state import timestamp
from tests.fakes.github.webhooks import Delivery

EVENTS = frozenset(["pull_request", "issue_comment", "push"])
WORDS = {"approved": "success", "blocked": "failure", "inconclusive": "success", "needs_review": "action_required"}
"""The verdict that a prompt asks for, and the conclusion that its check is to have."""
ROUNDS = 12
UNIQUE = 0.58
"""Share of unique deliveries. The others repeat an earlier one."""
LOST_DELIVERIES = 0.01
LOST_ANSWERS, REFUSED = 0.03, 0.03
"""Share of failing tries of writes to GitHub, other than requests for a token."""


@dataclass
class Storm:
    """The planned and the actual events."""

    github: FakeGitHub
    seed: int
    pulls: int
    deliveries: int
    rate: float
    """Deliveries per second."""
    scenes: list[Scene] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    """Seconds until each delivery was acknowledged."""
    statuses: Counter[object] = field(default_factory=Counter)
    heads: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many heads each pull request had."""
    moved: dict[tuple[str, int], float] = field(default_factory=dict)
    """When each got its present head and base."""
    writes: Counter[str] = field(default_factory=Counter)
    """Tries of our writes, and what went wrong with them."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.chaos = random.Random(self.seed + 1)

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Returns the fault of one request."""
        if method not in ("POST", "PATCH", "PUT", "DELETE") or "access_tokens" in path:
            return None
        self.writes["tries"] += 1
        drawn = self.chaos.random()
        if drawn < LOST_ANSWERS:
            self.writes["lost"] += 1
            return Fault(method, path, lost=True)
        if drawn < LOST_ANSWERS + REFUSED:
            self.writes["5xx"] += 1
            return Fault(method, path, status=502)
        return None

    # actions of people

    def town(self, app: Any) -> None:
        """Builds three repositories with the App installed."""
        for name in ("acme/shop", "acme/desk", "umbrella/lab"):
            repository = self.github.repository(name, mia="maintain", ada="write")
            main = repository.git.commit("main", FILES)
            repository.git.commit("release", {"README.md": "release\n"}, parents=(main,))
            repository.git.find = _remembered(repository.git.find)  # type: ignore[method-assign]
            self.scenes.append(Scene(self.github, repository))
        installation = self.github.next_id()
        app.installations[installation] = frozenset(scene.repository.full_name for scene in self.scenes)

    def prompt(self) -> dict[str, str]:
        word = self.random.choices(list(WORDS), (6, 2, 1, 1))[0]
        return {PROMPT: f"Sort the ticket {self.random.getrandbits(64)}, {word}.\n"}

    def note(self, scene: Scene, pull: Any, *, head: bool = True) -> None:
        """Records that a pull request has a new head or base from now on. Called with GitHub's lock held."""
        where = (scene.repository.full_name, pull.number)
        self.heads[where] += head
        self.moved[where] = time.monotonic()

    def happenings(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """Returns the events on GitHub in one round."""
        events: list[tuple[str, dict[str, Any]]] = []
        for _ in range(self.pulls // ROUNDS + (number < self.pulls % ROUNDS)):
            scene = self.random.choice(self.scenes)
            with self.github.lock:
                pull, opened = scene.open_pull(self.prompt(), branch=f"change-{self.random.getrandbits(40)}")
                self.note(scene, pull)
            events.append(("pull_request", opened))
        every = [(scene, pull) for scene in self.scenes for pull in scene.repository.pulls.values()]
        for scene, pull in self.random.sample(every, max(1, len(every) // 3)):
            with self.github.lock:
                events.append(("pull_request", self.moves(scene, pull)))
        return events

    def moves(self, scene: Scene, pull: Any) -> dict[str, Any]:
        """Changes the state of a pull request, mostly by a push."""
        if pull.state == "closed":
            pull.state = "open"
            return scene.pull_event("reopened", pull)
        if self.random.random() < 0.05:
            pull.state = "closed"
            return scene.pull_event("closed", pull)
        if self.random.random() < 0.05:
            event = scene.retarget(pull, "release" if pull.base_ref == "main" else "main")
            self.note(scene, pull, head=False)
            return event
        event = scene.push(pull, self.prompt())
        self.note(scene, pull)
        return event

    def noise(self) -> tuple[str, dict[str, Any]]:
        """Returns an event that changes nothing: a late hint, a label, a comment, a push."""
        scene = self.random.choice([scene for scene in self.scenes if scene.repository.pulls])
        pull = self.random.choice(list(scene.repository.pulls.values()))
        kind = self.random.choice(["synchronize", "labeled", "edited", "comment", "push"])
        if kind == "comment":
            shown = scene.pull_event("created", pull)
            comment = {"id": 1, "body": "Looks good.", "user": {"login": "rob", "type": "User"}}
            return "issue_comment", {**shown, "issue": {"number": pull.number}, "comment": comment}
        if kind == "push":
            sha = "1" * 40
            pushed = {"ref": "refs/heads/main", "before": sha, "after": sha, "deleted": False}
            return "push", scene.pull_event("push", pull) | pushed
        return "pull_request", scene.pull_event(kind, pull)

    # deliveries

    def script(self, number: int) -> list[Delivery]:
        """Returns the deliveries of one round: unique ones, and duplicates of earlier ones, shuffled."""
        total = self.deliveries // ROUNDS + (number < self.deliveries % ROUNDS)
        events = self.happenings(number)
        unique = max(len(events), int(total * UNIQUE))
        events += [self.noise() for _ in range(unique - len(events))]
        app, _ = self.github.hooks[0]
        fresh = [
            self.delivery(str(uuid.UUID(int=self.random.getrandbits(128))), event, self.body(payload, app))
            for event, payload in events
        ]
        again = [
            self.delivery(one.guid, one.event, one.body, redelivery=True)
            for one in self.random.choices(self.sent + fresh, k=max(0, total - len(fresh)))
        ]
        made = fresh + again
        self.random.shuffle(made)
        self.sent += fresh
        return made

    def body(self, payload: dict[str, Any], app: Any) -> bytes:
        return self.github.webhooks.body_for(payload, app)

    def delivery(self, guid: str, event: str, body: bytes, *, redelivery: bool = False) -> Delivery:
        app, hook = self.github.hooks[0]
        assert app is not None
        number, at = self.github.next_id(), timestamp(time.time())
        return Delivery(number, guid, event, app.id, body, hook, at, redelivery=redelivery)

    def deliver(self, delivery: Delivery) -> None:
        self.github.webhooks.deliveries.append(delivery)
        if not delivery.redelivery and self.chaos.random() < LOST_DELIVERIES:
            delivery.status_code = 502
            self.statuses["lost"] += 1
            return
        began = time.monotonic()
        self.github.webhooks.send(delivery)
        self.acks.append(time.monotonic() - began)
        self.statuses[delivery.status_code] += 1

    def blow(self) -> None:
        """Plays all rounds at the given rate."""
        with ThreadPoolExecutor(16) as senders:
            start, count = time.monotonic(), 0
            for number in range(ROUNDS):
                for delivery in self.script(number):
                    count += 1
                    time.sleep(max(0.0, start + count / self.rate - time.monotonic()))
                    senders.submit(self.deliver, delivery)

    def open_pulls(self) -> Iterator[tuple[Scene, Any]]:
        for scene in self.scenes:
            for pull in scene.repository.pulls.values():
                if pull.state == "open":
                    yield scene, pull


def _remembered(find: Any) -> Any:
    """Caches what can't change in git: commits, and the two branches that get no push."""
    known: dict[str, str] = {}

    def remembered(name: str) -> str | None:
        if name in known:
            return known[name]
        sha: str | None = find(name)
        if sha is not None and (name == sha or name in ("refs/heads/main", "refs/heads/release")):
            known[name] = sha
        return sha

    return remembered
