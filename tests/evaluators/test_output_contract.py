"""The output contract: bare answers keep it, wrapped ones break it or are repaired and counted."""

import pytest

from engine.readers.config import read_config
from engine.scorecard.repairs import repaired
from evaluators.output_contract import OutputContract
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.outcomes import Arm, Cell, Outcome

LABELS = {"use_case": "classification", "labels": ["billing", "refunds"], "aliases": {"billing": ["invoice"]}}
SEVERAL = LABELS | {"multi_label": True}
FIELDS = {"use_case": "extraction", "fields": {"total": {"kind": "number"}}}
TEXT = {"use_case": "generation", "checks": [{"name": "kind", "contains": "please"}]}
SCHEMA = {
    "type": "object",
    "required": ["total"],
    "additionalProperties": False,
    "properties": {"total": {"type": "number"}},
}


def lineage(settings, **output):
    return LineageConfig.model_validate({"prompt": "p", **settings, **({"output": output} if output else {})})


BARE, WRAPPED, UNREADABLE = "bare", "wrapped", "unreadable"


@pytest.mark.parametrize(
    ("settings", "answer", "form"),
    [
        (LABELS, "billing", BARE),
        (LABELS, " Billing\n", BARE),
        (LABELS, "invoice", BARE),
        (LABELS, "billing.", WRAPPED),
        (LABELS, "**billing**", WRAPPED),
        (LABELS, "Category: billing", WRAPPED),
        (LABELS, '{"label": "billing"}', WRAPPED),
        (LABELS, "```\nbilling\n```", WRAPPED),
        (LABELS, "bil\u200bling", WRAPPED),
        (LABELS, "<think>refunds?</think>billing", WRAPPED),
        (LABELS, "billing or refunds", UNREADABLE),
        (LABELS, '{"label": "billing"', UNREADABLE),
        (LABELS, '["billing"', UNREADABLE),
        (SEVERAL, '["billing", "refunds', UNREADABLE),
        (LABELS, "<think>billing", UNREADABLE),
        (SEVERAL, "billing, refunds", BARE),
        (SEVERAL, '["billing"]', BARE),
        (SEVERAL, "[]", BARE),
        (SEVERAL, "billing and refunds", WRAPPED),
        (FIELDS, '{"total": 1}', BARE),
        (FIELDS, '```json\n{"total": 1}\n```', WRAPPED),
        (FIELDS, '\f{"total": 1}\xa0', WRAPPED),
        (FIELDS, 'Here: {"total": 1}', WRAPPED),
        (FIELDS, 'Here:\n```json\n{"total": 1}\n```\nBye', WRAPPED),
        (FIELDS, '<think>hm</think>{"total": 1}', WRAPPED),
        (FIELDS, '{"total": 1}\n{"total": 2}', UNREADABLE),
        (FIELDS, '{"total": 1', UNREADABLE),
        (FIELDS, '[{"total": 1}', UNREADABLE),
        (FIELDS, '{ok: true, data: {"total": 1}}', UNREADABLE),
        (FIELDS, '<think>{"total": 1}</think>', UNREADABLE),
        (FIELDS, "no idea", UNREADABLE),
        (TEXT, "Would you please wait?", BARE),
        (TEXT, "```\nplease\n```", WRAPPED),
        (TEXT, "<think>hm</think>please", WRAPPED),
    ],
)
def test_a_bare_answer_keeps_the_contract(settings, answer, form):
    strict, lenient = (OutputContract(lineage(settings, strict=strict)) for strict in (True, False))
    assert (strict.problem(answer) == "") is (form == BARE)
    assert (lenient.problem(answer) == "") is (form != UNREADABLE)
    assert bool(lenient.read(answer).repairs) is (form == WRAPPED) or form == UNREADABLE


@pytest.mark.parametrize(
    ("allow", "answer", "kept"),
    [
        (["fence"], '```json\n{"total": 1}\n```', True),
        (["prose"], '```json\n{"total": 1}\n```', False),
        (["prose"], 'So: {"total": 1}', True),
        (["prose"], 'So:\n```json\n{"total": 1}\n```', False),
        (["fence", "prose"], 'So:\n```json\n{"total": 1}\n```', True),
        (["reasoning"], '<think>hm</think>{"total": 1}', True),
        (["reasoning"], '<think>hm</think>So: {"total": 1}', False),
    ],
)
def test_allowed_repairs_are_no_repairs(allow, answer, kept):
    contract = OutputContract(lineage(FIELDS, allow=allow))
    assert (contract.problem(answer) == "") is kept
    assert bool(contract.read(answer).repairs) is not kept


@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_must_hold_even_for_a_repaired_answer(strict):
    contract = OutputContract(lineage(FIELDS, strict=strict, schema=SCHEMA, allow=["fence"]))
    assert contract.problem('```\n{"total": 1}\n```') == ""
    assert "iban" in contract.problem('{"total": 1, "iban": "x"}')
    assert contract.problem('{"total": "1"}')


def test_a_broken_contract_scores_0_and_shows_what_was_read(case, scores):
    wrapped = 'So: {"total": 7}'
    found = scores(evaluator_for(lineage(FIELDS, strict=True), None, None, None), case({"total": 7}), wrapped)
    assert [found[name].value for name in ("fields", "total", "output format")] == [0, 1, 0]
    assert found["output format"].reason == "not bare json: words or marks around it"
    for loose in (lineage(FIELDS, strict=False), lineage(FIELDS)):
        assert scores(evaluator_for(loose, None, None, None), case({"total": 7}), wrapped)["fields"].value == 1


def test_reasoning_is_no_part_of_any_answer(case, scores):
    part = evaluator_for(lineage(TEXT), None, None, None)
    assert scores(part, case(), "<think>say please</think>Go away.")["overall"].value == 0
    assert scores(part, case(), "<think>say please</think>")["kind"].reason.startswith("empty answer")
    assert scores(part, case(), "<think>hm</think>Wait, please.")["overall"].value == 1


def counted(settings, output, before, after):
    outcomes = [
        Outcome(cell=Cell(case=place, arm=arm, repetition=0), result=output(text))
        for arm, texts in ((Arm.BASELINE, before), (Arm.CANDIDATE, after))
        for place, text in enumerate(texts)
    ]
    return " ".join(found.what for found in repaired(outcomes, settings))


BILLS, MARKED = ["billing"] * 4, ["billing"] * 2 + ["**billing**", "no idea"]


@pytest.mark.parametrize(
    ("config", "before", "after", "said"),
    [
        (
            {"strict": False},
            BILLS,
            MARKED,
            "1 of 4 answers had to be repaired, before 0 of 4: words or marks around it",
        ),
        ({"strict": False}, MARKED, MARKED, "1 of 4 answers had to be repaired, before 1 of 4"),
        ({"strict": True}, BILLS, MARKED, "1 of 4 answers break the output format, before 0 of 4"),
        ({}, BILLS, MARKED, "1 of 4 answers had to be repaired"),
        ({}, MARKED, MARKED, ""),
        ({"strict": False, "allow": ["prose"]}, BILLS, MARKED, ""),
        ({"strict": False}, [], MARKED, "1 of 4 answers had to be repaired: words"),
    ],
)
def test_repaired_answers_are_counted(output, config, before, after, said):
    found = counted(lineage(LABELS, **config), output, before, after)
    assert (said in found) if said else not found


HEAD = "version: 1\nmodels: {m: {provider: offline, model: offline-small}}\ndefaults: {model: m}\nlineages:\n  a:\n    prompt: p.md\n"
CLASSES = "    use_case: classification\n    labels: [x, y]\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("    use_case: extraction\n    output: {format: label}\n", "format: label is for classification"),
        ("    use_case: extraction\n    output: {format: text}\n", "an extraction reads fields from JSON"),
        (CLASSES + "    output: {schema: {type: object}}\n", "schema is for JSON, but the format is label"),
        (CLASSES + "    output: {format: text, allow: [prose]}\n", "there is no prose to allow"),
        (CLASSES + "    output: {format: json, schema: {type: objct}}\n", "objct"),
        (CLASSES + "    output: {format: json, schema: {typ: object}}\n", "typ"),
        (CLASSES + "    output: {schem: {}}\n", "did you mean schema?"),
        (CLASSES + "    output: {allow: [fences]}\n", "did you mean fence?"),
        (CLASSES + "    aliases: {z: [w]}\n", "“z” of aliases is not in the set"),
        ("    use_case: generation\n    ordinal: true\n", "ordinal is for classification"),
    ],
)
def test_a_contract_that_contradicts_itself_is_an_error_with_a_fix(text, what):
    with pytest.raises(ConfigError, match=r"promptverdict.yaml:[0-9]+") as caught:
        read_config("promptverdict.yaml", (HEAD + text).encode())
    assert what in str(caught.value)
    assert caught.value.hint
