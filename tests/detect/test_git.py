"""``adapters.git``: commits as data, whatever the repository looks like."""

import os
import shutil
import stat

import pytest

from adapters.git.clone import Clone
from schemas.errors import SourceError, UsageError
from tests.repositories import BORN, Executable, Link, Repository, Submodule
from tests.trees import MemoryTrees

TEXT = "".join(f"line {n}\n" for n in range(20))


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def test_a_tree_is_listed_whole_or_by_path_or_by_glob(repository):
    commit = repository.commit(
        {
            "a.md": "one",
            "run.sh": Executable("#!"),
            "link.md": Link("a.md"),
            "vendor": Submodule("1" * 40),
            "deep/er/a.md": "two",
            "a*.md": "a star is a letter",
        }
    )
    tree = Clone(repository.path)
    assert {path: entry.mode for path, entry in tree.entries(commit).items()} == {
        "a*.md": "100644",
        "a.md": "100644",
        "deep/er/a.md": "100644",
        "link.md": "120000",
        "run.sh": "100755",
        "vendor": "160000",
    }
    found = tree.lookup(commit, ["a*.md", "deep", "deep/er/nothing.md", "nothing.md", "vendor"])
    assert {path: (entry.mode, entry.size) for path, entry in found.items()} == {
        "a*.md": ("100644", 18),
        "deep": ("040000", None),
        "vendor": ("160000", None),
    }
    assert [entry.path for entry in tree.find(commit, ["**/a.md"])] == ["a.md", "deep/er/a.md"]
    assert [entry.path for entry in tree.find(commit, ["*.md"])] == ["a*.md", "a.md", "link.md"]
    assert [entry.path for entry in tree.find(commit, ["deep"])] == ["deep/er/a.md"]


def test_many_paths_are_looked_up_as_few_are(repository, monkeypatch):
    names = {"a*.md": "one", "deep/er/a.md": "two", "l": Link("a*.md"), "v": Submodule("1" * 40), "\udcff.md": "x"}
    commit = repository.commit(names)
    tree, paths = (
        Clone(repository.path),
        ["", "a*.md", "deep", "deep/er/a.md", "l", "no", "v", "v/x", "../x", r"\xff.md"],
    )
    few = tree.lookup(commit, paths)
    monkeypatch.setattr("adapters.git.repository.MOST_NAMED", 3)
    assert tree.lookup(commit, paths) == few
    assert {path: entry.size for path, entry in few.items()} == {
        "a*.md": 3, "deep": None, "deep/er/a.md": 3, "l": 5, "v": None,
    }  # fmt: skip
    assert tree.lookup(commit, ["v", "deep", "x", "y"]).keys() == {"v", "deep"}


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../other", "a/../../b", "./a.md", ":(glob)*.md", "a\0b", "a.md/"])
def test_a_path_that_no_tree_can_hold_is_simply_not_there(repository, path):
    commit = repository.commit({"a.md": "one"})
    assert Clone(repository.path).entry(commit, path) is None


def test_names_with_line_ends_quotes_and_bytes_that_are_no_utf8_are_kept_apart(repository):
    names = ["new\nline.md", 'quo"te.md', "tab\t.md", "caf\N{LATIN SMALL LETTER E WITH ACUTE}.md", "\udcff.md"]
    before = repository.commit(dict.fromkeys(names, "x"))
    after = repository.commit(dict.fromkeys(names, "y"))
    tree = Clone(repository.path)
    assert sorted(tree.entries(before)) == sorted([*names[:4], r"\xff.md"])
    assert {change.after.path for change in tree.changes(before, after)} == {*names[:4], r"\xff.md"}


def test_changes_are_paired_by_content(repository):
    before = repository.commit({"moved.md": TEXT, "gone.md": "nothing like it", "kept.md": "k", "edited.md": "e"})
    after = repository.commit(
        {"moved.md": None, "else/where.md": TEXT + "more\n", "gone.md": None, "edited.md": "E", "new.md": "other words"}
    )
    changes = Clone(repository.path).changes(before, after)
    assert [(c.before and c.before.path, c.after and c.after.path) for c in changes] == [
        ("edited.md", "edited.md"),
        ("moved.md", "else/where.md"),
        ("gone.md", None),
        (None, "new.md"),
    ]


def test_a_file_that_becomes_a_link_is_a_change_of_mode(repository):
    before = repository.commit({"a.md": "b.md"})
    after = repository.commit({"a.md": Link("b.md")})
    (change,) = Clone(repository.path).changes(before, after)
    assert (change.before.mode, change.after.mode) == ("100644", "120000")
    assert change.before.blob == change.after.blob


def test_blobs_are_read_as_they_were_committed(repository):
    repository.git("config", "filter.shout.smudge", "tr a-z A-Z")
    repository.git("config", "diff.shout.textconv", "tr a-z A-Z")
    contents = {"crlf.md": b"a\r\nb\r\n", "empty.md": b"", "binary.md": bytes(range(256)), "bom.md": b"\xef\xbb\xbfx\n"}
    commit = repository.commit({**contents, ".gitattributes": "* text=auto eol=crlf filter=shout diff=shout ident"})
    tree = Clone(repository.path)
    entries = tree.entries(commit)
    read = tree.read([entries[path].blob for path in contents] * 2)
    assert {path: read[entries[path].blob] for path in contents} == contents
    assert tree.read([]) == {}


def test_a_missing_or_enormous_blob_is_an_error_that_says_so(repository, monkeypatch):
    commit = repository.commit({"a.md": "more than ten bytes"})
    tree = Clone(repository.path)
    with pytest.raises(SourceError, match="isn't in this clone"):
        tree.read(["0" * 40])
    with pytest.raises(SourceError, match="isn't in this clone"):
        tree.read([commit])
    monkeypatch.setattr("adapters.git.repository.LARGEST_BLOB", 10)
    with pytest.raises(SourceError, match="at most 1 MiB"):
        tree.read([tree.entries(commit)["a.md"].blob])


def test_refs_are_resolved_and_unknown_ones_get_near_names(repository):
    head = repository.commit({"a.md": "one"})
    repository.commit({"a.md": "two"}, branch="feature/tone", parent=head)
    repository.git("update-ref", "refs/remotes/origin/release", head)
    tree = Clone(repository.path)
    assert tree.resolve("main") == tree.resolve("HEAD") == tree.resolve(head[:10]) == head
    for ref, near in [
        ("mian", "did you mean main"),
        ("feature/ton", "did you mean feature/tone"),
        ("tone", "did you mean feature/tone"),
        ("release", "did you mean origin/release"),
        ("zzzzzz", "git branch --all"),
        ("--exec=x", "git branch --all"),
        ("", "git branch --all"),
        ("f" * 40, "git fetch origin " + "f" * 40),
    ]:
        with pytest.raises(UsageError, match=near):
            tree.resolve(ref)


def test_an_option_is_never_taken_for_an_id(repository):
    repository.commit({"a.md": "one"})
    with pytest.raises(SourceError, match="not an object id"):
        Clone(repository.path).entries("--help")


def test_the_default_branch_is_origins_else_main_or_master(tmp_path):
    repository = Repository(tmp_path / "repository", branch="trunk")
    head = repository.commit({"a.md": "one"})
    tree = Clone(repository.path)
    with pytest.raises(UsageError, match="pass --base REF"):
        tree.default_branch()
    for ref, answer in [("heads/master", "master"), ("heads/main", "main"), ("remotes/origin/main", "origin/main")]:
        repository.git("update-ref", f"refs/{ref}", head)
        assert tree.default_branch() == answer
    repository.git("update-ref", "refs/remotes/origin/trunk", head)
    repository.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert tree.default_branch() == "origin/trunk"


def test_an_empty_repository_says_that_it_has_no_commits(repository):
    tree = Clone(repository.path)
    for ask in (tree.default_branch, lambda: tree.resolve("HEAD")):
        with pytest.raises(UsageError, match="no commits yet"):
            ask()


def test_a_detached_head_and_a_folder_below_the_top_are_fine(repository):
    head = repository.commit({"deep/a.md": "one"})
    repository.checkout(head)
    tree = Clone(repository.path / "deep")
    assert tree.resolve("HEAD") == head
    assert tree.entry(head, "deep/a.md") is not None
    assert [entry.path for entry in tree.find(head, ["**/*.md"])] == ["deep/a.md"]


def test_no_repository_and_no_folder_are_told_apart(tmp_path):
    with pytest.raises(SourceError, match="not a git repository"):
        Clone(tmp_path)
    with pytest.raises(SourceError, match="no such folder"):
        Clone(tmp_path / "nowhere")


def test_without_the_git_program_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="install git"):
        Clone(tmp_path)


def test_the_merge_base_is_found_or_there_is_none(repository):
    base = repository.commit({"a.md": "one"})
    main = repository.commit({"a.md": "two"})
    feature = repository.commit({"b.md": "x"}, branch="feature", parent=base)
    alien = repository.commit({"c.md": "x"}, branch="alien", orphan=True)
    tree = Clone(repository.path)
    assert tree.merge_base(main, feature) == base
    assert tree.merge_base(main, alien) is None
    with pytest.raises(SourceError, match="git failed"):
        tree.merge_base(main, "0" * 40)


def test_a_shallow_clone_that_hides_the_ancestor_says_how_to_deepen_it(repository, tmp_path):
    base = repository.commit({"a.md": "one"})
    main = repository.commit({"a.md": "two"})
    feature = repository.commit({"b.md": "x"}, branch="feature", parent=base)
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{repository.path}", str(clone))
    tree = Clone(clone)
    assert tree.is_shallow
    with pytest.raises(SourceError, match="git fetch --unshallow"):
        tree.merge_base(main, feature)
    with pytest.raises(UsageError, match="shallow"):
        tree.resolve("v1.0")


@pytest.mark.parametrize("options", [{"bare": True}, {"object_format": "sha256"}, {"branch": "master"}])
def test_every_kind_of_repository_is_read_alike(tmp_path, options):
    repository = Repository(tmp_path / "repository", **options)
    before = repository.commit({"prompts/a.md": "one"})
    after = repository.commit({"prompts/a.md": "two"})
    tree = Clone(repository.path)
    (change,) = tree.changes(tree.resolve(before), tree.resolve("HEAD"))
    assert tree.read([change.after.blob]) == {change.after.blob: b"two"}
    assert tree.find(after, ["**/a.md"])[0].path == "prompts/a.md"
    assert tree.merge_base(before, after) == before
    assert tree.default_branch() == repository.branch


def test_a_linked_worktree_is_read_like_the_main_one(repository, tmp_path):
    head = repository.commit({"a.md": "one"})
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), head)
    (tmp_path / "linked" / "a.md").write_text("two")
    tree = Clone(tmp_path / "linked")
    assert tree.resolve("HEAD") == head
    (change,) = tree.changes(head, tree.worktree_snapshot())
    assert tree.read([change.after.blob])[change.after.blob] == b"two"


def test_the_callers_git_variables_and_configuration_steer_nothing(repository, tmp_path, monkeypatch):
    before = repository.commit({"a.md": TEXT})
    after = repository.commit({"a.md": None, "b.md": TEXT})
    other = Repository(tmp_path / "other")
    other.commit({"z.md": "z"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    for key, value in {"diff.renames": "false", "diff.external": "false", "diff.relative": "true"}.items():
        repository.git("config", key, value)
    repository.git("replace", before, after)
    assert len(Clone(repository.path).changes(before, after)) == 1


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What git was told by its environment, one text a call: a program of that name that writes it down."""
    real, seen = shutil.which("git"), tmp_path / "seen"
    folder = tmp_path / "bin"
    folder.mkdir()
    seen.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\nenv > {seen}/$$\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: [file.read_text() for file in seen.iterdir()]


def test_no_secret_of_the_operator_reaches_git(repository, told, monkeypatch):
    canary = "canary-0a5e9f5f"
    names = ("OPENAI_API_KEY", "INPUT_GITHUB-TOKEN", "DATABASE_URL", "https_proxy", "NETRC", "LD_PRELOAD_LOOKALIKE")
    for name in names:
        monkeypatch.setenv(name, canary)
    monkeypatch.setenv("HOME", f"/home/{canary}")
    tree, _ = snapshot_of(repository)
    tree.changes(*[repository.commit({"a.md": text}) for text in ("1", "2")])
    Clone.start(repository.path.parent / "other.git")
    assert len(told()) > 5
    assert not [text for text in told() if canary in text]


def test_a_setting_below_the_home_is_no_obstacle(repository):
    repository.commit({"a.md": "one"})
    repository.checkout("main")
    repository.git("config", "core.excludesFile", "~/.ignored")
    tree, snapshot = snapshot_of(repository)
    assert tree.entries(snapshot)


def snapshot_of(repository):
    tree = Clone(repository.path)
    return tree, tree.worktree_snapshot()


def test_a_snapshot_holds_staged_unstaged_untracked_and_deleted_files_and_touches_nothing(repository):
    head = repository.commit(
        {"staged.md": "s", "edited.md": "e", "gone.md": "g", "kept.md": "k", ".gitignore": "*.log\n", "link.md": "file"}
    )
    repository.checkout("main")
    (repository.path / "staged.md").write_text("S")
    repository.git("add", "staged.md")
    (repository.path / "edited.md").write_text("E")
    (repository.path / "gone.md").unlink()
    (repository.path / "new\nfile.md").write_text("N")
    (repository.path / "noise.log").write_text("not this")
    (repository.path / "link.md").unlink()
    (repository.path / "link.md").symlink_to("/etc/passwd")
    (repository.path / "nested" / ".git").mkdir(parents=True)
    before = repository.git("status", "--porcelain"), (repository.path / ".git/index").read_bytes()
    objects = sorted(path.name for path in (repository.path / ".git/objects").rglob("*"))
    tree, snapshot = snapshot_of(repository)
    found = {
        change.after.path if change.after else "-" + change.before.path: change.after
        for change in tree.changes(head, snapshot)
    }
    assert sorted(found) == ["-gone.md", "edited.md", "link.md", "new\nfile.md", "staged.md"]
    assert found["link.md"].mode == "120000"
    assert tree.read([found["link.md"].blob])[found["link.md"].blob] == b"/etc/passwd"
    assert tree.read([found["edited.md"].blob])[found["edited.md"].blob] == b"E"
    assert tree.entry(snapshot, "kept.md") == tree.entry(head, "kept.md")
    assert (repository.git("status", "--porcelain"), (repository.path / ".git/index").read_bytes()) == before
    assert sorted(path.name for path in (repository.path / ".git/objects").rglob("*")) == objects


def test_a_snapshot_sees_an_edit_in_the_very_second_of_the_checkout(repository):
    head = repository.commit({"a.md": "one"})
    repository.checkout("main")
    repository.git("config", "core.checkStat", "minimal")
    file, index = repository.path / "a.md", repository.path / ".git/index"
    os.utime(file, (BORN, BORN))
    repository.git("update-index", "--refresh")
    file.write_text("two")
    for path in (file, index):
        os.utime(path, (BORN, BORN))
    tree, snapshot = snapshot_of(repository)
    assert len(tree.changes(head, snapshot)) == 1


def test_a_snapshot_runs_no_filter_hook_or_monitor(repository, tmp_path):
    witness = tmp_path / "witness"
    repository.commit({".gitattributes": "*.md filter=evil\n", "a.md": "one"})
    repository.checkout("main")
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    for key in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor"):
        repository.git("config", key, str(script))
    repository.git("config", "filter.evil.required", "true")
    (repository.path / "a.md").write_text("two")
    tree, snapshot = snapshot_of(repository)
    entry = tree.entry(snapshot, "a.md")
    assert tree.read([entry.blob])[entry.blob] == b"two"
    assert not witness.exists()


def test_a_snapshot_leaves_out_untracked_files_that_are_far_too_large(repository, monkeypatch):
    head = repository.commit({"a.md": "one"})
    repository.checkout("main")
    (repository.path / "movie.md").write_bytes(b"x" * 101)
    monkeypatch.setattr("adapters.git.clone.LARGEST_UNTRACKED", 100)
    tree, snapshot = snapshot_of(repository)
    assert tree.changes(head, snapshot) == ()


def test_a_snapshot_of_a_clean_worktree_is_its_commit(repository):
    head = repository.commit({"a.md": "one"})
    repository.checkout("main")
    tree, snapshot = snapshot_of(repository)
    assert tree.changes(head, snapshot) == ()
    assert tree.worktree_snapshot() == snapshot


def test_a_snapshot_needs_a_worktree_without_conflicts(repository, tmp_path):
    base = repository.commit({"a.md": "one\n"})
    repository.commit({"a.md": "two\n"})
    repository.commit({"a.md": "three\n"}, branch="feature", parent=base)
    repository.checkout("main")
    repository.git("-c", "user.name=T", "-c", "user.email=t@example.com", "merge", "feature", check=False)
    with pytest.raises(SourceError, match="middle of a merge"):
        snapshot_of(repository)
    with pytest.raises(SourceError, match="bare"):
        snapshot_of(Repository(tmp_path / "bare", bare=True))


def test_a_folder_name_may_hold_what_separates_paths(tmp_path):
    repository = Repository(tmp_path / f'odd"{os.pathsep}name')
    head = repository.commit({"a.md": "one"})
    repository.checkout("main")
    (repository.path / "a.md").write_text("two")
    tree, snapshot = snapshot_of(repository)
    assert len(tree.changes(head, snapshot)) == 1


def test_trees_in_memory_are_what_git_gives(repository):
    base = {"a.md": TEXT, "b/c.md": TEXT.replace("1", "x"), "d.md": "d", "e/f/g.yaml": "h: i\n"}
    head = {"a.md": None, "b/a.md": f"{TEXT}more\n", "b/c.md": "new\n", "d.md": None, "e/j.yaml": "k"}
    trees, git = MemoryTrees(), Clone(repository.path)
    ids = {}
    for tree in (trees, repository):
        first = tree.commit(base)
        ids[tree is trees] = first, tree.commit(head, branch="pr", parent=first)
    for commits, tree in ((ids[True], trees), (ids[False], git)):
        merged = tree.merge(*commits).tree
        found = (
            {path: entry.content for path, entry in tree.entries(merged).items()},
            [change.pair for change in tree.changes(commits[0], merged)],
            [entry.path for entry in tree.find(commits[0], ("**/*.yaml", "b", "*.md"))],
            {path: entry.mode for path, entry in tree.lookup(merged, ["e", "e/j.yaml", "a.md", "e/f"]).items()},
        )
        assert found == ids.setdefault("found", found)


def test_a_history_holds_whatever_authors_write(repository):
    first = repository.commit({"a\x01\n.md": "one\ntwo\nthree\n"})
    moved = repository.commit({"a\x01\n.md": None, "b.md": "one\ntwo\nthree\n"}, message="\x01Move\x01")
    tree = repository.git("mktree", stdin=repository.git("ls-tree", repository.commit({"b.md": "new\n"})).encode())
    raw = f"tree {tree}\nparent {moved}\nauthor A\x01 <> 99999999999999 +0000\ncommitter C <> 1 +0000\n\n".encode()
    last = repository.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
    found = Clone(repository.path).history(last, ["b.md"], 9)
    assert [(one.sha, one.author, one.subject, one.paths) for one in found] == [
        (last, "A\x01", "", {"b.md": "b.md"}),
        (moved, "Test Author", "\x01Move\x01", {"b.md": "b.md"}),
        (first, "Test Author", "A change", {"b.md": "a\x01\n.md"}),
    ]
    assert [one.when.year for one in found] == [1970, 2023, 2023]
