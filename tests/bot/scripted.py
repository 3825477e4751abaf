"""An evaluation whose verdicts the test writes: its calls are paid in the real outcome store, its waiting is cut off by a
cancel as a provider's would be."""

import asyncio
from decimal import Decimal

from adapters.store import open_store
from bot.runs.evaluation import Evaluated
from bot.store.repository_outcomes import RepositoryOutcomes
from engine.render.progress import notice
from schemas.config import CommentPolicy
from schemas.outcomes import Completion, Finish, StoredCompletion, Usage
from schemas.pullrequests import Trust
from schemas.scorecard import CommitRef, Scorecard, Spending
from schemas.values import digest_of
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

PROMPT, GATE = "prompts/triage.md", "promptverdict.yaml"
FILES = {PROMPT: "Sort the ticket.\n", GATE: "version: 1\n"}


class Scripted:
    """``bot.runs.evaluation.Evaluation``. The prompt's last word is the verdict; no word: approved."""

    def __init__(self, settings, records, sources, clock, *, calls=4, call_s=0.0):
        self.settings, self.records, self.sources, self.clock = settings, records, sources, clock
        self.calls, self.call_s = calls, call_s
        self.made = []
        """(head, time) of each call that was begun."""
        self.compared = []
        """Tips of a base that were compared."""
        self.bases = []
        """Base commits that were judged by."""
        self.defaults = []
        """Tips of the default branch that the base was compared with."""
        self.trouble = None
        self._store = None

    @property
    def store(self):
        if self._store is None:
            self._store = open_store(self.settings.outcomes_url, repairs=True)
        return self._store

    def changed_prompts(self, repo, base_ref, before, after):
        """As the real one: a changed gate concerns all, a changed prompt its lineage."""
        self.compared.append((before, after))

        def read(tree):
            tree.fetch([before, after])
            return [tree.lookup(sha, [PROMPT, GATE]) for sha in (before, after)]

        old, new = self.sources.read(repo, read)
        if old[GATE].blob != new[GATE].blob:
            return None
        return frozenset() if old[PROMPT].blob == new[PROMPT].blob else frozenset({"triage"})

    def prepare(self, repo, pull_request):
        self.bases.append(pull_request.base_sha)
        self.defaults.append(pull_request.default_sha)

        def read(tree):
            tree.fetch([pull_request.base_sha, pull_request.head_sha])
            entries = {sha: tree.lookup(sha, [PROMPT, GATE]) for sha in (pull_request.base_sha, pull_request.head_sha)}
            here, base = entries[pull_request.head_sha], entries[pull_request.base_sha]
            prompt = here[PROMPT].blob
            return base, prompt, tree.read([prompt])[prompt].decode(), prompt != base[PROMPT].blob

        base, prompt, text, runs = self.sources.read(repo, read)
        if self.trouble is not None:
            raise self.trouble
        return ScriptedPreparation(self, repo, pull_request, text, digest_of([prompt, base[GATE].blob]), runs)

    async def aclose(self):
        if self._store is not None:
            await self._store.aclose()
            self._store = None


class ScriptedPreparation:
    def __init__(self, evaluation, repo, pull_request, text, content_digest, runs):
        self.evaluation, self.repo, self.pull_request = evaluation, repo, pull_request
        self.text, self.content_digest, self.runs = text, content_digest, runs

    def card(self, status, *, made=0, **more):
        pr = self.pull_request
        good = status in (VerdictStatus.APPROVED, VerdictStatus.INCONCLUSIVE, VerdictStatus.NOT_APPLICABLE)
        return Scorecard(
            status=status, passes=good, title=f"{status.value}: a title", summary="A sentence.",
            base=CommitRef(ref=pr.base_ref, sha=pr.base_sha), head=CommitRef(ref=pr.head_ref, sha=pr.head_sha),
            merge_base=None, comment=CommentPolicy.ALWAYS, spending=Spending(planned=self.evaluation.calls, made=made), **more,
        )  # fmt: skip

    def static(self):
        if not self.runs:
            return self.card(VerdictStatus.NOT_APPLICABLE)
        why = Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_REVIEW, sentence="A fork.")
        return self.card(VerdictStatus.NEEDS_REVIEW, reasons=(why,))

    @property
    def comment(self):
        return CommentPolicy.ALWAYS

    def running(self):
        if self.pull_request.trust is Trust.FORK or not self.runs:
            return None
        return notice(self.pull_request.head_sha, "⏳ Prompt Verdict: running", "Measuring.")

    async def measure(self, tell):
        if self.pull_request.trust is Trust.FORK or not self.runs:
            return Evaluated(self.static())
        ours = self.evaluation
        store = RepositoryOutcomes(ours.store, ours.records, self.repo, ours.clock)
        made = 0
        for number in range(ours.calls):
            tell(f"{number} of {ours.calls} calls")
            made += await self.call(store, (digest_of([self.content_digest, number]), 0))
        word = self.text.split()[-1].strip(".")
        known = [status for status in VerdictStatus if status.value == word]
        return Evaluated(self.card(known[0] if known else VerdictStatus.APPROVED, made=made))

    async def call(self, store, key):
        """Looked up, else claimed, paid and stored: as engine/runner/calls.py does."""
        while key not in await store.get([key]):
            if key not in await store.claim([key]):
                await asyncio.sleep(0.05)
                continue
            if key in await store.get([key]):
                await store.release([key])
                return 0
            self.evaluation.made.append(self.pull_request.head_sha)
            await asyncio.sleep(self.evaluation.call_s)
            await store.put([paid(*key)])
            return 1
        return 0


def paid(digest, repetition):
    completion = Completion(
        text="billing", finish=Finish.STOP, usage=Usage(input=9, output=1), model="m", latency_s=0.1
    )
    return StoredCompletion(
        request_digest=digest, repetition=repetition, completion=completion, cost_usd=Decimal("0.01"),
        neutral_cost_usd=Decimal("0.01"), provider="offline", model="m", created_at="2026-11-21T12:00:00Z",
    )  # fmt: skip
