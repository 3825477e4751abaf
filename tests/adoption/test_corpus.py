"""What ``init`` finds and pairs in repositories of every shape, and the verdict on a bad edit with what it writes."""

import pytest

from adapters.scorer.client import IsolatedScorers
from engine.commands.init_config import configuration_text
from engine.commands.init_models import chosen_models
from engine.commands.init_pairing import propose
from engine.commands.init_search import Search, candidates
from engine.pipeline import World, prepare, static
from engine.readers.testsets import read_test_set
from schemas.prompts import Role
from schemas.pullrequests import PullRequest, Trust
from tests.adoption.corpus import LABELS, PROMPTS, TESTS
from tests.pipeline.test_measure import measured, prices, sandbox, store
from tests.run.laboratory import completion
from tests.trees import MemoryTrees

__all__ = ["store"]

CORPUS = {**PROMPTS, **{f"tests: {name}": shape for name, shape in TESTS.items()}}
PRICES = prices()


def initialized(files):
    """The lineages that ``init`` proposes, and the configuration that it writes."""
    blobs = {path: text.encode() for path, text in files.items()}
    search = Search(candidates(blobs), blobs)
    found = propose(
        search.prompts,
        search.tests,
        lambda path, columns: read_test_set(path, blobs[path], columns),
        search.named,
    )
    models, lineages = chosen_models(found, {})
    return lineages, configuration_text(lineages, models)


def edited(files):
    """The same with another instruction in every prompt."""
    return {path: text.replace("Sort", "Reject").replace("Write", "Reject").replace("Triage(", "Reject(") for path, text in files.items() if "evals/" not in path}  # fmt: skip


def reply(request, repetition, nth):
    if any("Reject" in message.content for message in request.messages):
        return completion("no label at all")
    asked = next(message.content for message in reversed(request.messages) if message.role is Role.USER)
    assert "about a charge" in asked or "about money back" in asked
    return completion(LABELS["about money back" in asked])


@pytest.mark.parametrize("name", CORPUS)
async def test_a_repository_is_read_and_a_bad_edit_gets_its_verdict(name, store):
    shape = CORPUS[name]
    lineages, config = initialized(shape.files)
    assert [(str(each.prompt), each.tests) for each in lineages] == shape.found
    assert [line for model in shape.models for line in (f"model: {model}",) if line in config] == [
        f"model: {model}" for model in shape.models
    ]
    trees = MemoryTrees()
    base = trees.commit({**shape.files, "promptverdict.yaml": config})
    head = trees.commit(edited(shape.files), branch="pr", parent=base)
    pull_request = PullRequest(base_ref="main", base_sha=base, head_ref="pr", head_sha=head, trust=Trust.OPERATOR)
    what = prepare(pull_request, World(trees, sandbox(), PRICES, IsolatedScorers()))
    if shape.verdict == "warned":
        card = static(what)
        assert card.status == "not_applicable"
        assert any("no lineage names it" in warning.what for warning in card.warnings)
    else:
        card, _ = await measured(what, reply, store)
        assert card.status == shape.verdict
        assert len(card.lineages) == len(shape.found)
