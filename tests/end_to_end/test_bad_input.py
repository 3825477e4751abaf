"""Every mistake says what, where and how to fix it, in one line and with the right exit code."""

import pytest

from tests.end_to_end.conftest import CONFIG, PROMPT, cases, run_command
from tests.repositories import Link, Repository, Submodule

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"


def one_line(ran, *words):
    assert "Traceback" not in ran.err
    last = ran.err.strip().splitlines()[-1]
    assert all(word in last for word in words), last


def test_an_unknown_ref(project):
    ran = project.check("no-such-branch")
    assert ran.code == 2
    one_line(ran, "no-such-branch")


def test_not_a_repository(tmp_path):
    ran = run_command("check", cwd=tmp_path, home=tmp_path)
    assert ran.code == 2
    one_line(ran, "not a git repository")


def test_an_empty_repository(tmp_path):
    repository = Repository(tmp_path / "empty")
    ran = run_command("check", cwd=repository.path, home=tmp_path)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_a_detached_head_is_fine(project):
    head = project.branch("x", {"README.md": "x"})
    project.repository.git("checkout", "--quiet", "--detach", head)
    assert project.run("check", "--format", "json").card["status"] == "not_applicable"


def test_a_shallow_clone_without_the_base(project, tmp_path):
    project.branch("x", {"README.md": "x"})
    project.repository.git(
        "clone", "--quiet", "--depth=1", "--branch=x", f"file://{project.repository.path}", str(tmp_path / "shallow")
    )
    ran = run_command("check", "--base", "main", cwd=tmp_path / "shallow", home=tmp_path)
    assert ran.code == 2
    one_line(ran, "main", "fetch")


def test_no_common_history_says_what_it_compares_with(project):
    project.repository.commit(
        {
            "prompts/triage.prompt.yml": PROMPT.replace("sort", "assign"),
            "tests/triage.jsonl": cases(),
            "promptverdict.yaml": CONFIG,
        },
        branch="orphan",
        orphan=True,
    )
    ran = project.check("orphan")
    assert ran.code == 0
    assert ran.card["merge_base"] is None


def error_of(project, files, *words, code=3, base=None):
    if base:
        project.base = project.repository.commit(base, branch="main")
    project.branch("bad", files)
    ran = project.check("bad")
    assert ran.code == code, (ran.out, ran.err)
    assert "Traceback" not in ran.err
    said = ran.err if code == 2 else ran.card["summary"]
    assert all(word in said for word in words), said


PATH = "prompts/triage.prompt.yml"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00bad", (PATH, "UTF-8")),
        (b"a: \x00b", (PATH,)),
        ("x" * (2 * 1024 * 1024), (PATH, "1 MiB")),
        (LFS, (PATH, "LFS")),
        ("name: x\nmessages: [", (PATH + ":",)),
        (PROMPT.replace("{{ticket}}", "{{ticket}} {{nothere}}"), ("nothere", "t-000")),
        ("a: &a [x]\n" + "".join(f"{c}: &{c} [{', '.join(['*' + p] * 30)}]\n" for p, c in zip("abcde", "bcdef", strict=True)), (PATH,)),
        ("[" * 100_000, (PATH,)),
        ("messages: []\nmessages: []\n", (PATH, "messages")),
    ],
    ids=["utf8", "nul", "huge", "lfs", "syntax", "missing-variable", "alias-bomb", "deep", "duplicate-key"],
)  # fmt: skip
def test_a_bad_prompt_is_never_a_pass(project, content, words):
    error_of(project, {PATH: content}, *words)


def test_a_template_bomb_is_killed(project):
    bomb = "{% for i in range(10**9) %}{% for j in range(10**9) %}x{% endfor %}{% endfor %}{{ ticket }}"
    config = CONFIG.replace(PATH, "prompts/triage.j2")
    error_of(
        project,
        {"prompts/triage.j2": bomb},
        "prompt",
        base={"promptverdict.yaml": config, "prompts/triage.j2": "Sort: {{ ticket }}"},
    )


@pytest.mark.parametrize("content", [Link("/etc/passwd"), Submodule("0" * 39 + "1")], ids=["link", "submodule"])
def test_a_prompt_that_is_no_file_needs_a_person(project, content):
    project.branch("bad", {PATH: content})
    ran = project.check("bad")
    assert ran.code in (3, 5), ran.err
    assert PATH in ran.card["summary"]


def test_crlf_and_a_byte_order_mark_are_read(project):
    crlf = b"\xef\xbb\xbf" + PROMPT.replace("sort", "assign").replace("\n", "\r\n").encode()
    project.branch("windows", {PATH: crlf})
    assert project.check("windows").card["status"] == "approved"


def test_a_test_set_without_cases(project):
    error_of(project, {PATH: PROMPT.replace("sort", "assign")}, "triage.jsonl", base={"tests/triage.jsonl": "\n"})


def test_a_case_id_twice(project):
    twice = cases(2) + cases(1)
    error_of(
        project,
        {PATH: PROMPT.replace("sort", "assign")},
        "t-000",
        "tests/triage.jsonl:3",
        base={"tests/triage.jsonl": twice},
    )


def test_a_label_that_is_not_in_the_set(project):
    wrong = cases(4).replace('"expected": "refunds"', '"expected": "refund"', 1)
    error_of(project, {PATH: PROMPT.replace("sort", "assign")}, "refund", base={"tests/triage.jsonl": wrong})


def test_a_typo_in_the_configuration_names_the_right_key(project):
    typo = CONFIG + "gate: {margn: {overall: 0.05}}\n"
    error_of(
        project,
        {PATH: PROMPT.replace("sort", "assign")},
        "margn",
        "margin",
        "promptverdict.yaml:11",
        code=2,
        base={"promptverdict.yaml": typo},
    )


def test_an_unknown_lineage(project):
    project.branch("x", {PATH: PROMPT.replace("sort", "assign")})
    ran = project.check("x", "--lineage", "triag")
    assert ran.code == 2
    one_line(ran, "triag", "triage")


def test_a_budget_that_is_no_amount(project):
    ran = project.check("main", "--budget", "lots")
    assert ran.code == 2
    assert "lots" in ran.err
