"""A tie goes to the cheapest model; a model that is shown to be worse never wins."""

import re

import pytest
from scipy.stats import binomtest

from engine.pages.ties import sign_test
from tests.bot.pages.stage import SHOP


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
    assert "no difference" in said["small-1"]
    assert "worse" in said["tiny-1"], "the cheapest of all, but worse"
    assert text.count('aria-current="true"') == 1
