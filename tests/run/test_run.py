"""The run: every cell that the gate asks for is answered from the store or paid for once, scored, and told to the gate."""

from engine.experiment import Progress
from schemas.outcomes import Arm
from tests.run.laboratory import Scripted, completion, experiment, run_one


async def test_the_gate_is_told_every_cell_it_asked_for(store):
    provider = Scripted(lambda request, *_: completion("yes" if request.messages[0].content == "after" else "no"))
    result = await run_one(experiment(10), provider, store)
    seen, means = result.decision
    assert means == [0.0, 1.0]
    assert not seen.missing.any()
    assert seen.fresh.all()
    assert seen.input_tokens.tolist() == [100] * 20
    assert [(one.cell.case, one.cell.arm) for one in result.outcomes[:3]] == [
        (0, Arm.BASELINE),
        (0, Arm.CANDIDATE),
        (1, Arm.BASELINE),
    ]
    assert (result.spending.planned, result.spending.made, result.spending.stored) == (20, 20, 0)
    assert str(result.spending.cost_usd) == "0.00300"


async def test_a_second_run_makes_no_call_and_gives_the_same_scores(store):
    provider = Scripted()
    first = await run_one(experiment(10), provider, store)
    second = await run_one(experiment(10), provider, store)
    assert provider.calls == 20
    assert (second.spending.made, second.spending.stored, second.spending.cost_usd) == (0, 20, 0)
    assert not second.decision[0].fresh.any()
    assert second.decision[1] == first.decision[1]


async def test_progress_is_told_as_values_from_the_start(store):
    told: list[Progress] = []
    await run_one(experiment(3), Scripted(), store, on_progress=told.append)
    assert (told[0].done, told[0].asked, told[0].purpose) == (0, 6, "look")
    assert (told[-1].done, told[-1].made, told[-1].spent_usd) == (6, 6, 0.0009)
