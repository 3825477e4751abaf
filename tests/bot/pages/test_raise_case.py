"""A case becomes a patch of its test set, or a pull request with the rights and the name of the reader."""

import json
import subprocess
import threading

import pytest

from adapters.github.sign_in import GitHubSignIn
from bot.store.page_values import CaseFilter
from tests.bot.pages.site import FROM_US, WRITING

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("staged", ["sqlite"], indirect=True)]


@pytest.fixture
def case(web, staged):
    """A case of the shop's newest classification, whose test set is at the run's head on GitHub."""
    page = next(p for p in (staged.run_page(11, r.run.sequence) for r in staged.run_rows(11)) if p.run.number == 104)
    experiment = page.experiments[0]
    row = staged.cases(experiment.id, CaseFilter(result="regressed"))[0]
    rows = [{"id": row.case_id, "input": {"ticket": "x"}, "expected": row.expected, "slice": "edge"}]
    text = "".join(json.dumps(one) + "\n" for one in rows)
    repository = web.github.repositories["acme/shop"]
    path = page.overview.lineages[0].tests
    commit = repository.git.commit("main", {path: text.encode()})
    repository.git.git("update-ref", "refs/heads/head", commit)
    web.head, web.path, web.text, web.row = commit, path, text, row
    with staged._database.writing() as session:
        from sqlalchemy import text as sql

        session.execute(sql(f"UPDATE runs SET head_sha = '{commit}' WHERE sequence = {page.run.sequence}"))
    return f"/repositories/11/runs/{page.run.sequence}/experiments/{experiment.id}/cases/{row.position}"


def patch_of(answer):
    import html
    import re

    return html.unescape(re.search(r'<pre class="patch"[^>]*aria-label="Patch">(.*?)</pre>', answer.text, re.DOTALL)[1])


def applied(web, folder, patch):
    """The test set after ``git apply``."""
    file = folder / web.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(web.text)
    (folder / "made.patch").write_text(patch)
    subprocess.run(["git", "apply", "--unsafe-paths", "made.patch"], cwd=folder, check=True)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_case_is_protected_by_a_patch_that_applies(web, case, tmp_path):
    answer = web.signed_in("ada").get(f"{case}/protect")
    assert answer.status_code == 200
    (after,) = applied(web, tmp_path, patch_of(answer))
    assert (after["id"], after["protected"]) == (web.row.case_id, True)


def test_a_case_is_added_as_it_was_filled_in(web, case, tmp_path):
    ada = web.signed_in("ada")
    assert "Create the patch" in ada.get(f"{case}/add").text
    filled = {"input.ticket": "I was charged twice\r\nin April", "expected": "billing", "slices": "edge"}
    answer = ada.post(f"{case}/add", data=filled, headers=FROM_US)
    _, added = applied(web, tmp_path, patch_of(answer))
    assert added["input"] == {"ticket": "I was charged twice\nin April"}
    assert (added["expected"], added["slice"]) == ("billing", "edge")


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://evil.example"}, FROM_US | {"sec-fetch-site": "cross-site"}]
)
def test_a_form_of_another_site_makes_nothing(web, case, headers):
    answer = web.signed_in("ada").post(f"{case}/add", data={"expected": "x"}, headers=headers)
    assert (answer.status_code, "Patch" in answer.text) == (403, False)


def test_who_may_not_read_gets_no_patch_and_a_form_has_a_limit(web, case):
    assert web.signed_in("eve").post(f"{case}/add", data={"expected": "x"}, headers=FROM_US).status_code == 404
    assert web.browser().post(f"{case}/add", data={"expected": "x"}, headers=FROM_US).status_code == 303
    large = {"expected": "x" * 600_000}
    assert web.signed_in("ada").post(f"{case}/add", data=large, headers=FROM_US).status_code == 413


def test_a_path_leads_to_no_other_address(web, case):
    ada = web.signed_in("ada")
    assert ada.get(case).status_code == 200
    token = next(token for token, one in web.github.tokens.items() if one.login == "ada")
    sign_in = GitHubSignIn("id", "secret", server_url=web.github.server_url, api_url=web.github.api_url)
    person, before = sign_in.person(token), web.github.count()
    for path in ("../../../user", "a/../../b", "/etc/passwd", "a//b", ".", ""):
        assert person.file("acme/shop", path, web.head) is None
    assert web.github.count() == before
    assert person.file("acme/shop", web.path, web.head) == web.text.encode()


OPEN = {"open": "1"}


@pytest.fixture
def writing(web, case):
    """The App may write contents, as its account granted."""
    (app,) = web.github.apps.values()
    app.granted[7] = WRITING
    web.repository = web.github.repositories["acme/shop"]
    return case


def opened(web):
    (pull,) = web.repository.pulls.values()
    return pull


def test_a_person_opens_a_pull_request_that_changes_exactly_the_case(web, writing):
    wes = web.signed_in("wes")
    assert "Open a pull request" in wes.get(f"{writing}/protect").text
    answer = wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    pull = opened(web)
    assert "Your pull request is open" in answer.text
    assert f"/acme/shop/pull/{pull.number}" in answer.text
    assert (pull.author, pull.base_ref) == ("wes", "main")
    assert pull.title == f"Protect case {web.row.case_id}"
    git = web.repository.git
    assert git.git("rev-list", "--count", f"main..{pull.head_sha}") == "1"
    assert git.git("show", "-s", "--format=%an %s", pull.head_sha) == f"wes Protect case {web.row.case_id}"
    assert git.git("diff", "--name-only", "main", pull.head_sha) == web.path
    after = json.loads(git.git("show", f"{pull.head_sha}:{web.path}"))
    assert after == json.loads(web.text) | {"protected": True}
    # Every write used the person's token.
    assert {one.login for one in web.github.asked if one.method in ("POST", "PUT")} == {"wes"}


def test_an_added_case_is_proposed_as_it_was_filled_in(web, writing):
    filled = {"input.ticket": "I was charged twice", "expected": "billing", "slices": "edge", **OPEN}
    web.signed_in("wes").post(f"{writing}/add", data=filled, headers=FROM_US)
    _, added = web.repository.git.git("show", f"{opened(web).head_sha}:{web.path}").splitlines()
    assert json.loads(added)["input"] == {"ticket": "I was charged twice"}


def test_a_form_that_is_sent_twice_opens_one_pull_request(web, writing):
    wes = web.signed_in("wes")
    answers = []
    both = [
        threading.Thread(target=lambda: answers.append(wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US).text))
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    again = wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US).text
    pull = opened(web)
    assert "already has an open pull request" in again
    assert all(f"/pull/{pull.number}" in text for text in (*answers, again))
    pull.state = "closed"
    assert "was closed before" in wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US).text
    assert opened(web) is pull


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/git/refs"), ("PUT", "/contents/"), ("POST", "/pulls$")]
)  # fmt: skip
def test_after_a_lost_answer_nothing_is_made_twice(web, writing, method, path):
    wes = web.signed_in("wes")
    web.github.fail(method, path, lost=True)
    wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    again = wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    assert f"/pull/{opened(web).number}" in again.text
    assert web.repository.git.git("rev-list", "--count", f"main..{opened(web).head_sha}") == "1"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/git/refs"), ("PUT", "/contents/"), ("POST", "/pulls$")]
)  # fmt: skip
def test_what_github_refuses_is_said_and_the_patch_is_still_there(web, writing, method, path):
    web.github.fail(method, path, status=422, message="rule violations: <b>signed commits</b>")
    answer = web.signed_in("wes").post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    assert (answer.status_code, web.repository.pulls) == (200, {})
    assert "No pull request was opened. GitHub refused (422): rule violations: &lt;b&gt;signed" in answer.text
    assert '"protected": true' in patch_of(answer)


def test_a_branch_with_the_work_of_others_is_left_alone(web, writing):
    wes = web.signed_in("wes")
    web.github.fail("POST", "/pulls$", status=422, message="no", times=1)
    wes.post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    git = web.repository.git
    (branch,) = [one for one in git.git("for-each-ref", "--format=%(refname:short)").split() if "protect-" in one]
    theirs = git.commit(branch, {web.path: "{}\n"})
    assert "exists already, with another content" in wes.post(
        f"{writing}/protect", data=OPEN, headers=FROM_US
    ).text.replace("&#39;", "'")
    assert git.resolve(f"refs/heads/{branch}") == theirs


def test_a_case_that_the_default_branch_does_not_have_is_no_pull_request(web, writing):
    web.repository.git.commit("main", {web.path: '{"id": "other", "input": {"ticket": "x"}, "expected": "billing"}\n'})
    answer = web.signed_in("wes").post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    assert "On the default branch:" in answer.text
    assert '"protected": true' in patch_of(answer), "the patch is of the run's head"
    assert web.repository.pulls == {}


@pytest.mark.parametrize(("login", "granted"), [("ada", True), ("wes", False)])
def test_without_the_rights_there_is_the_patch_only(web, writing, login, granted):
    if not granted:
        del next(iter(web.github.apps.values())).granted[7]
    person = web.signed_in(login)
    shown = person.get(f"{writing}/protect")
    assert "Open a pull request" not in shown.text
    assert "git apply FILE" in shown.text
    answer = person.post(f"{writing}/protect", data=OPEN, headers=FROM_US)
    assert '"protected": true' in patch_of(answer)
    assert not [one for one in web.github.asked if one.method in ("POST", "PUT")]


def test_a_form_of_another_site_opens_nothing(web, writing):
    wes = web.signed_in("wes")
    for headers in ({}, {"origin": "https://evil.example"}, FROM_US | {"sec-fetch-site": "cross-site"}):
        assert wes.post(f"{writing}/protect", data=OPEN, headers=headers).status_code == 403
    assert web.repository.pulls == {}


def test_an_id_never_becomes_words_that_github_reads(web, writing):
    from adapters.github.proposals import DefaultFile
    from bot.pages.views.raise_case import _proposal
    from engine.test_edits.patches import Patch

    file = DefaultFile("main", "a" * 40, web.path, "b" * 40, b"")
    for case in ("@acme/everyone", "fixes #1", "x\n\nCo-authored-by: y <y@z>", "[skip ci]", "a" * 80):
        made = _proposal("protect", file, Patch(path=web.path, case=case, text=case, content=b""), None)
        assert (made.title, case in made.body) == ("Protect a case", False)
        assert made.branch.removeprefix("prompt-verdict/protect-").isalnum()
