"""What keeps a verdict from being approved although no score fell: who scored it, by what, and in which form."""

import json
import re

import pytest

from schemas.calibration import Condition
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.end_to_end.conftest import FILES
from tests.pipeline.test_measure import (
    CASES,
    EDITED,
    JUDGED,
    LABELS,
    LETTERS,
    PATH,
    label_of,
    measured,
    prepared,
    store,
)
from tests.run.laboratory import completion

__all__ = ["store"]

UNLABELED = JUDGED.replace(", labels: labels.jsonl", "")
SAMPLES = LABELS.splitlines()
LONGER = {"letter.txt": "Write a letter to {{name}}.\n"}
RULES = """\
version: 1
models:
  toy: {provider: offline, model: m, price: {input: 1, output: 4}}
defaults: {model: toy}
lineages:
  letters: {use_case: generation, prompt: letter.txt, tests: cases.jsonl, checks: [CHECKS]}
"""


def edited(request):
    """Whether it is the candidate that is asked."""
    return any(word in request.messages[0].content for word in ("You assign", "a letter"))


def codes(card):
    return {reason.code for reason in card.lineages[0].reasons if reason.status is not VerdictStatus.APPROVED}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{}", "approved"),
        ("{}.", "approved"),
        ("After reading it all I would say {}", "needs_review"),
        ('{{"team": "{}"}}', "needs_review"),
        ("\u2060{}", "needs_review"),
    ],
)
async def test_right_labels_in_another_form_need_review(store, form, status):
    def reply(request, repetition, nth):
        return completion(form.format(label_of(request)) if edited(request) else label_of(request))

    card, _ = await measured(prepared(FILES, {PATH: EDITED}), reply, store)
    assert card.status == status
    assert (ReasonCode.FORM_DRIFT in codes(card)) is (status == "needs_review")
    if status == "needs_review":
        assert card.title.startswith("needs review: 30 of 30 answers have another format")


@pytest.mark.parametrize(
    ("output", "form", "status"),
    [
        ("{strict: true}", "{}", "approved"),
        ("{strict: true}", "**{}**", "blocked"),
        ("{strict: true}", "After reading it all I would say {}", "blocked"),
        ("{strict: true}", '{{"team": "{}"', "blocked"),
        ("{strict: true, allow: [fence]}", "```\n{}\n```", "needs_review"),
        ("{strict: false}", "**{}**", "needs_review"),
        ("{strict: false}", "After reading it all I would say {}", "needs_review"),
        ("{strict: false}", '{{"team": "{}"', "blocked"),
        ("{strict: false}", "```\n{}\n```", "needs_review"),
    ],
)
async def test_a_strict_contract_blocks_another_form_and_a_lenient_one_asks(store, output, form, status):
    def reply(request, repetition, nth):
        return completion(form.format(label_of(request)) if edited(request) else label_of(request))

    labels = "labels: [billing"
    config = FILES["promptverdict.yaml"].replace(labels, f"output: {output}\n    {labels}")
    assert output in config
    card, _ = await measured(prepared(FILES | {"promptverdict.yaml": config}, {PATH: EDITED}), reply, store)
    assert card.status == status
    counted = [one.what for one in card.lineages[0].warnings if "answers" in one.what]
    if form != "{}" and "fence" not in output and not form.startswith("{{"):
        verb = "break the output format" if "true" in output else "had to be repaired"
        assert any(f"answers {verb}, before 0 of " in what for what in counted)
    else:
        assert counted == []


def letters_of(judge):
    def reply(request, repetition, nth):
        if request.model == "j":
            return completion(json.dumps({"kind": {"reason": "so", "grade": judge(request.messages[-1].content)}}))
        return completion("Rude words, all of them, to you." if edited(request) else "Kind words, all of them, to you.")

    return reply


MUST_NOT = CASES.replace("}}", '}, "must_not": ["hunter2"]}')
ASSERTED = CASES.replace("}}", '}, "assert": [{"type": "contains", "value": "to you"}]}')


@pytest.mark.parametrize(
    ("beside", "files"),
    [
        ("checks: [{name: brief, max_words: 50}]", {}),
        ("checks: [{name: to, contains: to you}]", {}),
        ("output: {format: text, strict: true}", {}),
        ("", {"cases.jsonl": MUST_NOT}),
        ("", {"cases.jsonl": ASSERTED}),
    ],
    ids=["length", "word", "format", "forbidden text", "assertion"],
)
@pytest.mark.parametrize("people", [0, 1], ids=["without people", "a grade too strict"])
async def test_a_judge_that_does_not_gate_leaves_nothing_to_approve_by(store, beside, files, people):
    """People's grades are a grade above the judge's: κ is high, and its bias alone keeps it from gating."""
    config = (JUDGED if people else UNLABELED).rstrip().removesuffix("}") + f", {beside}}}\n"
    kinder = [{**row, "grades": {"kind": min(5, row["grades"]["kind"] + 1)}} for row in map(json.loads, SAMPLES)]
    files = files | {"promptverdict.yaml": config, "labels.jsonl": "".join(json.dumps(row) + "\n" for row in kinder)}

    def honest(text):
        sample = re.search(r"grade (\d) of", text)
        return int(sample[1]) if sample else 1 if "Rude" in text else 5

    card, _ = await measured(prepared(LETTERS | files, LONGER), letters_of(honest), store)
    (lineage,) = card.lineages
    assert (card.status, card.passes) == ("needs_review", False)
    assert codes(card) == {ReasonCode.NOT_JUDGED}
    (reason,) = (one for one in lineage.reasons if one.code is ReasonCode.NOT_JUDGED)
    assert "`overall` (100.0 → 0.0)" in reason.sentence
    assert any("overall 100.0 → 0.0; kind 100.0 → 0.0" in warning.what for warning in lineage.warnings)
    if people:
        assert lineage.confidence.judge.dimensions["kind"].unmet == (Condition.BIAS,)
        assert any("the judge is 0.80 grades stricter" in warning.what for warning in lineage.warnings)


async def test_a_rubric_beside_labels_may_be_without_people(store):
    """The labels decide there, and what the judge says is shown."""
    config = FILES["promptverdict.yaml"].replace(
        "defaults:", "  judge: {provider: offline, model: j, price: {input: 1, output: 4}}\ndefaults:"
    )
    config += "    rubric: rubric.yaml\n    judge: {model: judge}\n"
    files = FILES | {"promptverdict.yaml": config, "rubric.yaml": LETTERS["rubric.yaml"]}

    def reply(request, repetition, nth):
        if request.model == "j":
            return completion('{"kind": {"reason": "so", "grade": 5}}')
        return completion(label_of(request))

    card, _ = await measured(prepared(files, {PATH: EDITED}), reply, store)
    assert card.status == "approved"
    assert any("rubric 100.0 → 100.0" in warning.what for warning in card.lineages[0].warnings)


@pytest.mark.parametrize(
    ("check", "status"),
    [
        ("{name: brief, max_words: 50}", "needs_review"),
        ("{name: clean, not_contains: zebra}", "needs_review"),
        ("{name: any, json_schema_valid: {}}", "needs_review"),
        ("{name: some, regex_match: '[a-z]'}", "needs_review"),
        ("{name: kind, contains: kind}", "blocked"),
    ],
)
async def test_checks_that_every_answer_passes_approve_nothing(store, check, status):
    files = {
        "promptverdict.yaml": RULES.replace("CHECKS", check),
        "cases.jsonl": CASES,
        "letter.txt": LETTERS["letter.txt"],
    }

    def reply(request, repetition, nth):
        if "json_schema" in check:
            return completion('{"a": 1}')
        return letters_of(None)(request, repetition, nth)

    card, _ = await measured(prepared(files, LONGER), reply, store)
    assert card.status == status
    assert (ReasonCode.NEVER_FAILS in codes(card)) is (status == "needs_review")


async def test_a_check_that_sometimes_fails_can_approve(store):
    files = {
        "promptverdict.yaml": RULES.replace("CHECKS", "{name: even, regex_match: '[02468]'}"),
        "cases.jsonl": CASES,
        "letter.txt": LETTERS["letter.txt"],
    }

    def reply(request, repetition, nth):
        return completion(f"To you, {request.messages[0].content.split()[-1].strip('.')}, with all my love.")

    card, _ = await measured(prepared(files, LONGER), reply, store)
    assert card.status == "approved"


@pytest.mark.parametrize(
    ("evaluator", "status"),
    [("string: {contains: '{{expected}}'}", "approved"), ("string: {contains: 'e'}", "needs_review")],
)
async def test_evaluators_of_a_prompt_file_that_know_the_case_can_approve(store, evaluator, status):
    def prompt(text):
        rows = "".join(f"  - {{name: '{n}', expected: 'hello {n}'}}\n" for n in range(40))
        return (
            f"messages:\n  - {{role: user, content: '{text} {{{{name}}}}'}}\ntestData:\n{rows}"
            f"evaluators:\n  - name: said\n    {evaluator}\n"
        )

    config = RULES.replace(", tests: cases.jsonl, checks: [CHECKS]", "").replace("letter.txt", "letter.prompt.yml")
    files = {"promptverdict.yaml": config, "letter.prompt.yml": prompt("Greet")}

    def reply(request, repetition, nth):
        return completion(f"Well then, hello {request.messages[0].content.split()[-1]}")

    card, _ = await measured(prepared(files, {"letter.prompt.yml": prompt("Do greet")}), reply, store)
    assert card.status == status
