"""The comment and the line of a run that is under way."""

from decimal import Decimal

from engine.render.progress import Progress, progress_line, running
from tests.render.golden import check_golden
from tests.render.scorecards import BASE, HEAD

PROGRESS = Progress(
    base_sha=BASE,
    head_sha=HEAD,
    lineages=("support-triage", "resume-match"),
    done=120,
    planned=800,
    spent_usd=Decimal("0.0812"),
    budget_usd=Decimal(2),
    seconds=12.2,
    seconds_left=48.0,
)


def test_the_running_comment():
    check_golden("running.md", running(PROGRESS))


def test_the_line_says_calls_money_and_time():
    assert progress_line(PROGRESS) == "120 of 800 calls (15%) · $0.081 of $2.00 · 12 s · about 48 s left"


def test_what_is_not_known_yet_is_left_out():
    start = Progress(base_sha=BASE, head_sha=HEAD, lineages=(), done=0, planned=0)
    assert progress_line(start) == "0 of 0 calls · $0.00"


def test_many_lineages_are_counted():
    many = PROGRESS.model_copy(update={"lineages": tuple(f"l{n}" for n in range(14))})
    assert "l9, 4 more: " in running(many)
