"""Searches and sentences on every example: classification, extraction, generation with a judge, and an agent."""

import re
from decimal import Decimal

import pytest

from adapters.optimizer import GepaOptimizer
from adapters.providers.open_provider import provider_for
from adapters.store import open_store
from benchmarks.staged import blobs
from engine.improve import suggest as searching
from engine.improve.ask import ask, prepare_ask
from engine.improve.ports import Ports
from engine.improve.split import is_sealed
from engine.improve.suggest import prepare_search, suggest
from engine.improve.target import target_of
from engine.pipeline import look
from engine.readers.dialects import value_text
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from schemas.outcomes import Usage
from schemas.pullrequests import PullRequest, Trust
from tests.improve import lab
from tests.pipeline.test_measure import sandbox
from tests.run.laboratory import HandClock, completion

pytestmark = pytest.mark.slow

EDITOR = b"  editor: {provider: offline, model: editor, price: {input: 1, output: 4}, parameters: {max_tokens: 4000}}\n"
ADDED = "Work with care."


class Both:
    """The offline models, and an editor that adds a sentence to the first message that it gets."""

    def __init__(self, config):
        self.offline = provider_for(config.models["offline-large"], {})
        self.asked = []

    async def complete(self, request, *, repetition, timeout_s):
        if request.model != "editor":
            return await self.offline.complete(request, repetition=repetition, timeout_s=timeout_s)
        text = request.messages[0].content
        self.asked.append(text)
        if (found := re.search(r'<message name="([^"]+)">\n(.*?)\n</message>', text, re.DOTALL)) is not None:
            said = f'<message name="{found[1]}">\n{found[2].rstrip()} {ADDED}\n</message>'
        else:
            old = re.search(r"<prompt>\n(.*?)\n</prompt>\n", text, re.DOTALL)[1]
            said = f"<prompt>\n{old.rstrip()} {ADDED} {lab.word(len(self.asked))}\n</prompt>"
        return completion(said, usage=Usage(input=len(text) // 4, output=len(said) // 4))

    async def aclose(self):
        pass


@pytest.mark.parametrize("lineage", ["support-triage", "resume-match", "outreach-email", "support-agent"])
async def test_every_use_case_is_searched_and_edited_and_gives_no_sealed_case_away(lineage, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "ROUNDS", 3)
    content = dict(blobs("quicker-refunds"))  # a worse agent: a perfect one has nothing to learn from
    content["promptverdict.yaml"] = content["promptverdict.yaml"].replace(b"models:\n", b"models:\n" + EDITOR, 1)
    world, commit = lab.world(content)
    alone = PullRequest(base_ref="HEAD", base_sha=commit, head_ref="s", head_sha=commit, trust=Trust.OPERATOR)
    today = look(world.tree, alone, only=(lineage,), alone=True)
    provider, clock = Both(today.config), HandClock()
    store = open_store(str(tmp_path / "s.sqlite"))
    ports = Ports(Access(lambda _: provider, clock), store, clock, sandbox())
    try:
        task = prepare_search(today, alone, lineage, world, held_out=0.5, reflector="editor")
        cap = SpendingCap(Decimal(20))
        found = await suggest(task, world, GepaOptimizer(), ports, cap)
        assert (found.unfinished, found.edits > 0) == (None, True)
        assert len(provider.asked) >= 1
        for each in found.judged:
            assert {case.id for case in each.card.cases} == {*found.held_out, *found.never_shown}
        target = target_of(today, alone, lineage, world, reflector="editor")
        first = await ask(prepare_ask(target, world, None, "work with care"), world, ports, cap)
        assert first.last.why == ""
        second = await ask(prepare_ask(target, world, first.conversation, "again"), world, ports, cap)
        assert (second.last.why, len(second.conversation.rounds)) == ("", 2)
        assert second.last.card.lineages[0].overall is not None
        # Cases share some of their inputs, such as a job that several people apply for.
        told = {value_text(value) for case in task.split.shown for value in case.inputs.values()}
        sealed = [case for case in target.cases if is_sealed(case, target.change.gate)]
        texts = {value_text(value) for case in sealed for value in case.inputs.values()} - told
        assert sum(len(text) > 40 for text in texts) > 1
        assert not any(len(text) > 40 and text in asked for text in texts for asked in provider.asked)
    finally:
        await store.aclose()
