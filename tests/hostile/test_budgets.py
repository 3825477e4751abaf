"""A budget that a lineage sets for itself is a budget."""

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT

REWORDED = PROMPT.replace("You sort support tickets", "You assign support tickets")


@pytest.mark.parametrize(("usd", "code"), [("0", 3), ("0.02", 3), ("5", 0)])
def test_a_lineage_may_lower_the_cap_for_itself(project, usd, code):
    config = CONFIG + f"    budget: {{per_run_usd: {usd}}}\n"
    base = project.repository.commit({"promptverdict.yaml": config}, branch="main")
    project.repository.commit({"prompts/triage.prompt.yml": REWORDED}, branch="x", parent=base)
    ran = project.check("x")
    assert ran.code == code
    assert float(ran.card["spending"]["cost_usd"]) <= float(usd)
