"""Copies of repositories on disk: kept while they are of use, gone with their repository."""

import os
import threading
import time
from contextlib import suppress

import pytest

from adapters.git.program import run_git
from benchmarks.damage import WAYS
from bot.runs.source_cache import SourceCache, _locked
from bot.store.values import RepositoryRef
from schemas.errors import SourceError, StoreError
from tests.fakes.github import FakeGitHub, Scene

FIRST = RepositoryRef(installation_id=1, repository_id=11, full_name="acme/one")
SECOND = RepositoryRef(installation_id=1, repository_id=12, full_name="acme/two")


class App:
    def __init__(self, token="token"):
        self.value = token

    def token(self, installation_id, repository):
        return self.value


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sources"


def sources(folder, **limits):
    return SourceCache(folder, App(), "https://github.example", **limits)


def copies(folder):
    return sorted(copy.name for copy in folder.glob("*.git"))


def test_the_copy_of_a_removed_repository_goes_and_the_others_stay(folder):
    made = sources(folder)
    for repo in (FIRST, SECOND):
        made.read(repo, lambda tree: None)
    made.keep_only({12, 99})
    assert copies(folder) == ["12.git"]
    made.keep_only(())
    assert copies(folder) == []


def test_a_copy_that_is_in_use_goes_the_next_time(folder):
    made = sources(folder)

    def read(tree):
        made.keep_only(())
        return copies(folder)

    assert made.read(FIRST, read) == ["11.git"]
    made.keep_only(())
    assert copies(folder) == []


def test_the_copy_that_was_used_longest_ago_goes_when_there_is_too_much(folder):
    def fill(size):
        return lambda tree: (tree.path / "objects" / "big").write_bytes(b"x" * size)

    sources(folder).read(FIRST, fill(200_000))
    os.utime(folder / "11.git", (0, 0))
    sources(folder, most_bytes=250_000).read(SECOND, fill(100_000))
    assert copies(folder) == ["12.git"]


# -- damage


@pytest.fixture
def github(tmp_path):
    with FakeGitHub(tmp_path / "github") as fake:
        yield fake


@pytest.fixture
def shop(github):
    """A repository with two commits, and what is read of them."""
    scene = Scene(github, github.repository("acme/one", mia="maintain"))
    first = scene.git.commit("main", {f"p/{n}.md": f"{n}\n" * 50 for n in range(9)})
    return [first, scene.git.commit("main", {"p/1.md": "one\n"})]


def reader(commits, seen):
    def read(tree):
        seen.append(tree.path)
        tree.fetch(commits)
        found = [tree.lookup(commit, ["p/1.md", "p/2.md"]) for commit in commits]
        texts = tree.read([entry.blob for entries in found for entry in entries.values()])
        return [[texts[entry.blob][:4] for entry in entries.values()] for entries in found], tree.changes(*commits)

    return read


def local(github, folder):
    token = github.actions_token(github.repositories["acme/one"], contents="read")
    return SourceCache(folder, App(token), github.server_url)


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_copy_is_thrown_away_and_begun_anew(github, shop, folder, way):
    made, seen = local(github, folder), []
    whole = made.read(FIRST, reader(shop, seen))
    assert whole[0] == [[b"1\n1\n", b"2\n2\n"], [b"one\n", b"2\n2\n"]]
    assert made.read(FIRST, reader(shop, seen)) == whole
    assert len(seen) == 2  # a sound copy is read once
    files = [path for path in (folder / "11.git").rglob("*") if path.is_file()]
    for path in [*files, folder / "11.lock"]:
        WAYS[way](path)
    assert made.read(FIRST, reader(shop, seen)) == whole
    assert len(seen) <= 4
    assert not list(folder.glob("*.gone"))


@pytest.mark.parametrize("left", ["shallow.lock", "config.lock", "HEAD.lock", "objects/pack/tmp_pack_x", "shallow"])
def test_what_a_killed_git_left_behind_hinders_nobody(github, shop, folder, left):
    made = local(github, folder)
    whole = made.read(FIRST, reader(shop, []))
    (folder / "11.git" / left).write_text("zzzz\n")
    (folder / "11.lock").unlink()
    (folder / "11.lock").mkdir()  # nor does anything else in the place of our lock
    assert made.read(FIRST, reader(shop, [])) == whole


def test_an_error_that_comes_of_a_damaged_copy_is_not_believed(github, shop, folder):
    """Whoever reads may catch what git says and make a verdict of it."""
    made, tries = local(github, folder), []
    made.read(FIRST, reader(shop, []))

    def swallows(tree):
        tries.append(tree)
        with suppress(SourceError):
            return reader(shop, [])(tree)
        return "can't be read"

    for path in (folder / "11.git").rglob("*.pack"):
        WAYS["half"](path)
    assert made.read(FIRST, swallows) != "can't be read"
    assert len(tries) == 2


def test_a_commit_that_is_gone_is_no_damage(github, shop, folder):
    made, seen = local(github, folder), []
    made.read(FIRST, reader(shop, []))
    with pytest.raises(SourceError, match="no longer has this commit"):
        made.read(FIRST, reader(["0123456789abcdef0123456789abcdef01234567"] * 2, seen))
    assert len(seen) == 1
    assert copies(folder) == ["11.git"]


def test_a_git_that_outlives_its_worker_keeps_the_copy_to_itself(tmp_path, folder):
    """The lock passes on to git: the next worker waits until it has ended."""
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\necho $$ > " + str(tmp_path / "pid") + "\nexec sleep 60\n")
    program.chmod(0o755)
    folder.mkdir()
    with _locked(folder / "11.git") as lock:
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        running = threading.Thread(
            target=run_git, args=("fetch",), kwargs={"env": env, "where": "", "held": (lock.fileno(),)}
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", env["PATH"])
            running.start()
            until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    with _locked(folder / "11.git", wait=False) as lock:
        assert lock is None
    os.kill(int((tmp_path / "pid").read_text()), 9)
    running.join()
    with _locked(folder / "11.git", wait=False) as lock:
        assert lock is not None


def until(true):
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_folder_that_cant_be_written_says_what_to_do(folder):
    folder.parent.mkdir(exist_ok=True, parents=True)
    folder.write_text("a file")
    with pytest.raises(StoreError, match=r"copies of repositories can't be stored.*\(free the disk"):
        sources(folder).read(FIRST, lambda tree: None)
