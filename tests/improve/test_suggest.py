"""Suggested edits with scripted models: only what holds on unseen cases is proposed, and nothing leaks or costs twice."""

import asyncio

import pytest

from adapters.store import open_store
from engine.improve.judgment import LEVEL, refusal
from schemas.effects import EffectResult
from schemas.errors import ProviderError, UsageError
from schemas.outcomes import CompletionError, ErrorKind
from schemas.verdicts import VerdictStatus
from tests.improve import lab
from tests.improve.lab import CANARY, RULE, Models, files, found_with, planned, searched

pytestmark = pytest.mark.slow

SEEDS = range(3)
"""``benchmarks/suggest.py`` runs 100."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_fix_is_proposed_with_two_numbers_from_disjoint_cases(seed, tmp_path):
    found = await found_with(Models(lab.fixes, seed), files(seed), tmp_path / "s.sqlite")
    best = found.proposed
    assert best is not None
    assert RULE in best.texts["system 1"]
    assert (best.card.status, best.card.overall.result) == (VerdictStatus.APPROVED, EffectResult.BETTER)
    judged = {case.id for case in best.card.cases}
    assert not judged & set(found.shown)
    assert judged == {*found.held_out, *found.never_shown}
    assert (best.own.cases, best.card.overall.cases) == (len(found.shown), len(judged))
    assert "chargeback" in found.patterns[0].sentence
    assert "broken" not in found.patterns[0].sentence
    assert refusal([best.card], LEVEL) == ""
    assert refusal([best.card], LEVEL + 0.001).startswith("It is not shown to be better")


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_only_memorizes_is_not_proposed(seed, tmp_path):
    found = await found_with(Models(lab.memorizes, seed), files(seed), tmp_path / "s.sqlite")
    assert found.proposed is None
    assert found.judged[0].own.after > found.judged[0].own.before  # by its own figure it is better


@pytest.mark.parametrize("seed", SEEDS)
async def test_length_alone_is_not_proposed(seed, tmp_path):
    found = await found_with(Models(lab.lengthens, seed), files(seed), tmp_path / "s.sqlite")
    assert found.proposed is None


async def test_a_fix_that_costs_too_much_is_not_proposed(tmp_path):
    found = await found_with(Models(lab.fixes_at_length), files(), tmp_path / "s.sqlite")
    (judged,) = found.judged
    assert (found.proposed, judged.card.status) == (None, VerdictStatus.BLOCKED)
    assert judged.card.overall.change > 0.2
    assert judged.why.startswith("Cost rose by")


async def test_an_edit_that_quotes_a_case_is_not_proposed(tmp_path):
    def quotes(request):
        text, tickets = lab.message_of(request)
        return text.rstrip() + f"\n{RULE} Such as: {next(each for each in tickets if 'chargeback' in each)}"

    found = await found_with(Models(quotes), files(), tmp_path / "s.sqlite")
    assert found.judged
    assert found.proposed is None


async def test_sealed_and_held_out_cases_never_reach_the_reflection_model_or_the_search(tmp_path):
    models, content = Models(lab.memorizes), files()
    found = await found_with(models, content, tmp_path / "s.sqlite")
    assert len(found.never_shown) == 8
    assert len(models.reflected) > 5
    sent = "\n".join(request.model_dump_json() for request in models.reflected)
    assert CANARY not in sent
    task, _ = planned(content)
    for case in task.split.judged:
        assert case.inputs["ticket"] not in sent
    assert any(case.inputs["ticket"] in sent for case in task.split.shown)


async def test_the_budget_holds_and_a_higher_one_goes_on_from_there(tmp_path):
    whole = await found_with(Models(lab.memorizes), files(), tmp_path / "a.sqlite")
    models, path = Models(lab.memorizes), tmp_path / "b.sqlite"
    small = await found_with(models, files(), path, budget=whole.cost_usd / 3)
    assert models.cost == small.cost_usd <= whole.cost_usd / 3
    assert small.unfinished
    rest = await found_with(models, files(), path)
    assert small.calls + rest.calls == whole.calls
    assert max(models.provider.tries.values()) == 1
    assert (rest.judged[0].own, rest.judged[0].texts) == (whole.judged[0].own, whole.judged[0].texts)


@pytest.mark.parametrize("calls", [5, 60, 110])
async def test_a_search_that_is_ended_goes_on_without_paying_twice(calls, tmp_path):
    whole = await found_with(Models(lab.fixes), files(), tmp_path / "a.sqlite")
    models = Models(lab.fixes, takes_s=0.001)
    store = open_store(str(tmp_path / "b.sqlite"))
    running = asyncio.create_task(searched(models, files(), store))
    while models.provider.calls < calls:  # noqa: ASYNC110 - the provider has no event for it
        await asyncio.sleep(0)
    asked, in_flight = models.provider.calls, models.provider.under_way
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert models.provider.under_way == 0
    begun = models.provider.calls
    assert begun - asked <= 30  # those that were about to begin, and not the rest of the search
    await store.aclose()
    rest = await found_with(models, files(), tmp_path / "b.sqlite")
    assert sum(tries - 1 for tries in models.provider.tries.values()) <= in_flight + begun - asked
    assert rest.proposed.texts == whole.proposed.texts
    assert (rest.proposed.own, rest.proposed.p) == (whole.proposed.own, whole.proposed.p)
    again = await found_with(models, files(), tmp_path / "b.sqlite")
    assert (again.calls, again.cost_usd) == (0, 0)
    assert again.proposed.texts == whole.proposed.texts


@pytest.mark.parametrize("who", ["m", "editor"])
async def test_a_call_without_an_answer_is_an_error_and_no_score_of_zero(who, tmp_path):
    models = Models(lab.fixes)
    reply = models.billed

    def fails(request, repetition, nth):
        refused = CompletionError(kind=ErrorKind.BAD_REQUEST, message="no")
        return refused if request.model == who else reply(request, repetition, nth)

    models.provider.reply = fails
    with pytest.raises(ProviderError, match="no"):
        await found_with(models, files(), tmp_path / "s.sqlite")


def test_what_can_not_be_improved_is_said_before_any_call():
    for change, says in (
        ({"prompt": "messages:\n  - {role: user, content: '{{ticket}}'}\n"}, "has no text to edit"),
        ({"cases": 12}, "groups of near-duplicates"),
    ):
        with pytest.raises(UsageError, match=says):
            planned(files(**change))
