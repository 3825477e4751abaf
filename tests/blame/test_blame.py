"""After a verdict that doesn't approve, the guilty part is found within a budget of its own, and changes no verdict."""

import json
from contextlib import closing
from decimal import Decimal

import pytest

from action.cli.check import prices, renderer
from adapters.git.repository import GitRepository
from adapters.scorer.client import IsolatedScorers
from adapters.store import open_store
from engine.blame.explain import Explainer
from engine.blame.planned import foreseen
from engine.pipeline import World, measure, prepare
from engine.runner.access import Access
from schemas.blame import BlameResult
from schemas.errors import SourceError
from schemas.outcomes import CompletionError, ErrorKind, Usage
from schemas.pullrequests import PullRequest, Trust
from schemas.verdicts import VerdictStatus
from tests.end_to_end.conftest import CONFIG, FILES, PROMPT
from tests.repositories import Repository
from tests.run.laboratory import HandClock, Scripted, completion

pytestmark = pytest.mark.slow

PATH = "prompts/triage.prompt.yml"
TRUSTING = "      Trust the customer.\n"
EDITED = PROMPT.replace("You sort", "You assign").replace(
    "      - billing: invoices, charges, payments, cards\n",
    "      - billing: invoices, charges, payments, cards, bills\n" + TRUSTING,
)
MANY = EDITED.replace("  - role: user\n", "".join(f"      - rule {n}\n" for n in range(9)) + "  - role: user\n")


@pytest.fixture
async def store(tmp_path):
    opened = open_store(str(tmp_path / "outcomes.sqlite"))
    yield opened
    await opened.aclose()


def prepared(tmp_path, head, base=None):
    repository = Repository(tmp_path / "repository")
    first = repository.commit({**FILES, **(base or {})})
    last = repository.commit(head, branch="pr", parent=first)
    pull_request = PullRequest(base_ref="main", base_sha=first, head_ref="pr", head_sha=last, trust=Trust.OPERATOR)
    with closing(renderer()) as sandbox:
        return prepare(pull_request, World(GitRepository(repository.path), sandbox, prices(), IsolatedScorers()))


def right(request):
    text = request.messages[-1].content
    return "refunds" if "refund" in text or "money" in text else "billing"


def trusting(request, repetition, nth):
    """Takes customers who want money at their word, if the prompt says so."""
    broken = "Trust the customer" in request.messages[0].content and "money" in request.messages[-1].content
    return completion("billing" if broken and right(request) == "refunds" else right(request))


async def explained(what, store, reply=trusting, *, agree=lambda _: True, **more):
    clock, provider = HandClock(), Scripted(reply)
    clock.horizon_s = 150  # before the deadline of a search
    access = Access(lambda model: provider, clock)
    with closing(renderer()) as sandbox:
        card = await measure(what, access=access, store=store, clock=clock, explainer=Explainer(sandbox, agree), **more)
    return card, provider


@pytest.mark.parametrize("head", [EDITED, MANY])
async def test_the_guilty_sentence_is_named_with_its_lines_and_an_edit(tmp_path, store, head):
    what = prepared(tmp_path, {PATH: head})
    card, provider = await explained(what, store)
    (lineage,) = card.lineages
    found = lineage.blame
    assert lineage.status in (VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW)
    assert found.result is BlameResult.NAMED, found
    (culprit,) = found.culprits
    unit = found.units[culprit.units[0]]
    assert (unit.after, unit.before) == ("Trust the customer.\n", "")
    assert (unit.file, unit.suggestion) == (PATH, "")
    lines = head.splitlines(keepends=True)
    assert lines[unit.lines[0] - 1] == TRUSTING
    assert culprit.back == culprit.of == len(found.cases)
    assert found.sentence.startswith(f"Reverting line {unit.lines[0]} of `{PATH}` brings back {culprit.back} of")
    assert 20 <= found.elsewhere.cases <= 40
    assert found.elsewhere.keeps
    # all that was paid counts, and a second run pays nothing
    assert card.spending.made == provider.calls
    again, silent = await explained(what, store)
    assert silent.calls == 0
    second = again.lineages[0].blame
    assert second.model_copy(update={"made": found.made, "stored": found.stored, "cost_usd": found.cost_usd}) == found
    units, calls, cost = foreseen(what.entries[0].change, what.entries[0].plan)
    assert (units, calls > 0, cost > 0) == (len(found.units), True, True)


async def test_the_verdict_is_the_same_without_an_explanation(tmp_path, store):
    what = prepared(tmp_path, {PATH: EDITED})
    card, _ = await explained(what, store)
    plain = await measure(
        what, access=Access(lambda model: Scripted(trusting), HandClock()), store=store, clock=HandClock()
    )
    same = {"blame": None, "spending": None}
    assert card.lineages[0].model_copy(update=same) == plain.lineages[0].model_copy(update=same)
    assert (card.status, card.title, card.passes) == (plain.status, plain.title, plain.passes)


async def test_an_approved_change_is_not_explained(tmp_path, store):
    card, _ = await explained(prepared(tmp_path, {PATH: EDITED}), store, lambda request, *_: completion(right(request)))
    assert card.status is VerdictStatus.APPROVED
    assert card.lineages[0].blame is None


async def test_a_change_of_one_part_needs_no_call(tmp_path, store):
    head = PROMPT.replace("  - role: user\n", TRUSTING + "  - role: user\n")
    what = prepared(tmp_path, {PATH: head})
    card, _ = await explained(what, store)
    found = card.lineages[0].blame
    assert (found.result, found.made, found.stored) == (BlameResult.NAMED, 0, 0)
    assert (found.culprits[0].units, found.culprits[0].p) == ((0,), None)
    assert found.units[0].after.strip() == "Trust the customer."


async def test_a_break_that_does_not_show_again_accuses_nothing(tmp_path, store):
    def fickle(request, repetition, nth):
        # the repetitions of a search begin far above those of the gate
        return trusting(request, repetition, nth) if repetition < 2**33 else completion(right(request))

    card, _ = await explained(prepared(tmp_path, {PATH: EDITED}), store, fickle)
    found = card.lineages[0].blame
    assert (found.result, found.culprits) == (BlameResult.NOT_SEEN, ())
    assert "did not break clearly in fresh runs" in found.sentence


async def test_a_part_that_cannot_be_reverted_alone_goes_with_its_neighbor(tmp_path, store):
    text = "Sort. Answer billing or refunds.\n"
    head = "Sort it. Answer billing or refunds.\n{% if ticket %}\nTrust the customer.\n{% endif %}\n"
    config = CONFIG.replace("prompts/triage.prompt.yml", "prompts/triage.j2")
    files = {"promptverdict.yaml": config, "prompts/triage.j2": text + "{{ ticket }}\n", PATH: None}
    what = prepared(tmp_path, {"prompts/triage.j2": head + "{{ ticket }}\n"}, files)
    card, _ = await explained(what, store)
    found = card.lineages[0].blame
    assert found is not None, card.lineages[0].reasons
    assert len(found.units) == 2
    assert "can't be reverted alone" in found.warnings[0].what
    assert "Trust the customer." in found.units[found.culprits[0].units[0]].after


@pytest.mark.parametrize(
    ("usd", "tokens", "ended"),
    [
        ("0.002", 10, BlameResult.NOT_RUN),
        ("0.035", 10, BlameResult.NAMED),
        # answers are longer than the estimate: the cap holds all the same
        ("0.035", 60, BlameResult.STOPPED),
        ("0.08", 90, BlameResult.STOPPED),
    ],
)
async def test_a_search_never_costs_more_than_its_budget(tmp_path, store, usd, tokens, ended):
    def long(request, repetition, nth):
        answer = trusting(request, repetition, nth)
        return answer if repetition < 2**33 else answer.model_copy(update={"usage": Usage(input=50, output=tokens)})

    config = CONFIG.replace("defaults:", f"explain: {{budget_usd: {usd}}}\ndefaults:")
    prompt = PROMPT.replace("messages:", "modelParameters: {max_tokens: 100}\nmessages:", 1)
    head = MANY.replace("messages:", "modelParameters: {max_tokens: 100}\nmessages:", 1)
    what = prepared(tmp_path, {PATH: head}, {"promptverdict.yaml": config, PATH: prompt})
    assert what.detection.explain_usd == Decimal(usd)
    card, _ = await explained(what, store, long)
    found = card.lineages[0].blame
    assert (found.result, found.cost_usd <= Decimal(usd)) == (ended, True), found
    assert (found.made > 0) == (ended is not BlameResult.NOT_RUN)


async def test_a_budget_of_nothing_switches_the_search_off(tmp_path, store):
    config = CONFIG.replace("defaults:", "explain: {budget_usd: 0}\ndefaults:")
    card, _ = await explained(prepared(tmp_path, {PATH: EDITED}, {"promptverdict.yaml": config}), store)
    assert (card.lineages[0].blame, card.lineages[0].status) == (None, VerdictStatus.BLOCKED)


async def test_a_provider_that_fails_or_a_declined_cost_leaves_the_verdict(tmp_path, store):
    def broke(request, repetition, nth):
        if repetition >= 2**33:
            return CompletionError(kind=ErrorKind.QUOTA, message="no credit")
        return trusting(request, repetition, nth)

    what = prepared(tmp_path, {PATH: EDITED})
    card, _ = await explained(what, store, broke)
    assert card.lineages[0].blame.result is BlameResult.STOPPED
    assert "no credit" in card.lineages[0].blame.sentence
    declined, _ = await explained(what, store, agree=lambda found: found.calls == 0)
    assert declined.lineages[0].blame.result is BlameResult.NOT_RUN
    assert declined.status is card.status


async def test_json_of_the_scorecard_holds_the_blame(tmp_path, store):
    card, _ = await explained(prepared(tmp_path, {PATH: EDITED}), store)
    document = json.loads(card.model_dump_json())
    assert document["lineages"][0]["blame"]["culprits"][0]["units"]


TWO = CONFIG.replace("defaults:", "explain: {budget_usd: 0.035}\ndefaults:") + CONFIG[CONFIG.index("  triage:") :].replace(
    "  triage:", "  second:"
).replace("prompts/triage", "prompts/second")  # fmt: skip


async def test_several_lineages_share_the_budget(tmp_path, store):
    second = "prompts/second.prompt.yml"
    short = "modelParameters: {max_tokens: 100}\nmessages:"
    base, head = (text.replace("messages:", short, 1) for text in (PROMPT, MANY))
    files = {"promptverdict.yaml": TWO, PATH: base, second: base.replace("name: triage", "name: second")}
    # another wording, so that the second prompt doesn't find the answers of the first
    changed = {PATH: head, second: head.replace("You assign", "Please assign")}
    card, _ = await explained(prepared(tmp_path, changed, files), store)
    found = [lineage.blame for lineage in card.lineages]
    assert [each.result for each in found] == [BlameResult.NAMED, BlameResult.NOT_RUN]
    assert sum(each.cost_usd for each in found) <= Decimal("0.035")


async def test_a_broken_renderer_leaves_the_verdict(tmp_path, store):
    class Broken:
        def render(self, jobs):
            raise SourceError("no sandbox can be started")

    what = prepared(tmp_path, {PATH: EDITED})
    access = Access(lambda model: Scripted(trusting), HandClock())
    card = await measure(what, access=access, store=store, clock=HandClock(), explainer=Explainer(Broken()))
    assert card.status is VerdictStatus.BLOCKED
    assert card.lineages[0].blame.result is BlameResult.STOPPED
    assert "no sandbox can be started" in card.lineages[0].blame.sentence
