"""``engine.detection.detect``: what a pull request changes, for a lineage that base configures."""

from decimal import Decimal

import pytest

from adapters.git.clone import Clone
from engine.detection.detect import detect
from schemas.errors import ConfigError
from schemas.pullrequests import PullRequest, Trust
from tests.detect.pullrequests import (
    CONFIG,
    FILES,
    PROMPT,
    TESTS,
    codes,
    detected,
    detected_between,
    kinds,
    only,
)
from tests.repositories import Executable
from tests.trees import MemoryTrees


def test_a_changed_prompt_is_found_with_all_that_judging_it_takes(repository):
    found = detected(repository, {"prompts/triage.md": PROMPT + "Be brief.\n"})
    change = only(found)
    assert (change.name, change.root, change.config.prompt) == ("triage", "", "prompts/triage.md")
    assert change.baseline.messages[0].content == PROMPT.strip("\n")
    assert change.candidate.messages[0].content.endswith("Be brief.")
    assert [case.id for case in change.tests.cases] == ["one", "two"]
    (pair,) = change.models
    assert (pair.name, pair.candidate.model, pair.baseline_name, pair.swapped) == ("small", "gpt-small", "small", False)
    assert kinds(change) == ["prompt"]
    assert (change.changes[0].detail, change.changes[0].path) == ("+1 −0 lines", "prompts/triage.md")
    assert (change.diff.added, change.diff.removed) == (1, 0)
    assert change.diff.file_lines == ((5, 5),)
    assert (change.reasons, change.warnings, found.reasons, found.warnings) == ((), (), (), ())
    assert found.config.lineages.keys() == {"triage"}
    assert found.unaffected == 0


def test_an_unrelated_change_affects_nothing_and_says_so(repository):
    found = detected(repository, {"src/main.py": "print(1)\n", "docs/readme.md": "# Hello\n"})
    assert (found.lineages, found.unaffected) == ((), 1)
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert found.reasons[0].sentence == "No prompt, model, test set or gate changes; 1 lineage is unchanged."


def test_no_change_at_all_affects_nothing(repository):
    assert codes(detected(repository, {"src/main.py": "print()\n"})) == ["nothing_changed: not_applicable"]


@pytest.mark.parametrize("path", ["prompts/triage.md", "tests/triage.jsonl", "promptverdict.yaml"])
def test_a_file_that_becomes_executable_is_no_change(repository, path):
    executable, regular = Executable(FILES[path]), FILES[path]
    for base, head in ((regular, executable), (executable, regular)):
        assert codes(detected(repository, {path: head}, base={path: base})) == ["nothing_changed: not_applicable"]


def test_only_the_lineage_that_changed_is_returned(repository):
    lineages = "".join(
        f"  p{n}: {{use_case: generation, prompt: prompts/p{n}.md, tests: tests/triage.jsonl}}\n" for n in range(40)
    )
    prompts = {f"prompts/p{n}.md": f"Prompt {n}: {{{{ input }}}}" for n in range(40)}
    found = detected(
        repository, {"prompts/p7.md": "Another: {{ input }}"}, base={"promptverdict.yaml": CONFIG + lineages, **prompts}
    )
    assert only(found).name == "p7"
    assert found.unaffected == 40


def test_a_description_is_no_change_of_what_the_model_sees(repository):
    prompt = "description: {}\nmessages:\n  - {{role: user, content: 'Sort {{{{input}}}}'}}\n"
    config = CONFIG.replace("triage.md", "triage.prompt.yml")
    base = {"promptverdict.yaml": config, "prompts/triage.prompt.yml": prompt.format("old")}
    found = detected(repository, {"prompts/triage.prompt.yml": prompt.format("new")}, base=base)
    assert (found.lineages, found.unaffected) == ((), 1)


def test_a_shared_partial_is_part_of_every_prompt_that_includes_it(repository):
    base = {
        "promptverdict.yaml": CONFIG.replace("triage.md", "triage.j2"),
        "prompts/triage.j2": '{% include "shared/tone.md" %}\n{{ input }}',
        "shared/tone.md": "Be kind.",
        "shared/other.md": "Unused.",
    }
    change = only(detected(repository, {"shared/tone.md": "Be strict."}, base=base))
    assert kinds(change) == ["partial"]
    assert change.changes[0].detail == "shared/tone.md"
    assert (change.baseline.included, change.candidate.included) == (
        {"shared/tone.md": "Be kind."},
        {"shared/tone.md": "Be strict."},
    )
    assert detected(repository, {"shared/other.md": "Still unused."}).lineages == ()


def test_a_file_that_takes_the_place_of_a_partial_is_noticed(repository):
    base = {
        "promptverdict.yaml": CONFIG.replace("triage.md", "triage.j2"),
        "prompts/triage.j2": '{% include "tone.md" %}\n{{ input }}',
        "prompts/tone.md": "Be kind.",
    }
    change = only(detected(repository, {"tone.md": "Be rude."}, base=base))
    assert change.candidate.included == {"tone.md": "Be rude."}


def test_a_pair_of_files_is_one_prompt_whichever_path_names_it(repository):
    pair = {"prompts/pair/system.md": "Sort tickets.", "prompts/pair/user.md": "{{ input }}"}
    for path in ("prompts/pair", "prompts/pair/", "./prompts/pair/user.md"):
        config = CONFIG.replace("prompts/triage.md", path)
        found = detected(
            repository, {"prompts/pair/system.md": "Sort them all."}, base={**pair, "promptverdict.yaml": config}
        )
        diff = only(found).diff
        assert kinds(only(found)) == ["prompt"]
        assert (diff.file, diff.file_lines) == ("prompts/pair/system.md", ((1, 1),))
        assert found.warnings == ()


def test_a_renamed_prompt_is_followed_when_the_configuration_follows(repository):
    config = CONFIG.replace("prompts/triage.md", "prompts/support/sort.md")
    head = {
        "prompts/triage.md": None,
        "prompts/support/sort.md": PROMPT + "Be brief.\n",
        "promptverdict.yaml": config,
    }
    found = detected(repository, head)
    change = only(found)
    assert kinds(change) == ["renamed", "prompt", "policy"]
    assert (change.baseline.path, change.candidate.path) == ("prompts/triage.md", "prompts/support/sort.md")
    assert (change.reasons, found.reasons) == ((), ())
    found = detected(repository, {**head, "prompts/support/sort.md": Executable(PROMPT)})
    assert (kinds(only(found)), only(found).reasons, found.reasons) == (["renamed", "policy"], (), ())


def test_a_prompt_renamed_without_the_configuration_is_followed_and_needs_review(repository):
    found = detected(repository, {"prompts/triage.md": None, "attic/triage.md": PROMPT})
    change = only(found)
    assert codes(change) == ["moved_out: needs_review"]
    assert "prompts/triage.md moved to attic/triage.md" in change.reasons[0].sentence
    assert kinds(change) == ["moved_out"]
    assert change.candidate.messages == change.baseline.messages


def test_a_folder_pair_is_followed_too(repository):
    text = "Sort tickets into billing and refunds, and nothing else.\n"
    base = {
        "prompts/pair/system.md": text,
        "prompts/pair/user.md": "Here is the ticket: {{ input }}\n",
        "promptverdict.yaml": CONFIG.replace("prompts/triage.md", "prompts/pair"),
    }
    head = {
        "prompts/pair/system.md": None,
        "prompts/pair/user.md": None,
        "prompts/two/system.md": text + "Be brief.\n",
        "prompts/two/user.md": "Here is the ticket: {{ input }}\n",
        "promptverdict.yaml": CONFIG.replace("prompts/triage.md", "prompts/two"),
    }
    assert kinds(only(detected(repository, head, base=base))) == ["renamed", "prompt", "policy"]


def test_a_deleted_prompt_needs_review_once_even_if_its_entry_goes_too(repository):
    without = CONFIG[: CONFIG.index("  triage:")].replace("lineages:\n", "")
    for head in ({"prompts/triage.md": None}, {"prompts/triage.md": None, "promptverdict.yaml": without}):
        found = detected(repository, head)
        change = only(found)
        assert (change.candidate, change.models) == (None, ())
        assert codes(change) == ["deleted_lineage: needs_review"]
        assert found.reasons == ()
        assert change.diff.removed == 5


def test_a_removed_entry_leaves_the_lineage_gated_by_base(repository):
    without = CONFIG[: CONFIG.index("  triage:")].replace("lineages:\n", "")
    found = detected(repository, {"promptverdict.yaml": without, "prompts/triage.md": "Anything: {{ input }}"})
    change = only(found)
    assert kinds(change) == ["prompt", "policy"]
    assert change.tests.cases
    assert codes(found) == ["policy_changed: needs_review"]
    assert "lineages.triage: gated → no longer gated" in found.reasons[0].sentence


def test_a_lineage_under_another_name_is_the_same_lineage(repository):
    found = detected(repository, {"promptverdict.yaml": CONFIG.replace("  triage:", "  sorting:")})
    assert (kinds(only(found)), only(found).name, found.reasons) == (["policy"], "triage", ())


def test_a_new_lineage_brings_entry_and_tests_and_uses_bases_models(repository):
    lineage = "  mail: {use_case: generation, prompt: prompts/mail.md, tests: tests/mail.jsonl}\n"
    head = {
        "promptverdict.yaml": CONFIG + lineage,
        "prompts/mail.md": "Write to {{ input }}",
        "tests/mail.jsonl": '{"id": "m", "input": "Ann"}\n',
    }
    found = detected(repository, head)
    change = only(found)
    assert (change.name, change.baseline, kinds(change)) == ("mail", None, ["added"])
    assert [case.id for case in change.tests.cases] == ["m"]
    assert [(pair.name, pair.baseline, pair.swapped) for pair in change.models] == [("small", None, False)]
    assert codes(change) == ["new_lineage: needs_review"]
    assert (found.reasons, found.unaffected) == ((), 1)


def test_bases_floor_for_new_lineages_stands_in_for_the_approval(repository):
    lineage = "  mail: {use_case: generation, prompt: mail.md, tests: tests/triage.jsonl, gate: {floor: 0.1}}\n"
    config = "gate: {floor: 0.7}\n" + CONFIG
    head = {"promptverdict.yaml": config + lineage, "mail.md": "Write {{ input }}"}
    change = only(detected(repository, head, base={"promptverdict.yaml": config}))
    assert change.reasons == ()
    assert change.gate.floor.overall == 0.7


def test_a_new_lineage_of_an_old_prompt_is_compared_with_what_the_prompt_was(repository):
    lineage = "  again: {use_case: generation, prompt: other.md, tests: tests/triage.jsonl}\n"
    head = {"promptverdict.yaml": CONFIG + lineage, "other.md": "New {{ input }}"}
    change = only(detected(repository, head, base={"other.md": "Old {{ input }}"}))
    assert change.baseline.messages[0].content == "Old {{ input }}"
    assert codes(change) == ["new_lineage: needs_review"]


def test_a_new_lineage_without_a_prompt_or_tests_can_not_be_measured(repository):
    lineage = "  mail: {use_case: generation, prompt: prompts/mail.md}\n"
    change = only(detected(repository, {"promptverdict.yaml": CONFIG + lineage}))
    assert codes(change) == ["new_lineage: needs_review", "unreadable: error", "no_cases: error"]
    assert "there is no prompt prompts/mail.md" in change.reasons[1].sentence


def test_the_prompt_of_a_configured_lineage_may_be_new(repository):
    change = only(detected(repository, {"prompts/triage.md": PROMPT}, base={"prompts/triage.md": None}))
    assert (change.baseline, kinds(change), codes(change)) == (None, ["added"], ["new_lineage: needs_review"])
    assert [case.id for case in change.tests.cases] == ["one", "two"]


def test_cases_that_the_head_adds_are_kept_apart(repository):
    change = only(detected(repository, {"tests/triage.jsonl": TESTS + '{"id": "three", "input": "x"}\n'}))
    assert [case.id for case in change.tests.cases] == ["one", "two"]
    assert [case.id for case in change.added_cases] == ["three"]
    assert (kinds(change), change.reasons) == (["tests"], ())
    assert change.changes[0].detail == "cases: 1 added"


def test_removed_and_edited_cases_run_as_base_has_them_and_need_approval(repository):
    edited = '{"id": "two", "input": "money", "expected": "billing"}\n'
    change = only(detected(repository, {"tests/triage.jsonl": edited}))
    assert [case.expected for case in change.tests.cases] == ["billing", "refunds"]
    assert (change.removed_cases, change.edited_cases) == (("one",), ("two",))
    assert codes(change) == ["tests_changed: needs_review"]
    assert change.reasons[0].sentence == (
        "triage: this pull request changes its test set (cases: 1 removed, 1 edited); base's cases were run."
    )


def test_notes_and_order_of_cases_are_nobodys_business(repository):
    lines = TESTS.replace('"expected": "billing"', '"expected": "billing", "notes": "hm"').splitlines(keepends=True)
    assert detected(repository, {"tests/triage.jsonl": "".join(reversed(lines))}).lineages == ()


def test_a_removed_test_set_is_all_its_cases_removed(repository):
    change = only(detected(repository, {"tests/triage.jsonl": None}))
    assert change.removed_cases == ("one", "two")
    assert change.tests is not None
    assert "removes its test set" in change.reasons[0].sentence


def test_a_test_set_that_base_changed_since_is_not_the_heads_doing(repository):
    more = '{"id": "three", "input": "x"}\n' + TESTS
    head = {"tests/triage.jsonl": TESTS + '{"id": "four", "input": "y"}\n'}
    change = only(detected(repository, head, **{"tests/triage.jsonl": more}))
    assert [case.id for case in change.tests.cases] == ["three", "one", "two"]
    assert ([case.id for case in change.added_cases], change.removed_cases, change.reasons) == (["four"], (), ())


def test_an_unreadable_test_set_of_the_head_is_an_error_with_its_line(repository):
    change = only(detected(repository, {"tests/triage.jsonl": TESTS + "{oops\n"}))
    assert codes(change) == ["unreadable: error"]
    assert "tests/triage.jsonl:3" in change.reasons[0].sentence


def test_bases_unreadable_test_set_is_an_error_until_a_pull_request_mends_it(repository):
    base = {"tests/triage.jsonl": "{oops\n"}
    broken = only(detected(repository, {"prompts/triage.md": PROMPT + "!"}, base=base))
    assert codes(broken) == ["unreadable: error"]
    mended = only(detected(repository, {"tests/triage.jsonl": TESTS}, base=base))
    assert codes(mended) == ["tests_changed: needs_review"]
    assert "fixes it" in mended.reasons[0].sentence


def test_a_test_set_without_cases_measures_nothing(repository):
    change = only(detected(repository, {"prompts/triage.md": PROMPT + "!"}, base={"tests/triage.jsonl": "\n"}))
    assert codes(change) == ["no_cases: error"]


GENERATION = """\
version: 1
models: {small: {provider: openai, model: gpt-small}, judge: {provider: openai, model: gpt-judge}}
defaults: {model: small}
lineages:
  mail:
    use_case: generation
    prompt: prompts/mail.md
    tests: tests/triage.jsonl
    rubric: rubric.yaml
    judge: {model: judge, labels: grades.jsonl}
"""
RUBRIC = "dimensions: {tone: {description: Friendly}}\n"
MAIL = {
    "promptverdict.yaml": GENERATION,
    "prompts/mail.md": "Write to {{ input }}",
    "rubric.yaml": RUBRIC,
    "grades.jsonl": "{}\n",
}


def test_rubric_judge_and_grades_are_bases(repository):
    head = {"rubric.yaml": RUBRIC.replace("Friendly", "Rude"), "grades.jsonl": "[]\n"}
    change = only(detected(repository, head, base=MAIL))
    assert change.rubric.dimensions["tone"].description == "Friendly"
    assert (change.judges[0].model, change.judge_labels) == ("gpt-judge", "{}\n")
    assert kinds(change) == ["rubric", "rubric"]
    assert codes(change) == ["rubric_changed: needs_review"] * 2


def test_a_rubric_that_is_not_there_is_an_error(repository):
    head = {"prompts/mail.md": "Write about {{ input }}"}
    change = only(detected(repository, head, base={**MAIL, "rubric.yaml": None}))
    assert codes(change) == ["unreadable: error"]
    assert "rubric.yaml: this file doesn't exist" in change.reasons[0].sentence


def test_a_prompt_that_changed_on_base_as_well_is_measured_merged(repository):
    head = {"prompts/triage.md": PROMPT + "Be brief.\n"}
    change = only(detected(repository, head, **{"prompts/triage.md": "Ours.\n" + PROMPT}))
    assert change.baseline.messages[0].content == ("Ours.\n" + PROMPT).strip("\n")
    assert change.candidate.messages[0].content == ("Ours.\n" + PROMPT + "Be brief.").strip("\n")


@pytest.mark.parametrize(
    "path", ["prompts/triage.md", "tests/triage.jsonl", "promptverdict.yaml", "prompts/part.md"]
)  # fmt: skip
def test_a_conflict_in_a_watched_file_is_an_error_that_says_how_to_go_on(repository, path):
    files = {**FILES, "prompts/part.md": "one\n", "prompts/triage.md": PROMPT + "{% include 'prompts/part.md' %}\n"}
    text = files[path]
    try:
        change = only(detected(repository, {path: text + "# x\n"}, base=files, **{path: text + "# y\n"}))
        said = [reason.sentence for reason in change.reasons if reason.status.value == "error"]
    except ConfigError as error:
        said = [str(error)]
    assert "conflict" in said[0]
    assert "merge the base branch into this one" in said[0]


def test_what_base_has_already_is_no_change_and_a_stale_branch_changes_nothing(repository):
    better = {"prompts/triage.md": PROMPT + "Be brief.\n"}
    assert detected(repository, {**better, "x.md": "1"}, **better).lineages == ()
    assert detected(repository, {"x.md": "2"}, **better).lineages == ()


def test_a_criss_cross_history_is_measured_as_it_would_be_merged(repository):
    """Both commits before the fork are merge bases; a comparison with only one of them may hide a revert."""
    first = repository.commit({**FILES, "prompts/triage.md": "Worse. {{ input }}\n"})
    fixed = repository.commit({"prompts/triage.md": PROMPT})
    side = repository.commit({"docs.md": "x"}, branch="side", parent=first)
    base = repository.commit({"docs.md": "x"}, parent=fixed, merged=[side])
    head = repository.commit({}, branch="feature", parent=side, merged=[fixed])
    change = only(detected_between(repository, base, head))
    assert change.candidate.messages[0].content == "Worse. {{ input }}"
    assert change.baseline.messages[0].content == PROMPT.strip("\n")


def test_a_prompt_that_base_renamed_since_is_measured_where_base_has_it(repository):
    config = CONFIG.replace("prompts/triage.md", "prompts/sort.md")
    moved = {"prompts/triage.md": None, "prompts/sort.md": PROMPT, "promptverdict.yaml": config}
    change = only(detected(repository, {"prompts/triage.md": PROMPT + "Be brief.\n"}, **moved))
    assert kinds(change) == ["prompt"]
    assert (change.baseline.path, change.candidate.path, change.reasons) == (
        "prompts/sort.md",
        "prompts/sort.md",
        (),
    )


def test_without_a_common_commit_the_tip_of_base_is_the_baseline_and_it_is_said(repository):
    base = repository.commit(FILES)
    head = repository.commit({**FILES, "prompts/triage.md": "Alien {{ input }}"}, branch="alien", orphan=True)
    found = detected_between(repository, base, head)
    assert kinds(only(found)) == ["prompt"]
    assert "no commit in common" in found.warnings[0].what


def test_uncommitted_edits_are_a_head_like_any_other(repository):
    base = repository.commit(FILES)
    repository.checkout("main")
    (repository.path / "prompts/triage.md").write_text(PROMPT + "Be brief.\n")
    tree = Clone(repository.path)
    pull_request = PullRequest(
        base_ref="main", base_sha=base, head_ref="worktree", head_sha=tree.worktree_snapshot(base), trust=Trust.OPERATOR
    )
    assert kinds(only(detect(tree, pull_request, tree.merge(base, pull_request.head_sha)))) == ["prompt"]


def test_what_looks_like_a_prompt_and_belongs_to_nobody_is_named(repository):
    files = {f"prompts/other{n}.md": "Hello" for n in range(7)}
    (warning,) = detected(repository, {**files, "tests/prompts.txt": "x", "prompts/README.md": "x"}).warnings
    assert warning.what.startswith("prompts/other0.md, prompts/other1.md")
    assert "and 2 more look like prompts, but no lineage names them: not gated" in warning.what


@pytest.mark.parametrize(("named", "warned"), [("large", 1), ("small", 0), ("meta/llama-4", 0)])
def test_a_prompt_that_names_another_model_that_could_be_asked_is_warned_of(named, warned):
    base = {
        "promptverdict.yaml": CONFIG + "    model: small\n",
        "prompts/triage.md": f"---\nmodel: {named}\n---\n{PROMPT}",
    }
    found = detected(MemoryTrees(), {"prompts/triage.md": f"---\nmodel: {named}\n---\n{PROMPT}Be brief.\n"}, base=base)
    said = [one for one in only(found).warnings if one.what.startswith(f"the prompt names the model {named}, but")]
    assert len(said) == warned


def test_the_tighter_of_both_budgets_holds(repository):
    config = "budget: {per_run_usd: 2}\n" + CONFIG
    for own, holds in (("1", "1"), ("9", "2")):
        lineage = config + f"    budget: {{per_run_usd: {own}}}\n"
        found = detected(repository, {"prompts/triage.md": PROMPT + own}, base={"promptverdict.yaml": lineage})
        assert only(found).budget.per_run_usd == Decimal(holds)
        assert found.budget_usd == Decimal(holds)
    installed = detected(repository, {"promptverdict.yaml": config}, base={"promptverdict.yaml": None})
    assert (installed.adoption, installed.budget_usd) == (True, Decimal(2))


def test_a_lineages_gate_is_laid_over_the_defaults(repository):
    config = "gate: {margin: {overall: 0.04, slices: {edge: 0.2}}, adversarial: watch, inconclusive: block}\n" + CONFIG
    config += "    gate: {margin: {slices: {typical: 0.1}}, adversarial: must_pass}\nrun: {timeout_s: 9}\n"
    change = only(detected(repository, {"prompts/triage.md": "x {{ input }}"}, base={"promptverdict.yaml": config}))
    assert change.gate.margin.overall == 0.04
    assert change.gate.margin.slices == {"edge": 0.2, "typical": 0.1}
    assert change.gate.adversarial == change.gate.slices["adversarial"] == "must_pass"
    assert (change.gate.inconclusive, change.run.timeout_s) == ("block", 9)


def test_mode_and_comments_are_bases(repository):
    head = {"promptverdict.yaml": "mode: enforce\ncomment: always\n" + CONFIG, "prompts/triage.md": "x {{ input }}"}
    found = detected(repository, head, base={"promptverdict.yaml": "mode: inform\ncomment: failures\n" + CONFIG})
    assert (found.mode.value, found.comment.value) == ("inform", "failures")


def test_a_reference_is_bases_version(repository):
    base = {"reference.md": "Reference {{ input }}"}
    lineage = "  mail: {use_case: generation, prompt: mail.md, tests: tests/triage.jsonl, reference: reference.md}\n"
    head = {"promptverdict.yaml": CONFIG + lineage, "mail.md": "x {{ input }}", "reference.md": "Poor {{ input }}"}
    change = only(detected(repository, head, base=base))
    assert change.reference.messages[0].content == "Reference {{ input }}"


def test_a_judge_that_base_does_not_list_is_refused(repository):
    config = CONFIG.replace("  large:", "  new-judge: {provider: openai, model: gpt-judge}\n  large:")
    lineage = (
        "  mail:\n    {use_case: generation, prompt: mail.md, tests: tests/triage.jsonl, "
        "rubric: rubric.yaml, judge: {model: new-judge}}\n"
    )
    head = {"promptverdict.yaml": config + lineage, "mail.md": "x {{ input }}", "rubric.yaml": RUBRIC}
    change = only(detected(repository, head))
    assert change.judges == ()
    assert "the judge's model 'new-judge' is not in the base configuration" in change.reasons[1].sentence


def test_a_parameter_of_the_prompt_file_is_a_change_of_its_own(repository):
    prompt = "modelParameters: {{temperature: {}}}\nmessages: [{{role: user, content: 'Sort {{{{input}}}}'}}]\n"
    base = {
        "promptverdict.yaml": CONFIG.replace("triage.md", "triage.prompt.yml"),
        "prompts/triage.prompt.yml": prompt.format(0.1),
    }
    change = only(detected(repository, {"prompts/triage.prompt.yml": prompt.format(0.9)}, base=base))
    assert [(found.kind, found.detail) for found in change.changes] == [("parameters", "temperature: 0.1 → 0.9")]


def test_a_prompt_that_was_unreadable_and_is_mended_needs_review(repository):
    change = only(detected(repository, {"prompts/triage.md": PROMPT}, base={"prompts/triage.md": b"\x00"}))
    assert (kinds(change), codes(change)) == (["prompt"], ["unreadable: needs_review"])


def test_lineages_whose_files_are_nowhere_are_left_alone(repository):
    base = {"prompts/triage.md": None}
    assert detected(repository, {"src/main.py": "x"}, base=base).unaffected == 1
    assert detected(repository, {"src/main.py": "x"}, base={"prompts/triage.md": b"{% \x00"}).unaffected == 1
