"""The playground: a person edits a prompt in a form, runs it, and saves it as a pull request."""

import html
import json
import re
import threading
import time
from decimal import Decimal

import pytest

from bot.store.values import RunState
from schemas.verdicts import VerdictStatus
from tests.bot.pages.bench import Bench, House, replies, sent, with_house
from tests.bot.pages.site import FROM_US, READING
from tests.bot.whole import PERMISSIONS
from tests.fakes.github import FakeGitHub
from tests.render.surfaces import FRAGMENTS
from tests.render.test_html import Tags

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with FakeGitHub(folder / "github") as github, House() as house:
        made = Bench(github, folder / "data", replies(house.url), lineage="replies")
        with_house(house, made.whole)
        made.house = house
        with made.working():
            made.seeded(only="edge")
            made.people = {login: made.signed_in(login) for login in ("max", "ada", "rob")}
            yield made
        made.records.close()
        assert github.violations == []


@pytest.fixture(autouse=True)
def _calm(bench):
    yield
    bench.house.latency_s, bench.house.refuse = 0.0, None
    bench.house.stalled.clear()
    bench.whole.until(lambda: not bench.records.open_runs(), 60)
    bench.house.calls.clear()


def said(answer):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def draft_of(answer):
    assert answer.status_code == 303, said(answer)[-2000:]
    return int(re.search(r"draft=(\d+)", answer.headers["location"])[1])


def text(sentences, more=""):
    return f"You answer customers of a shop.\nReply in {sentences} sentences.{more}\n"


def run_of(bench, who="max", **form):
    """Sends the form with these fields; returns the draft and its run."""
    answer = sent(bench.people[who], bench.address, action="run", **form)
    draft = draft_of(answer)
    return draft, bench.newest(draft)


def events(client, address, last=None, until="end", most=400):
    """The events of the stream: name, data, id."""
    found, name, data, number = [], "message", [], None
    headers = {"last-event-id": str(last)} if last is not None else {}
    with client.stream("GET", address, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line.startswith("id: "):
                number = int(line[4:])
            elif not line and data:
                found.append((name, "\n".join(data), number))
                if until in (name, None) or until in found[-1][1] or len(found) > most:
                    return found
                name, data, number = "message", [], None
    return found


def test_from_a_version_to_a_pull_request_that_costs_nothing_more(bench):
    max_ = bench.people["max"]
    assert "script-src 'self'" in max_.get(bench.address).headers["content-security-policy"]
    draft, run = run_of(bench, **{"text.0": text("at most two")})
    assert bench.ended(run).state is RunState.DONE
    shown = max_.get(f"{bench.address}?draft={draft}")
    assert "What the gate would say" in shown.text
    kept = bench.records.verdict(run.id).scorecard
    assert kept.spending.made > 0
    assert kept.summary.replace("`", "")[:40] in said(shown)
    # A patch that changes only the sentence, and a pull request by the person.
    save = max_.get(f"{bench.address}/save?draft={draft}").text
    patch = html.unescape(re.search(r'aria-label="Patch of[^"]*">(.*?)</pre>', save, re.DOTALL)[1])
    assert [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "-      Reply in five to eight sentences.", "+      Reply in at most two sentences.",
    ]  # fmt: skip
    for _ in range(2):  # the form is sent twice: one pull request
        opened = max_.post(
            f"{bench.address}/save?draft={draft}", data={"open": "1", "title": "Shorter  replies"}, headers=FROM_US
        )
    assert "already has an open pull request" in opened.text
    (pull,) = bench.whole.scene.repository.pulls.values()
    assert (pull.author, pull.title, pull.base_ref) == ("max", "Shorter replies", "main")
    assert bench.git.git("diff", "--numstat", "main", pull.head_sha) == "1\t1\tprompts/replies.prompt.yml"
    assert bench.git.git("show", "-s", "--format=%an", pull.head_sha) == "max"
    made = len(bench.house.calls)
    with bench.whole.web():
        bench.whole.emit("pull_request", bench.whole.scene.pull_event("opened", pull))
        bench.whole.quiet(60)
    checked = bench.records.verdict(bench.records.current_run(bench.repo.repository_id, pull.number).id).scorecard
    assert len(bench.house.calls) == made, "the check asks the provider nothing"
    assert (checked.spending.made, checked.spending.cost_usd) == (0, Decimal(0))
    assert checked.status is kept.status is not VerdictStatus.ERROR
    assert checked.lineages[0].overall == kept.lineages[0].overall
    assert checked.lineages[0].headline == kept.lineages[0].headline


def test_model_and_parameters_are_edited_where_they_are_committed(bench):
    max_ = bench.people["max"]
    answer = sent(max_, bench.address, **{"model": "small", "parameter.temperature": "0,3"})
    draft = draft_of(answer)
    save = html.unescape(max_.get(f"{bench.address}/save?draft={draft}").text)
    assert "+    model: small" in save
    assert "+modelParameters:\n+  temperature: 0.3" in save
    again = max_.get(f"{bench.address}?draft={draft}").text
    assert re.search(r'<option value="small" selected', again)
    assert re.search(r'name="parameter.temperature"[^>]* value="0.3"', again)
    wrong = sent(max_, f"{bench.address}?draft={draft}", **{"parameter.temperature": "warm"})
    assert "temperature is 'warm', not a number" in said(wrong)
    assert "can't be 7" in said(sent(max_, bench.address, **{"parameter.temperature": "7", "action": "run"}))
    assert "this draft changes nothing" in said(sent(max_, bench.address, action="run"))


def test_two_variants_stand_side_by_side(bench):
    max_ = bench.people["max"]
    draft, first = run_of(bench, **{"text.0": text("at most two"), "pick": "slice", "slice": "edge"})
    bench.ended(first)
    sent(max_, f"{bench.address}?draft={draft}", **{"text.0": text("at most two", " Be kind."), "action": "run"})
    second = bench.newest(draft)
    assert second.sequence != first.sequence
    bench.ended(second)
    page = max_.get(f"{bench.address}?draft={draft}&run={second.sequence}&with={first.sequence}").text
    assert f"Draft of run {first.sequence}" in page
    row = re.search(r'<tr id="case-\d+">.*?</tr>', page, re.DOTALL)[0]
    assert row.count("Thank you for your message.") == 3
    assert "A pull request's check runs all cases" in page
    # A draft says nothing about versions: neither the history nor the models' page changes.
    lineage = bench.known()
    history = bench.records.lineage_history(bench.repo.repository_id, "replies")
    assert {first.id, second.id}.isdisjoint(one.run_id for one in history)
    newest = bench.records.newest_of_models(bench.repo.repository_id, lineage)
    drafts = {
        one.id
        for run in (first, second)
        for one in bench.records.run_page(bench.repo.repository_id, run.sequence).experiments
    }
    assert drafts.isdisjoint(one.experiment_id for one in newest)


def test_an_own_input_is_answered_and_kept_as_a_case(bench):
    max_ = bench.people["max"]
    mine = "My teapot, order 77, has a crack.\nWhat now?"
    draft, run = run_of(bench, **{"text.0": text("at most three"), "pick": "own", "input.question": mine})
    bench.ended(run)
    page = said(max_.get(f"{bench.address}?draft={draft}"))
    assert "Your own input is not part of the test set" in page
    assert bench.records.asked_run(run.sequence).done >= 2, "both versions answered"
    keep = f"{bench.address}/keep?draft={draft}"
    assert "My teapot, order 77" in max_.get(keep).text
    before = set(bench.whole.scene.repository.pulls)
    answer = max_.post(keep, data={"open": "1", "slice": "edge"}, headers=FROM_US)
    assert "Your pull request is open" in answer.text
    (number,) = set(bench.whole.scene.repository.pulls) - before
    pull = bench.whole.scene.repository.pulls[number]
    (added,) = [
        line[1:] for line in bench.git.git("diff", "-U0", "main", pull.head_sha).splitlines() if line.startswith("+{")
    ]
    assert (json.loads(added)["input"], json.loads(added)["slice"], pull.author) == ({"question": mine}, "edge", "max")


def test_scores_arrive_one_by_one_and_again_after_a_lost_connection(bench):
    bench.house.latency_s = 0.2
    draft, run = run_of(bench, **{"text.0": text("at most two", " Now.")})
    address = f"{bench.address}/events?draft={draft}&run={run.sequence}"
    max_ = bench.people["max"]
    found = events(max_, address)
    cases = [data.partition("\n")[0] for name, data, _ in found if name == "case"]
    statuses = [data for name, data, _ in found if name == "status"]
    assert len(set(cases)) == 24
    assert len(statuses) > 2, "not all at once"
    assert found[-1][0] == "end"
    numbers = [number for *_, number in found if number is not None]
    assert numbers == sorted(numbers)
    shown = [number for name, _, number in found if name == "case" and number is not None]
    later = events(max_, address, last=shown[0])
    assert 0 < len([one for one in later if one[0] == "case"]) < len(cases)
    assert min(number for *_, number in later if number is not None) > shown[0]
    assert [one[0] for one in events(max_, address, last=numbers[-1])] == ["status", "end"]


def test_without_write_access_one_sees_why_and_runs_nothing(bench):
    rob, ada, max_ = bench.people["rob"], bench.people["ada"], bench.people["max"]
    draft = draft_of(sent(max_, bench.address, **{"text.0": text("at most two", " Mine.")}))
    before = len(bench.records.run_rows(bench.repo.repository_id))
    assert "You have read access to acme/shop. Drafts and runs need write access" in said(rob.get(bench.address))
    form = {"action": "run", "text.0": text("no"), "pick": "all"}
    for address in (bench.address, f"{bench.address}?draft={draft}", f"{bench.address}/save?draft={draft}"):
        assert "need write access" in said(rob.post(address, data=form | {"open": "1"}, headers=FROM_US))
        assert ada.get(address).status_code == (200 if address == bench.address else 404), "a draft is its author's"
        assert max_.post(address, data=form, headers={"origin": "https://evil.example"}).status_code == 403
    assert len(bench.records.run_rows(bench.repo.repository_id)) == before
    run = bench.newest(draft_of(sent(max_, f"{bench.address}?draft={draft}", action="run")))
    for client in (ada, rob):
        assert client.get(f"{bench.address}/events?draft={draft}&run={run.sequence}").status_code == 404
    stopped = rob.post(
        f"/repositories/{bench.repo.repository_id}/runs/{run.sequence}", data={"cancel": "1"}, headers=FROM_US
    )
    assert stopped.status_code == 200
    bench.ended(run)
    assert bench.records.run(run.id).state is RunState.DONE


def test_without_contents_write_there_is_the_patch(bench):
    max_ = bench.people["max"]
    draft = draft_of(sent(max_, bench.address, **{"text.0": text("at most one")}))
    app, number = bench.whole.app, bench.whole.installation
    app.granted[number] = PERMISSIONS | READING
    try:
        page = bench.signed_in("max").get(f"{bench.address}/save?draft={draft}").text
        assert "can't open a pull request for you" in html.unescape(page)
        assert "+      Reply in at most one sentences." in html.unescape(page)
    finally:
        app.granted[number] = PERMISSIONS | {"contents": "write"}


def test_a_run_is_cancelled_at_once_and_its_reservation_ends(bench):
    bench.house.stalled.set()
    today = bench.whole.clock.utc().date()
    before = bench.records.person_usd("max", today)
    draft, run = run_of(bench, **{"text.0": text("at most two", " Cancel me.")})
    bench.whole.until(lambda: len(bench.house.calls) >= 1, 20)
    assert bench.records.person_usd("max", today) > before
    time.sleep(0.3)
    made = len(bench.house.calls)
    answer = bench.people["max"].post(
        bench.address, data={"action": "cancel", "draft": str(draft), "run": str(run.sequence)}, headers=FROM_US
    )
    assert answer.status_code == 303
    assert bench.records.run(run.id).state is RunState.CANCELLED
    bench.whole.until(lambda: bench.records.asked_run(run.sequence).settled, 5)
    bench.house.stalled.clear()
    time.sleep(0.5)
    assert len(bench.house.calls) == made, "no further call"
    asked = bench.records.asked_run(run.sequence)
    assert bench.records.person_usd("max", today) == before + asked.spent_usd
    shown = said(bench.people["max"].get(f"{bench.address}?draft={draft}"))
    assert "Cancelled after" in shown
    # The same draft again is a new run.
    again = bench.newest(draft_of(sent(bench.people["max"], f"{bench.address}?draft={draft}", action="run")))
    assert again.sequence != run.sequence
    assert bench.ended(again).state is RunState.DONE


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((401, "invalid_api_key"), "authentication"),
        ((429, "insufficient_quota"), "quota"),
    ],
)
def test_a_wrong_key_and_a_quota_are_said_on_the_page(bench, refusal, words):
    bench.house.refuse = refusal
    draft, run = run_of(bench, **{"text.0": text("at most two", f" {words}.")})
    address = f"{bench.address}/events?draft={draft}&run={run.sequence}"
    streamed = events(bench.people["max"], address)
    assert bench.ended(run).state is RunState.DONE
    shown = said(bench.people["max"].get(f"{bench.address}?draft={draft}"))
    assert words in shown
    assert refusal[1] in shown
    assert any(refusal[1] in data for name, data, _ in streamed if name == "status")
    bench.house.refuse = None
    again = bench.newest(draft_of(sent(bench.people["max"], f"{bench.address}?draft={draft}", action="run")))
    assert again.sequence != run.sequence, "the same draft again is tried again"
    bench.ended(again)
    assert bench.records.verdict(again.id).scorecard.status is not VerdictStatus.ERROR


def test_a_provider_that_stalls_is_said_while_it_stalls(bench):
    bench.house.stalled.set()
    draft, run = run_of(bench, **{"text.0": text("at most two", " Stall.")})
    address = f"{bench.address}/events?draft={draft}&run={run.sequence}"
    found = events(bench.people["max"], address, until="The provider has not answered for 3 s")
    assert "The provider has not answered for 2 s" in "".join(data for _, data, _ in found)
    bench.house.stalled.clear()
    bench.ended(run)


def test_twenty_runs_at_once_hold_the_cap_of_one_person(bench):
    """Each reserves before it starts. Together they never reserve more than the person may spend."""
    from bot.store.asked_values import Ask
    from bot.store.values import ExperimentRequest
    from schemas.errors import BudgetExceeded

    at, head = bench.whole.clock.utc(), bench.git.resolve("main")
    results = []

    def ask(number, by):
        request = ExperimentRequest(lineage="nobody", models=("large",), slice=f"s{number}", by=by)
        try:
            run = bench.records.ask(
                bench.repo, head, "main", request, Ask(by=by, usd=Decimal("0.30"), cap=Decimal(2)), at=at
            )
        except BudgetExceeded:
            results.append(None)
        else:
            results.append(run)

    for people, allowed in (("one",), 6), (tuple(f"p{n}" for n in range(20)), 20):
        results.clear()
        threads = [threading.Thread(target=ask, args=(n, people[n % len(people)])) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        started = [run for run in results if run is not None]
        assert (len(started), len(results)) == (allowed, 20)
        for run in started:
            bench.ended(run)
            bench.whole.until(lambda run=run: bench.records.asked_run(run.sequence).settled, 10)
        assert {bench.records.person_usd(one, at.date()) for one in people} == {Decimal(0)}


def test_hostile_texts_in_every_field_stay_texts(bench):
    hostile = "".join(FRAGMENTS)
    say = hostile.replace("[[", "").replace("]]", "")
    fields = {
        "text.0": f"You answer.\n[[say Thank you {say[:1500]}]]\n{hostile}", "input.question": hostile,
        "expected": hostile, "pick": "own", "case": hostile, "slice": hostile, "title": hostile,
    }  # fmt: skip
    max_ = bench.people["max"]
    answer = sent(max_, bench.address, **fields, action="run")
    if answer.status_code != 303:  # such a text can't be written into the file: the page says so, and keeps the draft
        assert "can't be edited safely" in said(answer)
        pages = [answer.text]
        draft = bench.records.drafts(bench.known(), "max", 1)[0].id
    else:
        draft = draft_of(answer)
        run = bench.newest(draft)
        streamed = events(max_, f"{bench.address}/events?draft={draft}&run={run.sequence}")
        bench.ended(run)
        pages = [data.partition("\n")[2] if name == "case" else data for name, data, _ in streamed]
    for below in ("", "/save", "/keep"):
        pages.append(max_.get(f"{bench.address}{below}?draft={draft}").text)
    for address in ("?draft=x", "?draft=99999999999999999999", "?from=zz", "?run=-1&with=%00"):
        assert max_.get(bench.address + address).status_code in (200, 404)
    for page in pages:
        tags = Tags(page)
        assert [one["src"] for one in tags.of("script")] in (
            [],
            [tags.of("script")[0]["src"]] if tags.of("script") else [],
        )
        assert all(one["src"].startswith("/static/playground-") for one in tags.of("script"))
        assert tags.of("img") == tags.of("iframe") == tags.of("style") == tags.of("svg") == []
        for _, attributes in tags.found:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
        for link in tags.of("a"):
            assert re.match(r"/|#|http://127\.0\.0\.1:\d+/acme/shop/", link["href"]), link
        assert not re.search("[\u202e\x1b\u200b\u2028\x00]", page)


def test_two_tabs_do_not_silently_replace_each_others_text(bench):
    max_ = bench.people["max"]
    draft = draft_of(sent(max_, bench.address, **{"text.0": text("at most seven")}))
    address = f"{bench.address}?draft={draft}"
    fields = {
        name: html.unescape(re.search(f'name="{name}" value="([^"]*)"', max_.get(address).text)[1])
        for name in ("page", "changed", "draft")
    }

    def save(count):
        form = fields | {"action": "save", "text.0": text(count)}
        return max_.post(bench.address, data=form, headers=FROM_US)

    assert [save("two").status_code, save("three").status_code] == [303, 303], "the same tab saves as it likes"
    assert sent(max_, address, **{"text.0": text("four")}).status_code == 303, "a newer page has read the text"
    refused = save("five")
    assert "changed in another tab or browser" in said(refused)
    assert "Reply in five sentences." in refused.text, "what was typed is not lost"
    assert "Reply in four sentences." in bench.records.draft(draft, "max").document
    fields |= {
        name: html.unescape(re.search(f'name="{name}" value="([^"]*)"', refused.text)[1])
        for name in ("page", "changed")
    }
    assert save("five").status_code == 303
    assert "Reply in five sentences." in bench.records.draft(draft, "max").document


def test_a_page_from_before_a_push_undoes_nothing(bench):
    max_ = bench.people["max"]
    before = bench.git.git("show", "main:prompts/replies.prompt.yml")
    shown = max_.get(bench.address).text
    fields = dict(re.findall(r'name="(seen[^"]*)" value="([^"]*)"', shown))
    texts = re.findall(r'<textarea name="(text[^"]*)"[^>]*>\n(.*?)</textarea>', shown, re.DOTALL)
    fields |= {name: html.unescape(one) for name, one in texts}
    bench.git.commit("main", {"prompts/replies.prompt.yml": before.replace("customers", "people") + "\n"})
    answer = max_.post(bench.address, data=fields | {"action": "save"}, headers=FROM_US)
    assert "This draft changes nothing" in said(max_.get(f"{bench.address}/save?draft={draft_of(answer)}"))
    bench.git.commit("main", {"prompts/replies.prompt.yml": before + "\n"})


def test_a_text_that_changed_on_the_branch_meanwhile_is_said(bench):
    max_ = bench.people["max"]
    draft = draft_of(sent(max_, bench.address, **{"text.0": text("at most nine")}))
    assert "changed on main since" not in said(max_.get(f"{bench.address}?draft={draft}"))
    before = bench.git.git("show", "main:prompts/replies.prompt.yml")
    bench.git.commit("main", {"prompts/replies.prompt.yml": before.replace("of a shop", "of our shop") + "\n"})
    assert "changed on main since; your text replaces it" in said(max_.get(f"{bench.address}?draft={draft}"))
    patch = html.unescape(max_.get(f"{bench.address}/save?draft={draft}").text)
    assert "-      You answer customers of our shop." in patch
