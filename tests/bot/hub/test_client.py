"""Our client reads the real hub."""

import pytest

from promptverdict_client import Prompts
from tests.bot.hub.test_langfuse import hub, version

__all__ = ["hub"]


@pytest.fixture
def prompts(hub, tmp_path):
    hub.has(version("Sort {{ticket}}.", lineage="triage"), tag="live")
    with Prompts("acme/shop", tag="live", hub=hub.address, token=hub.token, cache=tmp_path, refresh_s=0.2) as prompts:
        yield prompts


def test_it_reads_what_the_hub_writes_and_sees_a_promotion(hub, prompts):
    reply = prompts["triage"].render(ticket="T-1")
    assert (reply.messages[0]["content"], reply.model) == ("Sort T-1.", "gpt-5-mini")
    assert reply.parameters == {"temperature": 0.2}
    after = version("Assign {{ticket}}.", lineage="triage")
    hub.has(after, tag="live")
    while prompts["triage"].version != after.digest:
        pass
    assert prompts["triage"].render(ticket="T-1").messages[0]["content"] == "Assign T-1."
