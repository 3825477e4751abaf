"""Checks what GitHub shows after a storm, and what was written there meanwhile.

A verdict belongs to a commit, and every check and comment of ours names its own. A verdict on an old commit must not
remain as the newest one of its pull request. GitHub has no transaction over reading and writing, so a push can come in
between. Such a verdict is counted, with the time from the push to the write, and from the write until it was taken
back. Taking back cancels the check as superseded and updates the comment. A comment that was never taken back is an
error. A check that wasn't (its worker was killed at that moment) does no harm: it belongs to a commit that can't be
merged any more. A check's run names head and base; a comment names its head.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.storm import WORDS, Storm
from schemas.values import digest_of
from tests.bot.scripted import PROMPT
from tests.fakes.github import Scene

CHECK = "prompt-verdict"
MARKER = "<!-- prompt-verdict "
RUNNING = "Prompt Verdict: running"


@dataclass
class Late:
    """A verdict that was written after the pull request had moved on."""

    after_s: float
    """Since the push."""
    at: float
    back_at: float | None = None
    """When we took it back."""


@dataclass
class Account:
    """Watches all of our writes, and inspects the final state."""

    storm: Storm
    verdicts: int = 0
    late: list[Late] = field(default_factory=list)
    _standing: dict[tuple[str, str], Late] = field(default_factory=dict)
    """Late ones that weren't taken back yet, by the check or comment."""

    def watch(self) -> None:
        """Starts watching."""
        github = self.storm.github
        answer = github.answer

        def noted(request: Any) -> Any:  # with GitHub's lock held, so nothing is pushed meanwhile
            reply = answer(request)
            if request.method in ("POST", "PATCH") and reply.status < 300 and isinstance(reply.body, dict):
                self._note(request.path, request.json_or_none() or {}, reply.body)
            return reply

        github.answer = noted  # type: ignore[method-assign]

    def _note(self, path: str, asked: dict[str, Any], made: dict[str, Any]) -> None:
        scene = next((s for s in self.storm.scenes if f"/{s.repository.full_name}/" in path), None)
        if scene is None:
            return
        if "/check-runs" in path and asked.get("conclusion"):
            _, _, number, head, base, _ = made["external_id"].split(":")
            pull = scene.repository.pulls[int(number)]
            current = (head, base) == (pull.head_sha, digest_of(pull.base_ref)[:16])
            self._wrote(scene, pull, ("check", str(made["id"])), current or asked["conclusion"] == "cancelled")
            self.verdicts += asked["conclusion"] != "cancelled"
        elif "/comments" in path and str(asked.get("body", "")).startswith(MARKER):
            comment = next(c for c in scene.repository.comments if c["id"] == made["id"])
            pull, verdict = scene.repository.pulls[comment["issue"]], RUNNING not in asked["body"]
            self._wrote(scene, pull, ("comment", str(made["id"])), not verdict or pull.head_sha in _first_line(asked))
            self.verdicts += verdict

    def _wrote(self, scene: Scene, pull: Any, what: tuple[str, str], holds: bool) -> None:
        """Checks whether a write on a check or a comment was allowed."""
        now = time.monotonic()
        before = self._standing.pop(what, None)
        if before is not None:
            before.back_at = now
        if not holds:
            late = Late(now - self.storm.moved[scene.repository.full_name, pull.number], now)
            self.late.append(late)
            self._standing[what] = late

    def superseded(self) -> dict[str, Any]:
        """Returns verdicts on superseded states of pull requests."""
        back = [late.back_at - late.at for late in self.late if late.back_at is not None]
        return {
            "verdicts written": self.verdicts,
            "of them after the pull request moved on": len(self.late),
            "the latest of them s": round(max((late.after_s for late in self.late), default=0.0), 2),
            "taken back": len(back),
            "taken back after s": round(max(back, default=0.0), 2),
            "left on their own commits": sum(kind == "check" for kind, _ in self._standing),
        }

    def wrong(self) -> list[str]:
        """Returns everything that is wrong in the final state."""
        found = []
        for scene, pull in self.storm.open_pulls():
            name = f"{scene.repository.full_name}#{pull.number}"
            check = _current(scene, pull)
            expected = WORDS[_word(scene, pull.head_sha)]
            if check is None or check["conclusion"] != expected:
                found.append(f"{name}: check {check and check['conclusion']}, expected {expected}")
            ours = [c["body"] for c in scene.repository.comments_of(pull.number)]
            if len(ours) != 1 or pull.head_sha not in ours[0].splitlines()[0] or RUNNING in ours[0]:
                found.append(f"{name}: {len(ours)} comments, or no verdict on {pull.head_sha[:7]}")
        for scene in self.storm.scenes:
            for number, times in Counter(c["issue"] for c in scene.repository.comments).items():
                if times != 1:
                    found.append(f"{scene.repository.full_name}#{number}: {times} comments")
            for external, times in Counter(c["external_id"] for c in scene.repository.check_runs).items():
                if times != 1:
                    found.append(f"{times} checks {external}")
            found += [
                f"check under way on {c['head_sha'][:7]}" for c in scene.repository.check_runs if not c["conclusion"]
            ]
        return found


def _first_line(comment: dict[str, Any]) -> str:
    return str(comment["body"]).splitlines()[0]


def _current(scene: Scene, pull: Any) -> dict[str, Any] | None:
    runs = [c for c in scene.repository.check_runs if (c["head_sha"], c["name"]) == (pull.head_sha, CHECK)]
    return runs[-1] if runs else None


def _word(scene: Scene, head: str) -> str:
    text = scene.git.run("--git-dir", str(scene.git.path), "show", f"{head}:{PROMPT}").decode()
    return text.split()[-1].strip(".")


def paid_twice(outcomes: str) -> tuple[int, int]:
    """Returns the number of stored calls, and of those paid again after they were stored."""
    count = "SELECT count(*) AS n FROM {} GROUP BY request_digest, repetition"
    if outcomes.startswith("postgresql"):
        import psycopg

        with psycopg.connect(outcomes) as connection:
            rows = connection.execute(count.format("promptverdict_completions")).fetchall()
    else:
        with contextlib.closing(sqlite3.connect(outcomes)) as connection:
            rows = connection.execute(count.format("completions")).fetchall()
    return len(rows), sum(n - 1 for (n,) in rows)
