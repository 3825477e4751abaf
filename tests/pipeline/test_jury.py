"""A jury: the median of several judges' grades counts, and what each of them gives is shown."""

import json

import pytest

from engine.commands.plan_report import plan_report
from schemas.outcomes import CompletionError, ErrorKind
from schemas.verdicts import VerdictStatus
from tests.pipeline.test_measure import JUDGED, LETTERS, graded, measured, prepared, store
from tests.run.laboratory import completion

pytestmark = pytest.mark.slow

__all__ = ["store"]

JURY = {
    **LETTERS,
    "promptverdict.yaml": JUDGED.replace(
        "  judge: {provider: offline, model: j,",
        "  second: {provider: offline, model: j2, price: {input: 1, output: 4}}\n"
        "  third: {provider: offline, model: j3, price: {input: 10, output: 4}}\n"
        "  judge: {provider: offline, model: j,",
    ).replace("{model: judge, labels", "{model: [judge, second, third], labels"),
}
KINDER = {"letter.txt": "Write kindly to {{name}}.\n"}


def said(grade):
    return completion(json.dumps({"kind": {"reason": "so", "grade": grade}}))


def world(asked=None, **judges):
    """Answers are worth a grade of 3. Judges that aren't given grade as people do. ``asked`` receives every call."""

    def reply(request, repetition, nth):
        if asked is not None:
            asked.append((request.model, repetition))
        if not request.model.startswith("j"):
            return completion(
                "grade 3 letter, kindly" if "kindly" in request.messages[-1].content else "grade 3 letter"
            )
        return judges.get(request.model, graded)(request)

    return reply


def talked_round(request):
    """Gives the candidate's answers the best grade, and all others the right one."""
    return said(5) if "kindly" in request.messages[-1].content.partition("# Answer")[2] else graded(request)


async def test_the_median_decides_and_what_the_jury_changed_is_shown(store):
    asked = []
    card, _ = await measured(prepared(JURY, KINDER), world(asked, j=talked_round), store)
    lineage = card.lineages[0]
    assert (lineage.overall.baseline, lineage.overall.candidate) == (0.5, 0.5)
    agreed, changed = lineage.confidence.notes
    assert agreed.startswith("A jury of 3 (j, j2, j3): they agree within half a grade on 50% of 60 grades, and differ")
    assert "by 1.0 grades on average" in agreed
    assert changed == "j alone would change the score by +50.0 points, the jury's median by ±0.0."
    # A judge that can be talked round moves the median a little, so it keeps the jury from approving.
    assert card.status is VerdictStatus.NEEDS_REVIEW
    assert "One of the jury, j: The judge follows instructions inside answers" in lineage.headline
    # Every judge is asked twice about each sample answer, and each different answer.
    calls = {sum(model == name and repetition < 1_000 for model, repetition in asked) for name in ("j", "j2", "j3")}
    assert len(calls) == 1
    assert calls.pop() >= 2 * (60 + 2)


async def test_the_plan_counts_and_prices_every_judge(store):
    one, three = (plan_report(prepared(files, KINDER)).experiments[0].judge for files in (LETTERS, JURY))
    assert (three.model, three.calls) == ("j, j2, j3", 3 * one.calls)
    assert three.worst_usd > 4 * one.worst_usd  # the third costs ten times as much to read
    assert one.cost_usd * 4 < three.cost_usd < one.cost_usd * 12


async def test_a_judge_that_joins_others_is_not_paid_for_twice(store):
    await measured(prepared(LETTERS, KINDER), world(), store)
    asked = []
    await measured(prepared(JURY, KINDER), world(asked), store)
    # Probes are asked anew in every comparison, under repetitions of their own.
    assert {model for model, repetition in asked if repetition < 1_000} == {"j2", "j3"}


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ((ErrorKind.SERVER,), VerdictStatus.APPROVED),
        ((ErrorKind.SERVER, ErrorKind.TIMEOUT), VerdictStatus.ERROR),
        ((None,), VerdictStatus.ERROR),
    ],
    ids=["one of three is down", "two are", "one doesn't answer the question"],
)
async def test_a_majority_decides_unless_a_judge_replies_something_else(store, kinds, status):
    """An unreadable reply may be the doing of the answer that it grades, so it is never left out."""

    def broken(kind):
        def reply(request):
            task, _, answer = request.messages[-1].content.partition("# Answer")
            if "Ann" not in task or "kindly" not in answer:
                return graded(request)
            return completion("Hm!") if kind is None else CompletionError(kind=kind, message="down")

        return reply

    judges = {f"j{number + 2}": broken(kind) for number, kind in enumerate(kinds)}
    card, _ = await measured(prepared(JURY, KINDER), world(**judges), store)
    assert card.status is status
    notes = card.lineages[0].confidence.notes if card.lineages[0].confidence else ()
    assert any("30 grades came from a part of the jury" in note for note in notes) is (status == "approved")


async def test_a_jury_gates_by_the_agreement_of_its_median(store):
    """One judge that is two grades too strict about a third of the answers would not gate by itself."""

    def uneven(request):
        text = request.messages[-1].content
        grade = int(text.partition("grade ")[2][0])
        return said(max(1, grade - 2) if grade in (2, 3) else grade)

    alone, _ = await measured(prepared(LETTERS, KINDER), world(j=uneven), store)
    assert alone.status is VerdictStatus.NEEDS_REVIEW
    card, _ = await measured(prepared(JURY, KINDER), world(j=uneven), store)
    assert (card.status, card.lineages[0].confidence.judge_agreement) == (VerdictStatus.APPROVED, 1.0)
