"""The playground's form and table without a site: what is an edit, what it costs, which answers stand in a row."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from bot.pages.views import playground_form
from bot.pages.views.playground_form import edit_of, estimate_of, mark_of
from bot.pages.views.playground_live import SHOWN_CASES, Answers, answers_of, beside
from bot.store.asked_values import ShownAnswer
from engine.detection.edited_tree import EditedTree
from engine.detection.files import Files
from engine.pipeline import look
from engine.playground.draft import DraftEdit, Pick, on_cases
from engine.playground.opened import opened
from schemas.outcomes import Arm
from schemas.pullrequests import PullRequest, Trust
from tests.trees import MemoryTrees

CONFIG = """\
version: 1
models:
  large: {provider: offline, model: l, price: {input: 2.50, output: 10.00}, parameters: {temperature: 0.2}}
  small: {provider: offline, model: s, price: {input: 0.15, output: 0.60}}
defaults: {model: large}
lineages:
  triage: {use_case: classification, prompt: a.prompt.yml, tests: a.jsonl, labels: [a, b]}
"""
PROMPT = "messages:\n  - role: system\n    content: Sort it.\n  - role: user\n    content: '{{t}}'\n"
CASES = "".join(f'{{"id": "c{n}", "input": {{"t": "text {n}"}}, "expected": "a"}}\n' for n in range(4))


def commit(prompt=PROMPT, config=CONFIG):
    trees = MemoryTrees()
    sha = trees.commit({"promptverdict.yaml": config, "a.prompt.yml": prompt, "a.jsonl": CASES})
    alone = PullRequest(base_ref="main", base_sha=sha, head_ref="main", head_sha=sha, trust=Trust.SAME_REPOSITORY)
    return trees, sha, alone, opened(Files(trees, sha), look(trees, alone, alone=True), "triage")


def form(prompt, **more):
    """The form as the page of ``prompt`` sends it back."""
    fields = {"seen.model": prompt.model or "", "model": prompt.model or ""}
    for index, message in enumerate(prompt.prompt.messages):
        fields |= {f"text.{index}": message.content, f"seen.text.{index}": mark_of(message.content)}
    for name, value in prompt.parameters().items():
        text = "" if value is None else str(value)
        fields |= {f"parameter.{name}": text, f"seen.parameter.{name}": text}
    return fields | more


def test_a_page_from_before_a_push_undoes_nothing_that_was_pushed():
    *_, before = commit()
    pushed = CONFIG.replace("temperature: 0.2", "temperature: 0.9").replace("{model: large}", "{model: small}")
    *_, now = commit(PROMPT.replace("Sort it.", "Sort it well."), pushed)
    assert not edit_of(now, form(before)).edits
    edit = edit_of(now, form(before, **{"text.1": "Now: {{t}}", "parameter.temperature": "0.5"}))
    assert (edit.texts, edit.parameters, edit.model) == ({1: "Now: {{t}}"}, {"temperature": 0.5}, None)
    # What is typed over the old text is shown as typed over another one.
    edit = edit_of(now, form(before, **{"text.0": "Sort them."}))
    assert edit.texts == {0: "Sort them."}
    assert edit.before[0] == mark_of("Sort it.") != mark_of(now.prompt.messages[0].content)
    # The kept mark stays, on a page that was loaded after the push.
    assert edit_of(now, form(now, **{"text.0": "Sort them."}), edit).before == edit.before
    assert edit_of(now, form(now, model="large")).model == "large"


@pytest.fixture
def most(monkeypatch):
    def of(prompt, costs=(), **edit):
        monkeypatch.setattr(playground_form, "known_costs", lambda *_: dict(costs))
        return estimate_of(SimpleNamespace(), SimpleNamespace(), prompt, DraftEdit(**edit))

    return of


def test_an_estimate_knows_the_draft_the_own_input_and_every_model(most):
    *_, prompt = commit()
    plain, long = most(prompt), most(prompt, texts={0: "word " * 8_000})
    # 40,000 bytes are 10,000 tokens for each of four cases.
    assert float(long.least_usd - plain.least_usd) == pytest.approx(4 * 10_000 * 2.5e-6, rel=0.01)
    assert long.call_usd > plain.call_usd
    measured = {"large": Decimal("1.00")}
    assert (
        most(prompt, measured, texts={0: "word " * 8_000}).least_usd > Decimal("0.1") > most(prompt, measured).least_usd
    )
    own = most(prompt, pick=Pick.OWN, inputs={"t": "word " * 8_000})
    assert own.least_usd > most(prompt, pick=Pick.OWN, inputs={"t": "word"}).least_usd + Decimal("0.02")
    *_, several = commit(config=CONFIG.replace("{model: large}", "{model: [large, small]}"))
    both = most(several)
    assert plain.least_usd < both.least_usd < 2 * plain.least_usd
    assert both.call_usd == plain.call_usd


def test_an_edit_of_a_shared_file_names_the_other_prompts():
    other = CONFIG + "  other: {use_case: classification, prompt: a.prompt.yml, tests: a.jsonl, labels: [a, b]}\n"
    for config, names in ((CONFIG, []), (other, ["This edit also changes 1 other prompt: other"])):
        trees, sha, alone, prompt = commit(config=config)
        edit = DraftEdit(texts={0: "Sort them."})
        tree = EditedTree(trees, sha, prompt.edited(edit))
        found = look(tree, alone.model_copy(update={"head_ref": "draft", "head_sha": tree.edited}))
        (change,) = on_cases(found, "triage", edit).lineages
        assert [one.what for one in change.warnings] == names


def answer(position, arm, model, score):
    return ShownAnswer(
        model=model, position=position, case=f"c{position}", arm=arm, repetition=0, said=f"{model} {arm}", score=score
    )


def test_answers_of_several_models_are_not_mixed():
    found, other = Answers(), Answers()
    rows = [
        answer(0, Arm.BASELINE, "large", 1.0), answer(0, Arm.BASELINE, "small", 0.0),
        answer(0, Arm.CANDIDATE, "small", 0.0), answer(0, Arm.CANDIDATE, "large", 1.0),
    ]  # fmt: skip
    found.add(enumerate(rows, 1))
    other.add(enumerate(rows, 1))
    shown = [
        (one.number, one.model, one.result, {a.said for a in one.answers.values()}) for one in found.cases.values()
    ]
    assert shown == [
        (0, "large", "no_change", {f"large {arm}" for arm in Arm}),
        (1, "small", "no_change", {f"small {arm}" for arm in Arm}),
    ]
    assert found.means == (0.5, 0.5, 1)
    beside(found, other)
    assert [one.other.model for one in found.cases.values()] == ["large", "small"]
    one_model = Answers()
    one_model.add([(1, answer(0, Arm.CANDIDATE, "third", 1.0))])
    beside(found, one_model)
    assert {one.other.model for one in found.cases.values()} == {"third"}


def test_another_variant_is_shown_whichever_of_its_cases_came_first():
    def answers(order):
        return [(number, answer(position, Arm.CANDIDATE, "large", 1.0)) for number, position in enumerate(order, 1)]

    class Records:
        def answers_after(self, sequence, after, limit):
            order = range(100) if sequence == 1 else reversed(range(100))
            return [one for one in answers(order) if one[0] > after][:limit]

    shown = answers_of(Records(), 1)
    beside(shown, answers_of(Records(), 2, most=100))
    assert len(shown.cases) == SHOWN_CASES
    assert all(one.other is not None for one in shown.cases.values())
