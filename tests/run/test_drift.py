"""A model that changed under the run is said."""

from dataclasses import replace

import pytest

from engine.doubts.model_drift import drift
from engine.runner.experiment import ArmPlan, Endpoint
from schemas.outcomes import Arm
from tests.run.laboratory import MODEL, PRICE, Scripted, completion, experiment, run_one


def answering(before, after):
    """Model and fingerprint by arm."""

    def reply(request, *_):
        model, fingerprint = before if request.messages[0].content == "before" else after
        return completion().model_copy(update={"model": model, "fingerprint": fingerprint})

    return Scripted(reply)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (("m-1", "f"), ("m-1", "f"), None),
        (("m-1", None), ("m-1", None), None),
        (("m-1", None), ("m-1", "f"), None),
        (("m-1", None), ("m-2", None), "answered as m-1 and m-2"),
        (("m-1", "f"), ("m-1", "g"), "different builds"),
    ],
)
async def test_which_model_answered(store, before, after, says):
    found = drift(await run_one(experiment(2), answering(before, after), store))
    assert [says in one.what for one in found] == ([True] if says else [])


async def test_several_fingerprints_are_usual_while_the_arms_share_one(store):
    def reply(request, *_):
        number = int(request.messages[1].content[-1]) % 2 if request.messages[0].content == "before" else 0
        return completion().model_copy(update={"fingerprint": f"f{number}"})

    assert drift(await run_one(experiment(4), Scripted(reply), store)) == ()


async def test_many_models_are_named_in_few_words(store):
    provider = Scripted(lambda request, *_: completion().model_copy(update={"model": request.messages[1].content}))
    (found,) = drift(await run_one(experiment(9), provider, store))
    assert "case 0 and case 1 and case 2 and 6 more" in found.what


async def test_a_model_that_the_pull_request_swaps_is_no_drift(store):
    one = experiment(2)
    swapped = ArmPlan(Endpoint(MODEL.model_copy(update={"model": "m2"}), PRICE), one.arms[Arm.CANDIDATE].requests)
    one = replace(one, arms={**one.arms, Arm.CANDIDATE: swapped})
    assert drift(await run_one(one, answering(("m-1", None), ("m-2", None)), store)) == ()
