"""Where configurations lie, who they are for, and the pull request that brings the first one."""

import pytest

from schemas.errors import ConfigError
from tests.detect.pullrequests import CONFIG, FILES, PROMPT, codes, detected, detected_between, kinds, only
from tests.repositories import Link, Submodule


def test_the_configuration_may_lie_in_the_github_folder(repository):
    base = {"promptverdict.yaml": None, ".github/promptverdict.yaml": CONFIG}
    assert kinds(only(detected(repository, {"prompts/triage.md": PROMPT + "!"}, base=base))) == ["prompt"]


def test_moving_the_configuration_within_its_folder_changes_nothing(repository):
    found = detected(repository, {"promptverdict.yaml": None, ".github/promptverdict.yaml": CONFIG})
    assert codes(found) == ["nothing_changed: not_applicable"]


def test_two_configurations_for_one_folder_are_an_error(repository):
    with pytest.raises(ConfigError, match="is for the same folder"):
        detected(repository, {".github/promptverdict.yaml": CONFIG})
    with pytest.raises(ConfigError, match="is for the same folder"):
        detected(repository, {"src/main.py": "x"}, base={".github/promptverdict.yaml": CONFIG})


def test_a_monorepo_has_a_configuration_for_each_folder(repository):
    package = {f"packages/{name}/{path}": text for name in ("a", "b") for path, text in FILES.items()}
    base = {"promptverdict.yaml": None, **package}
    head = {"packages/a/prompts/triage.md": PROMPT + "A", "packages/b/prompts/triage.md": PROMPT + "B"}
    found = detected(repository, head, base=base)
    assert [(change.name, change.root, change.candidate.path) for change in found.lineages] == [
        ("packages/a/triage", "packages/a", "packages/a/prompts/triage.md"),
        ("packages/b/triage", "packages/b", "packages/b/prompts/triage.md"),
    ]
    assert only(detected(repository, {"packages/b/prompts/triage.md": "x"}, base=base)).name == "packages/b/triage"
    assert found.names == ("packages/a/triage", "packages/b/triage")


def test_a_lineage_deleted_in_one_folder_hides_no_removed_gate_in_another(repository):
    package = {f"packages/{name}/{path}": text for name in ("a", "b") for path, text in FILES.items()}
    without = CONFIG[: CONFIG.index("  triage:")].replace("lineages:\n", "")
    head = {f"packages/{name}/promptverdict.yaml": without for name in ("a", "b")}
    found = detected(
        repository, {**head, "packages/a/prompts/triage.md": None}, base={**package, "promptverdict.yaml": None}
    )
    assert [reason.sentence for reason in found.reasons] == [
        "This pull request loosens its own gate in `packages/b/promptverdict.yaml`: lineages.triage: gated → no longer gated."
    ]
    assert codes(found.lineages[0]) == ["deleted_lineage: needs_review"]


def test_a_configuration_under_a_wrong_name_is_pointed_out(repository):
    found = detected(repository, {"src/main.py": "x"}, base={"packages/promptverdict.yml": CONFIG})
    assert [str(warning) for warning in found.warnings] == [
        "packages/promptverdict.yml: this file is ignored, because a configuration must be named promptverdict.yaml (rename it)"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONFIG.replace("labels:", "lables:"), r"^promptverdict.yaml:11:\d+: .*did you mean labels"),
        (Link("elsewhere.yaml"), "symbolic link"),
        (Submodule("1" * 40), "submodule"),
        ("a: &a [*a, *a]\n", "promptverdict.yaml:1"),
        (b"\xff\xfe", "UTF-16"),
    ],
)
def test_a_configuration_of_the_head_that_can_not_be_read_is_an_error_at_its_line(repository, content, message):
    with pytest.raises(ConfigError, match=message):
        detected(repository, {"promptverdict.yaml": content, "prompts/triage.md": PROMPT + "!"})


def test_a_folder_in_place_of_the_configuration_is_an_error(repository):
    with pytest.raises(ConfigError, match="this is a folder"):
        detected(repository, {"promptverdict.yaml": None, "promptverdict.yaml/x": "1"})


def test_a_broken_configuration_of_base_is_an_error_until_a_pull_request_mends_it(repository):
    base = {"promptverdict.yaml": "version: 2\n"}
    with pytest.raises(ConfigError, match=r"promptverdict\.yaml:1"):
        detected(repository, {"prompts/triage.md": "x"}, base=base)
    found = detected(repository, {"promptverdict.yaml": CONFIG, "prompts/triage.md": "x"}, base=base)
    assert (codes(found), found.lineages) == (["policy_changed: needs_review"], ())
    assert "promptverdict.yaml:1" in found.reasons[0].sentence


def test_a_broken_configuration_elsewhere_is_a_warning_only(repository):
    base = {"fixtures/promptverdict.yaml": "version: 2\n"}
    found = detected(repository, {"prompts/triage.md": PROMPT + "!"}, base=base)
    assert kinds(only(found)) == ["prompt"]
    assert found.warnings[0].where.startswith("fixtures/promptverdict.yaml:1")


def test_a_configuration_that_base_mended_since_does_not_trouble_the_branch(repository):
    merge_base = repository.commit({**FILES, "promptverdict.yaml": "version: 2\n"})
    head = repository.commit({"prompts/triage.md": PROMPT + "!"}, branch="feature", parent=merge_base)
    base = repository.commit({"promptverdict.yaml": CONFIG})
    assert kinds(only(detected_between(repository, base, head))) == ["prompt"]


def test_removing_the_configuration_needs_review_and_base_still_gates(repository):
    found = detected(repository, {"promptverdict.yaml": None, "prompts/triage.md": PROMPT + "!"})
    assert kinds(only(found)) == ["prompt"]
    assert codes(found) == ["policy_changed: needs_review"]
    assert "removes promptverdict.yaml" in found.reasons[0].sentence


def test_the_pull_request_that_installs_us_is_linted_and_pays_nothing(repository):
    workflow = {".github/workflows/prompts.yml": "uses: example/prompt-verdict@v1\n"}
    bare = repository.commit({"src/main.py": "x"})
    head = repository.commit({**FILES, **workflow}, branch="feature", parent=bare)
    found = detected_between(repository, bare, head)
    assert (found.adoption, found.config, found.unaffected) == (True, None, 0)
    assert codes(found) == ["adoption: not_applicable"]
    change = only(found)
    assert (change.measured, change.name, codes(change)) == (False, "triage", [])
    assert [pair.name for pair in change.models] == ["small"]
    assert len(change.tests.cases) == 2


def test_an_installation_that_names_a_prompt_which_is_not_there_is_an_error(repository):
    bare = repository.commit({"src/main.py": "x"})
    head = repository.commit({"promptverdict.yaml": CONFIG}, branch="feature", parent=bare)
    assert codes(only(detected_between(repository, bare, head))) == ["unreadable: error", "no_cases: error"]


def test_another_folders_first_configuration_needs_review_and_pays_nothing(repository):
    package = {f"packages/new/{path}": text for path, text in FILES.items()}
    found = detected(repository, package)
    assert codes(found) == ["policy_changed: needs_review"]
    assert (only(found).measured, found.adoption) == (False, False)


def test_a_configuration_that_both_sides_have_removed_is_gone(repository):
    found = detected(repository, {"promptverdict.yaml": None}, **{"promptverdict.yaml": None})
    assert codes(found) == ["nothing_changed: not_applicable"]


def test_settings_that_only_tighten_the_gate_evaluate_nothing_and_say_so(repository):
    found = detected(repository, {"promptverdict.yaml": "gate: {inconclusive: block}\n" + CONFIG})
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert found.reasons[0].sentence == "Settings change, but none of them loosens the gate; 1 lineage is unchanged."
    assert [change.sentence for change in found.policy] == ["gate.inconclusive: pass → block (tighter)"]


def test_one_folder_that_only_informs_does_not_soften_another(repository):
    lax = {f"lax/{path}": text for path, text in FILES.items()} | {"lax/promptverdict.yaml": "mode: inform\n" + CONFIG}
    strict = {f"strict/{path}": text for path, text in FILES.items()}
    base = {**lax, **strict}
    change = {"lax/prompts/triage.md": PROMPT + "!"}
    assert detected(repository, change, base=base).mode == "inform"
    assert detected(repository, {**change, "strict/prompts/triage.md": PROMPT + "!"}, base=base).mode == "enforce"


def test_an_installation_can_not_say_that_it_only_informs(repository):
    bare = repository.commit({"src/main.py": "x"})
    head = repository.commit({"promptverdict.yaml": "mode: inform\n" + CONFIG}, branch="feature", parent=bare)
    assert detected_between(repository, bare, head).mode == "enforce"


def test_columns_say_what_is_what_and_their_change_is_a_change_of_cases(repository):
    tests = '{"q": "my bill", "draft": "x", "team": "billing"}\n{"q": "money", "draft": "y", "team": "refunds"}\n'
    columns = "    columns: {expected: team, inputs: {input: q}}\n"
    base = {"tests/triage.jsonl": tests, "promptverdict.yaml": CONFIG + columns}
    (change,) = detected(repository, {"prompts/triage.md": PROMPT + "!"}, base=base).lineages
    assert [(case.inputs, case.expected) for case in change.tests.cases] == [
        ({"input": "my bill"}, "billing"),
        ({"input": "money"}, "refunds"),
    ]
    (change,) = detected(
        repository, {"promptverdict.yaml": CONFIG + columns.replace("q}", "draft}")}, base=base
    ).lineages
    assert [reason.code for reason in change.reasons] == ["tests_changed"]
    assert change.tests.cases[0].inputs == {"input": "my bill"}  # base's columns count


def test_columns_without_a_file_of_tests_are_an_error(repository):
    head = {"promptverdict.yaml": CONFIG.replace("    tests: tests/triage.jsonl\n", "    columns: {expected: team}\n")}
    with pytest.raises(ConfigError, match="triage has columns but no tests"):
        detected(repository, {"prompts/triage.md": PROMPT + "!"}, base=head)
