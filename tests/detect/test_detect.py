"""``engine.detect``: what a pull request changes, for a lineage that base configures."""

from tests.detect.pullrequests import CONFIG, PROMPT, codes, detected, kinds, only


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
    assert change.changed_lines == ((5, 5),)
    assert (change.reasons, change.warnings, found.reasons, found.warnings) == ((), (), (), ())
    assert found.config.lineages.keys() == {"triage"}
    assert found.unaffected == 0


def test_an_unrelated_change_affects_nothing_and_says_so(repository):
    found = detected(repository, {"src/main.py": "print(1)\n", "docs/readme.md": "# Hello\n"})
    assert (found.lineages, found.unaffected) == ((), 1)
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert found.reasons[0].sentence == "No prompt, model, test set or gate changes; 1 lineage is as it was."


def test_no_change_at_all_affects_nothing(repository):
    assert codes(detected(repository, {"src/main.py": "print()\n"})) == ["nothing_changed: not_applicable"]


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
