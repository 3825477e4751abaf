"""A runner, a GitHub and a pipeline whose verdicts the test writes, so that what is tested is the shell alone.

The scripted pipeline reads real commits through the shell's own partial repository: a prompt that differs is measured
with as many paid calls as the test says, and the content digest is made of the prompt and of the gate's file.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from github import Auth

from action.environment import read_environment
from action.job import Job
from action.outputs import Runner
from adapters.git.remote import RemoteRepository
from adapters.github.host import GitHubHost
from schemas.config import CommentPolicy
from schemas.pullrequests import Trust
from schemas.scorecard import CommitRef, LineageCard, Scorecard, Spending
from schemas.values import digest_of
from schemas.verdicts import Reason, ReasonCode, VerdictStatus
from tests.action.test_outputs import parse_outputs
from tests.fakes.github import FakeGitHub, Scene

ALL = {"contents": "read", "pull_requests": "write", "statuses": "write", "actions": "read"}
PROMPT, GATE = "prompts/triage.md", "promptverdict.yaml"


@dataclass
class Script:
    """What the pipeline will say."""

    status: VerdictStatus = VerdictStatus.APPROVED
    comment: CommentPolicy = CommentPolicy.ALWAYS
    calls: int = 40
    paid: int = 0
    """Calls made so far, over all runs."""
    during: list = field(default_factory=list)
    """What happens on GitHub while the calls are made."""
    bases: list[str] = field(default_factory=list)
    """Base commits that were judged by."""
    defaults: list[str | None] = field(default_factory=list)
    """Tips of the default branch that the base was compared with."""
    stored: set[str] = field(default_factory=set)
    """Content that was measured: it costs nothing again."""
    lineages: tuple[LineageCard, ...] = ()


@dataclass
class Scripted:
    pull_request: object
    script: Script
    blobs: dict
    policy: object
    runs: bool

    @property
    def comment(self):
        return self.script.comment

    @property
    def content_digest(self):
        return digest_of([self.blobs, self.policy])

    def card(self, status, passes, made=0, **more):
        pr = self.pull_request
        return Scorecard(
            status=status, passes=passes, title=status.value, summary="A sentence.", comment=self.script.comment,
            base=CommitRef(ref=pr.base_ref, sha=pr.base_sha), head=CommitRef(ref=pr.head_ref, sha=pr.head_sha),
            merge_base=None, lineages=self.script.lineages, spending=Spending(planned=self.script.calls, made=made), **more,
        )  # fmt: skip

    def static(self):
        if not self.runs:
            return self.card(VerdictStatus.NOT_APPLICABLE, passes=True)
        reason = Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_REVIEW, sentence="A fork.")
        return self.card(VerdictStatus.NEEDS_REVIEW, passes=False, reasons=(reason,), dry_run=True)

    @property
    def calls(self):
        return self.runs and self.pull_request.trust is not Trust.FORK

    def running(self):
        if not self.calls:
            return None
        return f"<!-- prompt-verdict {self.pull_request.head_sha} -->\n## running\n"

    async def measure(self, report):
        if not self.calls:
            return self.static()
        report("0 of 40 calls")
        for happening in self.script.during:
            happening()
        made = 0 if self.content_digest in self.script.stored else self.script.calls
        self.script.stored.add(self.content_digest)
        self.script.paid += made
        good = self.script.status in (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE)
        return self.card(self.script.status, passes=good, made=made)


@dataclass
class ScriptedPipeline:
    tree: RemoteRepository
    script: Script

    def prepare(self, pull_request):
        self.script.bases.append(pull_request.base_sha)
        self.script.defaults.append(pull_request.default_sha)
        here = self.tree.lookup(pull_request.head_sha, [PROMPT, GATE])
        there = self.tree.lookup(pull_request.base_sha, [PROMPT, GATE])
        blobs = {path: entry.blob for path, entry in here.items()}
        policy = self.tree.lookup(pull_request.base_sha, [GATE])[GATE].blob
        return Scripted(pull_request, self.script, blobs, policy, here.get(PROMPT) != there.get(PROMPT))


@dataclass
class Ran:
    code: int
    log: str
    outputs: dict
    summary: str


class Stage:
    def __init__(self, github: FakeGitHub, scene: Scene, folder: Path) -> None:
        self.github, self.scene, self.folder = github, scene, folder
        self.script = Script()
        self.runs = 0
        self.home = folder / "home"

    def variables(self, name: str, payload: dict, **more: str) -> dict[str, str]:
        self.runs += 1
        work = self.folder / f"run-{self.runs}"
        work.mkdir()
        (work / "event.json").write_text(json.dumps(payload))
        return {
            "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(work / "event.json"), "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url, "GITHUB_RUN_ID": str(self.runs), "GITHUB_OUTPUT": str(work / "output"),
            "GITHUB_STEP_SUMMARY": str(work / "summary"), "HOME": str(self.home),
            "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/prompt-verdict.yml@refs/heads/main", **more,
        }  # fmt: skip

    def run(self, name: str, payload: dict, permissions: dict | None = None, **inputs: str) -> Ran:
        token = self.github.actions_token(self.scene.repository, **(ALL if permissions is None else permissions))
        variables = self.variables(name, payload, **{"INPUT_GITHUB-TOKEN": token, **inputs})
        environment = read_environment(variables)
        stream = io.StringIO()
        host = GitHubHost("acme/shop", Auth.Token(token), api_url=self.github.api_url, sleep=lambda _: None)
        tree = RemoteRepository(
            self.folder / f"copy-{self.runs}.git",
            f"{self.github.server_url}/acme/shop.git",
            token,
            sleep=lambda _: None,
        )
        job = Job(
            environment, Runner(stream, environment.output_path, environment.summary_path), host, tree,
            ScriptedPipeline(tree, self.script), lambda *_: dict.fromkeys(("scorecard.json", "scorecard.md", "report.html"), "x"),
        )  # fmt: skip
        code = job.run()
        work = self.folder / f"run-{self.runs}"
        texts = {n: (work / n).read_text() if (work / n).exists() else "" for n in ("output", "summary")}
        return Ran(code, stream.getvalue(), parse_outputs(texts["output"]), texts["summary"])

    # what stands on GitHub afterwards

    @property
    def comments(self) -> list[str]:
        return [c["body"] for c in self.scene.repository.comments if c["author"] == "github-actions[bot]"]

    def states(self, sha: str) -> list[str]:
        """Oldest first."""
        return [
            s["state"] for s in reversed(self.scene.repository.statuses_of(sha)) if s["context"] == "prompt-verdict"
        ]

    def state(self, sha: str) -> str | None:
        return next(iter(self.states(sha)[::-1]), None)
