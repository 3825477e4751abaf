"""Who took part in a pull request, as GitHub shows it."""

import pytest

from engine.approvals.contributors import contributors


def people(host, pull):
    return contributors(host.authorship(pull.number), pull.head_sha)


def test_author_and_pusher_are_told_apart(host, scene):
    pull, _ = scene.open_pull({"prompt.md": "new\n"}, author="ada", by="mia")
    found = people(host, pull)
    assert {"ada", "mia"} <= found.people
    assert not found.hidden
    scene.push(pull, {"prompt.md": "newer\n"}, by="Max")
    assert {"ada", "mia", "max"} <= people(host, pull).people


@pytest.mark.parametrize(
    "commit",
    [
        {"wrote": "Mia <mia@users.noreply.github.com>"},
        {"wrote": "Mia M <4711+mia@users.noreply.github.com>"},
        {"wrote": "mia <private@example.com>"},
        {"wrote": "Somebody <mia@acme.example>"},
        {"message": "x\n\nCo-authored-by: Mia <4711+Mia@users.noreply.github.com>"},
        {"message": "x\n\nco-authored-BY: mia <private@example.com>\nSigned-off-by: ada <a@b.c>"},
        {"message": "x\n\nCo-authored-by: Mia M <mia@acme.example>\nReviewed-by: max <m@x.y>"},
    ],
)
def test_who_is_named_in_a_commit_took_part(host, scene, commit):
    pull, _ = scene.open_pull({"prompt.md": "new\n"}, **commit)
    scene.push(pull, {"README.md": "unrelated\n"})
    found = people(host, pull)
    assert "mia" in found.people
    assert "max" not in found.people
    assert not found.hidden


@pytest.mark.parametrize("who", ["github-actions[bot]", "renovate[bot]"])
def test_a_bot_hides_people(host, scene, who):
    opened, _ = scene.open_pull({"prompt.md": "new\n"}, author=who)
    pushed, _ = scene.open_pull({"prompt.md": "new\n"}, by=who, branch="second")
    assert people(host, opened).hidden
    assert people(host, pushed).hidden


def test_pushes_that_github_does_not_show_hide_people(github, host, scene):
    fork, _ = scene.open_pull({"prompt.md": "new\n"}, author="eve", fork="eve/shop")
    assert people(host, fork).hidden
    pull, _ = scene.open_pull({"prompt.md": "new\n"})
    github.fail("GET", "activity", status=403, message="Resource not accessible by integration")
    assert people(host, pull).hidden
    assert not people(host, pull).hidden


@pytest.mark.slow
def test_many_commits_and_pushes_are_read_to_the_end(host, scene):
    pull, _ = scene.open_pull({"prompt.md": "0\n"}, by="mia")
    for n in range(120):
        scene.push(pull, {"prompt.md": f"{n}\n"})
    found = people(host, pull)
    assert (found.hidden, "mia" in found.people) == (False, True)
