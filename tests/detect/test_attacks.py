"""What a malicious pull request tries: none of it moves a verdict toward approval."""

import time

import pytest

from schemas.errors import ConfigError
from tests.detect.pullrequests import CONFIG, FILES, PROMPT, TESTS, codes, detected, detected_between, kinds, only
from tests.repositories import Executable, Link, Submodule


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b.md", "C:\\prompt.md", "~/x\\y.md"])
@pytest.mark.parametrize("key", ["prompt", "tests"])
def test_a_path_that_leaves_the_repository_is_refused_at_its_line(repository, key, path):
    old = {"prompt": "prompts/triage.md", "tests": "tests/triage.jsonl"}[key]
    with pytest.raises(ConfigError, match=r"^promptverdict\.yaml:\d+"):
        detected(repository, {"promptverdict.yaml": CONFIG.replace(old, path)})


@pytest.mark.parametrize("include", ["../../etc/passwd", "/etc/passwd", "../outside.md"])
def test_a_partial_outside_the_tree_is_refused(repository, include):
    base = {"promptverdict.yaml": CONFIG.replace("triage.md", "triage.j2"), "prompts/triage.j2": "{{ input }}"}
    head = {"prompts/triage.j2": '{% include "' + include + '" %}{{ input }}'}
    assert codes(only(detected(repository, head, base=base))) == ["unreadable: error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Link("/etc/passwd"), "symbolic link"),
        (Link("triage.old.md"), "symbolic link"),
        (Submodule("1" * 40), "submodule"),
    ],
)
def test_a_prompt_that_turns_into_a_link_or_submodule_needs_review_and_is_never_followed(repository, content, words):
    change = only(detected(repository, {"prompts/triage.md": content, "prompts/triage.old.md": PROMPT}))
    assert codes(change) == ["moved_out: needs_review"]
    assert words in change.reasons[0].sentence
    assert (change.candidate, change.models) == (None, ())
    assert words in change.unreadable.what


def test_a_partial_that_turns_into_a_link_is_not_there(repository):
    base = {
        "promptverdict.yaml": CONFIG.replace("triage.md", "triage.j2"),
        "prompts/triage.j2": '{% include "tone.md" %}{{ input }}',
        "tone.md": "Kind.",
    }
    change = only(detected(repository, {"tone.md": Link("/etc/passwd")}, base=base))
    assert codes(change) == ["unreadable: error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "LFS"),
        (b"\x00\x01\x02binary", "binary"),
        (b"caf\xe9 {{ input }}", "UTF-8"),
        ("x" * (2 * 2**20), "MiB"),
        ("x" * (17 * 2**20), "MiB"),
        ("", "empty"),
    ],
    ids=["lfs", "binary", "latin-1", "2 MiB", "17 MiB", "empty"],
)
def test_a_prompt_that_can_not_be_read_is_an_error_that_names_it(repository, content, words):
    change = only(detected(repository, {"prompts/triage.md": content}))
    assert codes(change) == ["unreadable: error"]
    assert "prompts/triage.md" in change.reasons[0].sentence
    assert words in change.reasons[0].sentence
    assert change.candidate is None


@pytest.mark.parametrize(
    "content", [Link("/etc/passwd"), Submodule("1" * 40), b"\x00", "version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_test_set_that_can_not_be_read_is_an_error_and_bases_stays(repository, content):
    change = only(detected(repository, {"tests/triage.jsonl": content, "prompts/triage.md": PROMPT + "!"}))
    assert codes(change) == ["unreadable: error"]
    assert len(change.tests.cases) == 2


def test_attributes_change_no_byte_of_what_is_measured(repository):
    for driver in ("clean", "smudge", "textconv"):
        repository.git("config", f"filter.evil.{driver}", "false")
        repository.git("config", "diff.evil.textconv", "false")
    attributes = (
        "* filter=evil diff=evil text eol=crlf working-tree-encoding=UTF-16\nprompts/* -diff linguist-generated\n"
    )
    change = only(detected(repository, {".gitattributes": attributes, "prompts/triage.md": PROMPT + "Be brief.\n"}))
    assert change.candidate.messages[0].content == (PROMPT + "Be brief.").strip("\n")


REWRITES = {
    "a filter": ({}, {".gitattributes": "*.md filter=redact\n"}, "*.md filter=redact"),
    "an encoding in the prompt's folder": (
        {},
        {"prompts/.gitattributes": "* working-tree-encoding=UTF-16\n"},
        "* working-tree-encoding=UTF-16",
    ),
    "a file that is left out": ({}, {".gitattributes": "prompts/triage.md export-ignore\n"}, "export-ignore"),
    "an attribute that goes": ({".gitattributes": "*.md ident\n"}, {".gitattributes": None}, "*.md ident"),
    "another order": (
        {".gitattributes": "*.md filter=a\n*.md -filter\n"},
        {".gitattributes": "*.md -filter\n*.md filter=a\n"},
        "*.md -filter",
    ),
    "a macro": ({".gitattributes": "[attr]x filter=a\n"}, {".gitattributes": "[attr]x filter=a\n*.md x\n"}, "*.md x"),
    "a link": ({}, {".gitattributes": Link("elsewhere")}, "can't be read"),
}


@pytest.mark.parametrize("kind", REWRITES)
def test_what_git_would_write_otherwise_into_a_checkout_needs_review(repository, kind):
    base, head, said = REWRITES[kind]
    found = detected(repository, head, base=base)
    assert codes(found) == ["unmeasured: needs_review"]
    assert said in found.reasons[0].sentence


@pytest.mark.parametrize(
    "lines",
    ["*.md text eol=crlf linguist-generated diff=md\n", "*.png filter=lfs diff=lfs -text\n", "# *.md filter=a\n"],
)
def test_attributes_that_rewrite_no_text_are_harmless(repository, lines):
    assert codes(detected(repository, {".gitattributes": lines})) == ["nothing_changed: not_applicable"]


def test_names_with_line_ends_reach_no_message_as_they_are(repository):
    evil = "prompts/a\n::error::b.md"
    found = detected(repository, {evil: "x", "prompts/triage.md": None, "prompts/x\n##[error]y.md": PROMPT})
    texts = [warning.what for warning in found.warnings] + [reason.sentence for reason in only(found).reasons]
    assert any("::error::" in text for text in texts)
    assert not any("\n" in text for text in texts)


def test_an_executable_prompt_is_a_prompt_and_is_not_executed(repository, tmp_path):
    head = {"prompts/triage.md": Executable(f"#!/bin/sh\ntouch {tmp_path}/ran\n{{{{ input }}}}")}
    assert kinds(only(detected(repository, head))) == ["prompt"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        (
            CONFIG.partition("    use_case:")[2],
            " generation\n    prompt: prompts/triage.md\n    tests: tests/triage.jsonl\n",
            "lineages.triage.use_case",
        ),
        ("labels: [billing, refunds]", "labels: [billing, refunds, other]", "lineages.triage.labels"),
        ("version: 1\n", "version: 1\nmode: inform\n", "mode"),
        ("version: 1\n", "version: 1\ngate: {max_cost_increase: null}\n", "gate.max_cost_increase"),
        ("    labels:", "    gate: {adversarial: watch}\n    labels:", "lineages.triage.gate.adversarial"),
        ("prompts/triage.md", "prompts/harmless.md", "lineages.triage.prompt"),
    ],
)
def test_a_gate_that_its_own_pull_request_edits_needs_review_and_base_decides(repository, before, after, key):
    head = {
        "promptverdict.yaml": CONFIG.replace(before, after),
        "prompts/triage.md": "Ignore everything. {{ input }}",
        "prompts/harmless.md": "Something else entirely, never used in production. {{ input }}",
    }
    found = detected(repository, head)
    assert set(codes(found)) == {"policy_changed: needs_review"}
    assert any(key in reason.sentence for reason in found.reasons)
    assert found.config.mode == "enforce"
    change = only(found)
    assert change.config.use_case == "classification"
    assert change.config.labels == ("billing", "refunds")
    assert change.gate.adversarial is None
    assert change.gate.max_cost_increase is not None
    assert change.tests.path == "tests/triage.jsonl"


def test_pointing_the_lineage_at_another_test_set_does_not_change_the_cases(repository):
    config = CONFIG.replace("tests/triage.jsonl", "tests/easy.jsonl")
    head = {"promptverdict.yaml": config, "tests/easy.jsonl": '{"id": "easy", "input": "x"}\n'}
    change = only(detected(repository, head))
    assert [case.id for case in change.tests.cases] == ["one", "two"]
    assert change.removed_cases == ("one", "two")
    assert codes(change) == ["tests_changed: needs_review"]


def test_a_protection_that_is_taken_off_a_case_needs_review(repository):
    protected = TESTS.replace('"expected": "billing"', '"expected": "billing", "protected": true')
    change = only(detected(repository, {"tests/triage.jsonl": TESTS}, base={"tests/triage.jsonl": protected}))
    assert change.tests.cases[0].protected
    assert (change.edited_cases, codes(change)) == (("one",), ["tests_changed: needs_review"])


def test_a_case_that_is_renumbered_is_a_removed_case(repository):
    change = only(detected(repository, {"tests/triage.jsonl": TESTS.replace('"two"', '"two-b"')}))
    assert (change.removed_cases, [case.id for case in change.added_cases]) == (("two",), ["two-b"])
    assert codes(change) == ["tests_changed: needs_review"]


@pytest.mark.parametrize("path", [".github/workflows/prompts.yml", ".github/actions/gate/action.yaml"])
def test_a_workflow_that_calls_us_is_part_of_the_gate(repository, path):
    uses = "steps: [{uses: example/prompt-verdict@v1}]\n"
    for base, head, verb in (
        ({path: uses}, {path: "steps: []\n"}, "changes"),
        ({path: uses}, {path: None}, "removes"),
        ({path: None}, {path: uses}, "adds"),
        ({path: "steps: []\n"}, {path: uses.replace("prompt-verdict", "PromptVerdict")}, "changes"),
        ({path: uses}, {path: Link("elsewhere.yml")}, "changes"),
    ):
        found = detected(repository, head, base=base)
        assert codes(found) == ["workflow_changed: needs_review"]
        assert found.reasons[0].sentence == f"This pull request {verb} {path}, which calls this gate."
    assert codes(detected(repository, {path: "steps: [1]\n"}, base={path: "steps: []\n"})) == [
        "nothing_changed: not_applicable"
    ]


def test_a_retargeted_base_is_judged_by_the_new_bases_gate(repository):
    lax = repository.commit({**FILES, "promptverdict.yaml": "mode: inform\n" + CONFIG})
    strict = repository.commit({"promptverdict.yaml": CONFIG}, branch="release", parent=lax)
    head = repository.commit({"prompts/triage.md": PROMPT + "!"}, branch="feature", parent=lax)
    assert detected_between(repository, lax, head).mode == "inform"
    assert detected_between(repository, strict, head).mode == "enforce"


def test_a_stale_branch_does_not_bring_an_old_gate_back(repository):
    merge_base = repository.commit({**FILES, "promptverdict.yaml": "mode: inform\n" + CONFIG})
    head = repository.commit({"prompts/triage.md": PROMPT + "!"}, branch="feature", parent=merge_base)
    base = repository.commit(
        {"promptverdict.yaml": CONFIG, "tests/triage.jsonl": TESTS + '{"id": "new", "input": "x"}\n'}
    )
    found = detected_between(repository, base, head)
    assert (found.mode, found.policy, found.reasons) == ("enforce", (), ())
    assert [case.id for case in only(found).tests.cases] == ["one", "two", "new"]


@pytest.mark.slow
def test_a_crowd_of_changes_hides_no_rename(repository):
    crowd = {f"junk/{n}.md": f"Some words {n} that resemble nothing much, {n * 7919}" for n in range(300)}
    head = dict.fromkeys(crowd) | {f"new/{n}.md": f"Other text {n * 31}" for n in range(300)}
    head |= {"prompts/triage.md": None, "attic/triage.md": PROMPT}
    found = detected(repository, head, base=crowd)
    assert codes(only(found)) == ["moved_out: needs_review"]


def test_three_thousand_changed_files_are_no_trouble(repository):
    crowd = {f"prompts/crowd/{n}.prompt.yml": f"messages: [{{role: user, content: hi {n}}}]\n" for n in range(3500)}
    base = repository.commit(FILES)
    head = repository.commit({**crowd, "prompts/triage.md": PROMPT + "!"}, branch="feature", parent=base)
    started = time.process_time()
    found = detected_between(repository, base, head)
    assert time.process_time() - started < 5
    assert only(found).name == "triage"
    assert "and 3495 more look like prompts" in found.warnings[0].what
