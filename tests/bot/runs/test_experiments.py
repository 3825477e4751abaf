"""An experiment of a page: the row is the order, a worker carries it out, GitHub hears nothing."""

from decimal import Decimal

import pytest

from benchmarks.staged import blobs
from bot.store.asked_values import Ask
from bot.store.page_records import Bounds
from bot.store.values import ExperimentRequest, RepositoryRef, RunKind, RunState
from schemas.verdicts import VerdictStatus
from tests.bot.whole import Whole
from tests.fakes.github import FakeGitHub


@pytest.fixture
def whole(tmp_path):
    with FakeGitHub(tmp_path / "github") as github:
        made = Whole(github, tmp_path / "data")
        made.move_to("acme/shop", {path: data for path, data in blobs().items() if not path.startswith("pull-")})
        with made.working():
            yield made
        made.records.close()
        assert github.violations == []


def asked(whole, **request):
    repo = RepositoryRef(
        installation_id=whole.installation, repository_id=whole.scene.repository.id, full_name="acme/shop"
    )
    wanted = {"lineage": "support-triage", "models": ("offline-large", "offline-small"), "by": "max", **request}
    head = whole.scene.git.resolve("main")
    ask = Ask(by=wanted["by"], usd=Decimal(5), cap=Decimal(100))
    return whole.records.ask(repo, head, "main", ExperimentRequest(**wanted), ask, at=whole.clock.utc())


def ended(whole, run):
    """The page of the run, once a worker has ended it."""
    whole.until(lambda: not whole.records.run(run.id).state.is_open)
    return whole.records.run_page(run.repository_id, run.sequence)


@pytest.mark.slow
def test_one_prompt_runs_on_every_model_and_github_hears_nothing(whole):
    run = asked(whole, slice="adversarial")
    assert (run.kind, run.state, run.request.by) == (RunKind.EXPERIMENT, RunState.QUEUED, "max")
    assert asked(whole, slice="adversarial").id == asked(whole, slice="adversarial", by="ada").id == run.id
    page = ended(whole, run)
    assert (page.run.state, page.author) == (RunState.DONE, "max")
    assert [one.model for one in page.experiments] == ["offline-large", "offline-small"]
    counts = [whole.records.case_counts(one.id) for one in page.experiments]
    assert counts[0] == counts[1]
    lineage = page.experiments[0].lineage_id
    for one in page.experiments:
        assert {of.name for of in whole.records.case_slices(one.id)} == {"adversarial"}
    models = whole.records.newest_of_models(run.repository_id, lineage)
    assert {one.experiment_id for one in models} == {one.id for one in page.experiments}
    assert all(one.cases for one in models)
    rows = whole.records.experiment_rows(run.repository_id, lineage, tuple(one.id for one in page.experiments))
    large, small = (rows[one.id] for one in page.experiments)
    assert large.cost_per_1000 > 10 * small.cost_per_1000 > 0, "as their prices"
    assert large.latency_s is not None
    assert whole.scene.repository.check_runs == whole.scene.repository.comments == []
    # It is no version of the prompt, and no test set is too small because of it.
    assert whole.records.lineage_page(run.repository_id, lineage, Bounds(), merged=False).versions == ()
    assert whole.records.newest_experiment(lineage) is None
    assert whole.records.small_test_sets([run.repository_id]) == []
    assert whole.records.lineage_history(run.repository_id, "support-triage") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_of", "said"),
    [
        ({"models": ("gone",)}, "names no model gone"),
        ({"slice": "nowhere"}, "no case is in the slice nowhere"),
        ({"lineage": "gone"}, "unknown lineage"),
    ],
)
def test_what_can_not_run_ends_as_an_error_that_says_why(whole, request_of, said):
    page = ended(whole, asked(whole, **request_of))
    assert page.verdict is VerdictStatus.ERROR
    assert said in page.overview.reasons[0].sentence
    assert page.run.state is RunState.DONE


@pytest.mark.slow
def test_after_a_failure_the_same_request_is_a_new_attempt(whole):
    run = asked(whole)
    whole.records.finish(run.id, RunState.FAILED, whole.clock.utc())
    again = asked(whole)
    assert (again.id == run.id, again.attempt) == (False, 2)
    assert again.id.rpartition(":")[0] == run.id.rpartition(":")[0]


@pytest.mark.slow
def test_the_operators_cap_ends_it(tmp_path):
    with FakeGitHub(tmp_path / "github") as github:
        made = Whole(github, tmp_path / "data", PROMPTVERDICT_MAX_USD_PER_REPOSITORY="0.01")
        made.move_to("acme/shop", dict(blobs()))
        with made.working():
            page = ended(made, asked(made))
        assert page.verdict is VerdictStatus.ERROR
        assert "PROMPTVERDICT_MAX_USD_PER_REPOSITORY" in page.overview.model_dump_json()
        made.records.close()
