"""A tie goes to the cheapest model; a model that is shown to be worse never wins."""

import re

import pytest
from scipy.stats import binomtest

from bot.store.model_records import sigmas_of
from engine.pages.plots import radar
from engine.pages.ties import sign_test
from schemas.experiments import CellOutcome, ExperimentCase, ExperimentRecord
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from tests.bot.pages.stage import SHOP

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (3, 3), (0, 5), (1, 9), (40, 60), (600, 700), (0, 2_000)])
def test_the_sign_test_is_scipys(better, worse):
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected, rel=0.02, abs=1e-9)
    assert sign_test(better, worse) == sign_test(worse, better)


def test_the_cheapest_of_a_tie_is_marked(web, staged):
    lineage = next(one.id for one in staged.lineage_rows(SHOP.repository_id) if one.name == "support-triage")
    text = web.signed_in("ada").get(f"/repositories/11/lineages/{lineage}/models").text
    rows = re.findall(r"<tr(.*?)</tr>", text.partition("<tbody>")[2], re.DOTALL)
    said = {
        model: row for row in rows for model in ("large-1", "small-1", "tiny-1", "claude-haiku-4-5") if model in row
    }
    assert list(said)[:2] == ["large-1", "small-1"], "the fewest failures first"
    assert "cheapest of the tie" in said["small-1"]
    assert "no clear difference" in said["small-1"]
    assert "worse" in said["tiny-1"], "the cheapest of all, but worse"
    assert text.count('aria-current="true"') == 1


def test_a_metrics_spread_is_that_of_one_case_between_its_runs():
    def cell(case, repetition, *scores, arm=1):
        return CellOutcome(case=case, arm=arm, repetition=repetition, scores=scores)

    record = ExperimentRecord(
        content_digest="f" * 64, gate=GateConfig(), metrics=(MetricSpec(name="tone"), MetricSpec(name="facts")),
        cases=(ExperimentCase(id="a"), ExperimentCase(id="b")),
        outcomes=(
            cell(0, 0, 0.2, 1.0), cell(0, 1, 0.4, 1.0), cell(1, 0, 0.9, None), cell(1, 1, 0.9, 0.5),
            cell(0, 0, 0.0, 0.0, arm=0), cell(0, 1, 1.0, 1.0, arm=0),
        ),
    )  # fmt: skip
    found = sigmas_of(record.model_dump_json())
    assert found == {"tone": pytest.approx((0.02 / 2) ** 0.5), "facts": 0.0}
    assert sigmas_of(None) == sigmas_of("{}") == {}


def test_a_radar_needs_three_axes_and_shows_a_missing_score_at_its_center():
    assert radar(["a", "b"], [[1.0, 1.0]]) is None
    plot = radar(["a", "b", "c", "d"], [[1.0, 0.5, None, 0.0]])
    assert [(axis.x, axis.y) for axis in plot.axes] == [(160.0, 36.0), (244.0, 120.0), (160.0, 204.0), (76.0, 120.0)]
    assert plot.shapes == ("160.0,36.0 202.0,120.0 160.0,120.0 160.0,120.0",)


def test_the_metrics_of_a_prompt_are_drawn(web, staged):
    lineage = next(one.id for one in staged.lineage_rows(SHOP.repository_id) if one.name == "resume-match")
    text = web.signed_in("ada").get(f"/repositories/11/lineages/{lineage}/models").text
    assert re.findall(r'<th scope="row">(\w+)</th>', text) == ["years", "skills", "title"]
    assert text.count('<polygon class="s0"') == 1
