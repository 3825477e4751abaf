"""A prompt's history says who accepted what, and why."""

import re

import pytest

from bot.store.page_records import Bounds
from engine.render.figures import seconds
from tests.render.scorecards import blocked

pytestmark = pytest.mark.slow


def test_each_version_has_its_latency(web, staged):
    lineage = next(one.id for one in staged.lineage_rows(11) if one.name == "support-triage")
    versions = staged.lineage_page(11, lineage, Bounds(), merged=False).versions
    measured = blocked().lineages[0].latency.candidate_s
    assert {one.latency_s for one in versions} == {measured}
    ada = web.signed_in("ada")
    for page in ("", "/models"):
        text = ada.get(f"/repositories/11/lineages/{lineage}{page}").text
        assert f'data-name="latency">{seconds(measured)}<' in text


def test_reviews_and_overrides_are_in_the_history_with_reason_and_commit(web, staged):
    lineage = next(one.id for one in staged.lineage_rows(11) if one.name == "support-triage")
    text = web.signed_in("ada").get(f"/repositories/11/lineages/{lineage}?all=1").text
    listed = re.sub(r"<[^>]+>", "", text.partition("Approvals ")[2])
    assert re.search(r"#104: mia \(maintain\) overrode the verdict of [0-9a-f]{7}, .*: “support checks", listed)
    assert re.search(
        r"#102: mia \(write\) accepted the verdict in a review of [0-9a-f]{7}, .*: The pull request changes", listed
    )
    assert "please" not in listed, "a refused command approves nothing"
