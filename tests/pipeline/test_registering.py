"""A new provider is one ``ProviderSpec`` and one module; a new evaluator is one module and a line."""

import sys
import types

import pytest

from action.cli.check import prices
from adapters.call_process.client import Caller
from adapters.store import open_store
from engine.pipeline import measure
from engine.readers.config import read_config
from engine.runner.access import Access
from schemas.errors import ConfigError
from schemas.outcomes import MetricSpec, Score
from schemas.providers import PROVIDERS, ProviderSpec
from schemas.use_cases import USE_CASES, UseCaseSpec
from schemas.verdicts import VerdictStatus
from tests.pipeline.test_measure import prepared
from tests.run.laboratory import HandClock, completion

CONFIG = """\
version: 1
models: {own: {provider: PROVIDER, model: house-1}}
lineages:
  replies: {use_case: USE_CASE, prompt: reply.txt, tests: cases.jsonl, LABELS}
"""
CASES = "".join(f'{{"id": "c{n}", "input": "Ticket {n}", "expected": "yes"}}\n' for n in range(60))


@pytest.fixture
def module(monkeypatch):
    """Registers a module that no file holds."""

    def register(name, **functions):
        made = types.ModuleType(name)
        vars(made).update(functions)
        monkeypatch.setitem(sys.modules, name, made)

    return register


@pytest.fixture
def house(monkeypatch, module):
    """A provider that answers ``yes``, but ``no`` to a prompt that asks for it."""

    class House:
        async def complete(self, request, *, repetition, timeout_s):
            return completion("no" if "Say no" in request.messages[0].content else "yes")

        async def aclose(self):
            pass

    module("house_provider", opened=lambda model, connection: House())
    spec = ProviderSpec(opens="house_provider:opened", origin="house:", model_prefixes=("house-",), price=("1", "2"))
    monkeypatch.setitem(PROVIDERS, "house", spec)


def files(provider="house", use_case="classification", labels="labels: [yes_, no_]"):
    config = CONFIG.replace("PROVIDER", provider).replace("USE_CASE", use_case).replace("LABELS", labels)
    return {"promptverdict.yaml": config, "reply.txt": "Say yes. {{input}}\n", "cases.jsonl": CASES}


async def verdict(files, store, head="Say no. {{input}}\n"):
    found = prepared(files, {"reply.txt": head})
    caller = Caller()
    access = Access(lambda model: caller.provider(model, {}), HandClock())
    return await measure(found, access=access, store=store, clock=HandClock())


@pytest.fixture
async def store(tmp_path):
    opened = open_store(str(tmp_path / "outcomes.sqlite"))
    yield opened
    await opened.aclose()


async def test_a_new_provider_is_one_spec(house, store):
    labeled = files(labels='labels: ["yes", "no"]')
    card = await verdict(labeled, store)
    assert card.status is VerdictStatus.BLOCKED
    (lineage,) = card.lineages
    assert (lineage.model, lineage.overall.baseline, lineage.overall.candidate) == ("own", 1, 0)
    assert lineage.spending.cost_usd > 0
    model = read_config("promptverdict.yaml", labeled["promptverdict.yaml"].encode()).models["own"]
    assert prices().price(model).output == 2


async def test_a_new_evaluator_is_one_module_and_a_line(monkeypatch, module, house, store):
    class Polite:
        metrics = (MetricSpec(name="polite"),)
        version = "polite-1"
        asks = False
        ignores_case = True

        def problem(self, case):
            return None

        async def score(self, case, output, ask):
            return (Score(metric="polite", value=float(output == case.expected)),)

    module("polite_evaluator", part=lambda sources: Polite())
    monkeypatch.setitem(USE_CASES, "politeness", UseCaseSpec(builds="polite_evaluator:part"))
    card = await verdict(files(use_case="politeness", labels="static: false"), store)
    (lineage,) = card.lineages
    assert (card.status, lineage.use_case) == (VerdictStatus.BLOCKED, "politeness")
    assert (lineage.overall.metric, lineage.overall.candidate) == ("polite", 0)


@pytest.mark.parametrize(("written", "known"), [("provider: hose", "house"), ("use_case: polite", "classification")])
def test_a_name_that_is_not_registered_is_refused_with_the_nearest_one(house, written, known):
    text = files(labels='labels: ["yes", "no"]')["promptverdict.yaml"]
    key = written.partition(":")[0]
    wrong = text.replace(f"{key}: {'house' if key == 'provider' else 'classification'}", written)
    with pytest.raises(ConfigError, match=known):
        read_config("promptverdict.yaml", wrong.encode())
