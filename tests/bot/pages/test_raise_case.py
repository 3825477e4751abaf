"""A case becomes a patch of its test set, read from GitHub as the reader; nothing is written."""

import json
import subprocess

import pytest

from adapters.github.sign_in import GitHubSignIn
from bot.store.page_values import CaseFilter
from tests.bot.pages.site import PUBLIC

pytestmark = pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
FROM_US = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}


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
