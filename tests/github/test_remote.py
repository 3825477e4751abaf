"""Fetching three commits and some blobs, over git's real protocol."""

import os

import pytest

from adapters.git.remote import RemoteRepository, transport_settings
from schemas.errors import HostUnavailable, SourceError


@pytest.fixture
def url(github):
    return f"{github.server_url}/acme/shop.git"


@pytest.fixture
def remote(github, scene, tmp_path, url, naps):
    token = github.actions_token(scene.repository, contents="read")
    return RemoteRepository(tmp_path / "copy", url, token, sleep=naps.append)


@pytest.fixture
def pull(scene):
    scene.git.commit("main", {f"prompts/{n}.md": f"prompt {n}\n" * 20 for n in range(12)})
    return scene.open_pull({"prompts/3.md": "better\n", "prompts/4.md": None, "prompts/moved.md": "prompt 4\n" * 20})[0]


def test_commits_come_by_their_ids_and_blobs_in_one_request(github, scene, remote, pull):
    base = scene.git.resolve("main")
    remote.fetch([base, pull.head_sha])
    assert len(remote.entries(base)) == 13
    before = len(github.git_requests)
    found = remote.lookup(base, [f"prompts/{n}.md" for n in range(12)])
    assert found["prompts/3.md"].size == 180
    contents = remote.read([entry.blob for entry in found.values()])
    assert contents[found["prompts/7.md"].blob] == b"prompt 7\n" * 20
    assert github.git_requests[before:].count("git-upload-pack") <= 2


def test_renames_are_followed_without_a_clone(scene, remote, pull):
    base = scene.git.resolve("main")
    remote.fetch([base, pull.head_sha])
    changes = {(c.before and c.before.path, c.after and c.after.path) for c in remote.changes(base, pull.head_sha)}
    assert changes == {("prompts/3.md", "prompts/3.md"), ("prompts/4.md", "prompts/moved.md")}


def test_a_forks_head_comes_from_our_repository(scene, remote, pull):
    other, _ = scene.open_pull({"x.md": "y\n"}, fork="eve/shop")
    remote.fetch([other.head_sha])
    assert "x.md" in remote.entries(other.head_sha)


def test_the_token_is_in_no_file_and_on_no_command_line(github, scene, tmp_path, url, pull, monkeypatch):
    import subprocess

    commands = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **rest: commands.append(command) or real(command, **rest))
    token = github.actions_token(scene.repository, contents="read")
    RemoteRepository(tmp_path / "copy", url, token).fetch([pull.head_sha])
    header = next(v for k, v in transport_settings(url, token).items() if k.endswith("extraheader")).split()[-1]
    assert len(commands) > 2
    for secret in (token, header):
        assert secret not in str(commands)
        assert not [
            f for f in tmp_path.joinpath("copy").rglob("*") if f.is_file() and secret.encode() in f.read_bytes()
        ]


def test_a_private_repository_needs_the_token(github, scene, tmp_path, url, remote, pull, naps):
    scene.repository.private = True
    remote.fetch([pull.head_sha])
    with pytest.raises(SourceError, match="contents: read"):
        RemoteRepository(tmp_path / "other", url, "ghs_wrong", sleep=naps.append).fetch([pull.head_sha])


def test_a_commit_that_is_gone_is_said_so(remote):
    with pytest.raises(SourceError, match="no longer has this commit"):
        remote.fetch(["0123456789abcdef0123456789abcdef01234567"])


def test_a_fault_of_the_network_is_repeated_and_an_outage_named(github, remote, pull, naps):
    github.fail("GIT", "info/refs", status=502)
    remote.fetch([pull.head_sha])
    assert naps == [2.0]
    github.fail("GIT", "info/refs", status=502, times=99)
    with pytest.raises(HostUnavailable, match="failed 3 times"):
        remote.read(["0123456789abcdef0123456789abcdef01234567"])


def test_digits_in_an_address_are_no_refusal(github, tmp_path, naps):
    github.fail("GIT", "info/refs", status=502, times=99)
    remote = RemoteRepository(tmp_path / "copy", f"{github.server_url}/acme/401-403.git", None, sleep=naps.append)
    with pytest.raises(HostUnavailable, match="failed 3 times"):
        remote.fetch(["0123456789abcdef0123456789abcdef01234567"])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_repeated(github, remote, pull, naps, status):
    github.fail("GIT", "info/refs", status=status)
    with pytest.raises(SourceError, match="this token can't read"):
        remote.fetch([pull.head_sha])
    assert naps == []


def test_the_environment_steers_nothing(github, scene, tmp_path, url, pull, monkeypatch):
    for name, value in {"http_proxy": "http://127.0.0.1:9", "GIT_SSL_NO_VERIFY": "1", "GIT_DIR": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    remote = RemoteRepository(tmp_path / "copy", url, None)
    remote.fetch([pull.head_sha])
    assert not {"GIT_SSL_NO_VERIFY", "GIT_DIR"} & remote._env.keys() & os.environ.keys()
    assert "prompts/3.md" in remote.entries(pull.head_sha)


def test_a_merge_brings_the_history_it_takes_and_no_more(github, scene, remote):
    """The branches left each other far back; base moved on, and both changed one file in different places."""
    git = scene.git
    text = "".join(f"line {n}\n" for n in range(40))
    start = git.commit("main", {"prompts/a.md": text, "prompts/b.md": "b\n"})
    for n in range(120):
        git.commit("main", {"log.txt": f"{n}\n"})
    base = git.commit("main", {"prompts/a.md": text.replace("line 1\n", "base's\n")})
    git.set_ref("refs/heads/old", start)
    head = git.commit("old", {"prompts/a.md": text.replace("line 38\n", "head's\n"), "prompts/b.md": "better\n"})
    remote.fetch([base, head])
    merge = remote.merge(base, head)
    assert (merge.bases, merge.conflicts) == ((start,), ())
    found = remote.lookup(merge.tree, ["prompts/a.md", "prompts/b.md"])
    contents = {path: remote.read([entry.blob])[entry.blob] for path, entry in found.items()}
    assert b"base's\n" in contents["prompts/a.md"]
    assert b"head's\n" in contents["prompts/a.md"]
    assert contents["prompts/b.md"] == b"better\n"
    assert {c.after.path for c in remote.changes(base, merge.tree)} == {"prompts/a.md", "prompts/b.md"}
    assert remote.merge(base, head) == merge


def test_a_merge_that_conflicts_names_the_files(scene, remote):
    git = scene.git
    start = git.commit("main", {"prompts/a.md": "one\n", "x.md": "x\n"})
    base = git.commit("main", {"prompts/a.md": "two\n"})
    git.set_ref("refs/heads/old", start)
    head = git.commit("old", {"prompts/a.md": "three\n", "x.md": "y\n"})
    remote.fetch([base, head])
    assert remote.merge(base, head).conflicts == ("prompts/a.md",)


def test_every_merge_base_of_a_criss_cross_history_counts(scene, remote):
    git = scene.git
    first = git.commit("main", {"prompts/a.md": "worse\n"})
    fixed = git.commit("main", {"prompts/a.md": "good\n"})
    git.set_ref("refs/heads/side", first)
    side = git.commit("side", {"docs.md": "x\n"})
    base = git.commit("main", {"docs.md": "x\n"}, parents=(fixed, side))
    head = git.commit("side", {"docs.md": "x\n"}, parents=(side, fixed))
    remote.fetch([base, head])
    merge = remote.merge(base, head)
    assert set(merge.bases) == {side, fixed}
    assert [c.after.path for c in remote.changes(base, merge.tree)] == ["prompts/a.md"]


def test_branches_without_a_common_history_merge_to_the_head_itself(scene, remote):
    base = scene.git.commit("main", {"a.md": "a\n"})
    island = scene.git.commit("island", {"b.md": "b\n"})
    remote.fetch([base, island])
    merge = remote.merge(base, island)
    assert (merge.bases, merge.base) == ((), None)
    assert [entry.path for entry in remote.entries(merge.tree).values()] == ["b.md"]
