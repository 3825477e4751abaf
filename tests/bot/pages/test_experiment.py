"""A form starts an experiment: with write access, a cost before the start, and within the caps."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text as sql

from bot.pages.context import Facts
from bot.store.values import RunKind, RunState
from tests.bot.pages.site import FROM_US, site
from tests.bot.pages.stage import NOW
from tests.fakes.github import FakeGitHub
from tests.render.surfaces import FRAGMENTS
from tests.render.test_html import Tags

pytestmark = pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
CONFIG = """\
version: 1
models:
  large-1: {provider: offline, model: offline-large, price: {input: 2.00, output: 10.00}}
  cheap: {provider: offline, model: offline-small, price: {input: 0.20, output: 2.00}}
  unpriced: {provider: openai, model: a-model-that-nobody-knows}
defaults: {model: large-1}
lineages:
  support-triage: {use_case: classification, prompt: p.md, tests: t.jsonl, labels: [a, b]}
"""


@pytest.fixture
def page(web, staged):
    """The page of the shop's triage prompt. Experiments that a test starts are gone afterwards."""
    lineage = next(one.id for one in staged.lineage_rows(11) if one.name == "support-triage")
    web.git = web.github.repositories["acme/shop"].git
    web.git.commit("main", {"promptverdict.yaml": CONFIG})
    yield f"/repositories/11/lineages/{lineage}/experiment"
    with staged._database.writing() as session:
        session.execute(sql("DELETE FROM asked_runs"))
        session.execute(sql("DELETE FROM runs WHERE kind = 'experiment'"))


def experiments(staged):
    return [one.run for one in staged.run_rows(11) if one.run.kind is RunKind.EXPERIMENT]


def test_the_form_says_what_each_model_costs_before_anything_runs(web, staged, page):
    shown = web.signed_in("wes").get(page).text
    rows = dict(re.findall(r'name="model\.([\w-]+)".*?data-name="cost">([^<]*)<', shown))
    # It was measured: 4.10 USD per 1,000 cases. The other costs between a tenth and a fifth of that.
    cases = staged.case_history(staged.newest_experiment(int(page.split("/")[4]))[1]).cases
    assert rows["large-1"] == f"about {money(Decimal('4.10') * cases / 1000)}"
    assert rows["cheap"] == f"about {money(Decimal('0.41') * cases / 1000)} to {money(Decimal('0.82') * cases / 1000)}"
    assert re.search(r'name="model.unpriced" disabled', shown)
    assert re.search(r'name="model.large-1" checked', shown)
    assert experiments(staged) == []


def money(amount):
    from engine.render.figures import usd

    return usd(amount)


def test_a_person_with_write_access_starts_it_once(web, staged, page):
    wes = web.signed_in("wes")
    form = {"model.large-1": "on", "model.cheap": "on", "model.unpriced": "on", "model.gone": "on", "slice": ""}
    texts = [wes.post(page, data=form, headers=FROM_US).text for _ in range(2)]
    (run,) = experiments(staged)
    assert all(f"Run {run.sequence}" in text for text in texts)
    assert run.request.models == ("large-1", "cheap")
    assert (run.request.by, run.request.slice, run.base_ref) == ("wes", None, "main")
    assert run.head_sha == web.git.resolve("main")
    shown = wes.get(f"/repositories/11/runs/{run.sequence}?follow=1")
    assert "Waiting for a worker" in shown.text
    assert shown.headers["refresh"] == "5"
    assert "refresh" not in wes.get(f"/repositories/11/runs/{run.sequence}").headers
    staged.start(run.id, None, NOW)
    staged.note_progress(run.id, "12 of 40 calls <b>")
    assert "12 of 40 calls &lt;b&gt;" in wes.get(f"/repositories/11/runs/{run.sequence}").text
    staged.finish(run.id, RunState.DONE, NOW)
    assert "refresh" not in wes.get(f"/repositories/11/runs/{run.sequence}?follow=1").headers
    wes.post(page, data=form, headers=FROM_US)
    assert len(experiments(staged)) == 2, "a run that ended without a verdict is asked for anew"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"slice": ""}, "no model is chosen"),
        ({"model.unpriced": "on"}, "no model is chosen"),
        ({"model.cheap": "on", "slice": "nowhere"}, "the newest run has no slice nowhere"),
    ],
)
def test_what_can_not_run_starts_nothing(web, staged, page, form, said):
    answer = web.signed_in("wes").post(page, data=form, headers=FROM_US)
    assert f"Nothing was started: {said}" in re.sub(r"\s+", " ", answer.text)
    assert experiments(staged) == []


def test_a_used_up_cap_of_the_day_starts_nothing(staged, tmp_path):
    staged.spend(11, NOW.date() + timedelta(days=1), Decimal("2.50"))
    with FakeGitHub(tmp_path) as github:
        facts = Facts(github.server_url, run_usd=Decimal(1), repository_usd=Decimal("2.5"), day_usd=Decimal(9))
        made = site(staged, github, [("acme/shop", 11, {"wes": "write"})], facts=facts)
        made.clock.move(86_400)
        github.repositories["acme/shop"].git.commit("main", {"promptverdict.yaml": CONFIG})
        lineage = next(one.id for one in staged.lineage_rows(11) if one.name == "support-triage")
        answer = made.signed_in("wes").post(
            f"/repositories/11/lineages/{lineage}/experiment", data={"model.cheap": "on", "slice": ""}, headers=FROM_US
        )
        assert "cap of $2.50 a day for this repository is used up" in answer.text
        assert experiments(staged) == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"promptverdict.yaml": None, "a": "b"}, "has no promptverdict.yaml at its root"),
        ({"promptverdict.yaml": "version: 1\nlineages: {}\n"}, "names no prompt support-triage"),
        ({"promptverdict.yaml": "version: 1\n<b>: " + "".join(FRAGMENTS).replace("\n", " ")}, "No experiment can be started"),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_serve_is_said(web, page, files, said):
    web.git.commit("main", files)
    answer = web.signed_in("wes").get(page)
    assert (answer.status_code, said in answer.text) == (200, True)
    assert not Tags(answer.text).of("script")
    assert '<form method="post" action="/repositories' not in answer.text


def test_only_people_who_may_start_it_see_the_way(web, staged, page):
    ada = web.signed_in("ada")
    sent = ada.post(page, data={"model.cheap": "on", "slice": ""}, headers=FROM_US)
    assert (ada.get(page).status_code, sent.status_code, experiments(staged)) == (404, 404, [])
    models = page.replace("/experiment", "/models")
    assert page in web.signed_in("wes").get(models).text
    assert page not in web.signed_in("ada").get(models).text
