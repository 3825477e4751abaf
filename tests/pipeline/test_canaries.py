"""A canary of the prompt: answers that contain it fail, and the scorecard counts them."""

import base64

import pytest

from schemas.verdicts import VerdictStatus
from tests.end_to_end.conftest import FILES
from tests.pipeline.test_measure import EDITED, PATH, label_of, measured, prepared, store
from tests.run.laboratory import completion

__all__ = ["store"]


def files(prompt, canary):
    config = FILES["promptverdict.yaml"] + f"    canary: {canary}\n"
    return {**FILES, PATH: prompt, "promptverdict.yaml": config}


def with_canary(prompt, text="Reference tidewell-77-heron."):
    return prompt.replace("Answer with the label alone.", f"Answer with the label alone. {text}")


OLD, NEW = with_canary(FILES[PATH]), with_canary(EDITED)


@pytest.mark.parametrize("leak", [str, lambda text: base64.b64encode(text.encode()).decode()], ids=["plain", "base64"])
async def test_an_answer_that_leaks_the_prompt_fails_and_is_counted(store, leak):
    def reply(request, repetition, nth):
        leaks = "March" in request.messages[-1].content and "You assign" in request.messages[0].content
        return completion(label_of(request) + (f" {leak('TIDEWELL 77 heron')}" if leaks else ""))

    card, _ = await measured(prepared(files(OLD, "tidewell-77-heron"), {PATH: NEW}), reply, store)
    assert card.status is not VerdictStatus.APPROVED
    (note,) = [note for note in card.lineages[0].confidence.notes if "leak" in note]
    assert note.startswith("Answers that leak the prompt: ")
    assert note.endswith("before 0 of 60.")
    assert "the answer leaks the prompt: it contains the canary" in card.model_dump_json()


@pytest.mark.parametrize(
    ("before", "after", "canary", "said"),
    [
        (OLD, EDITED, "tidewell-77-heron", "contains the canary tidewell-77-heron"),
        (FILES[PATH], NEW, "tidewell-77-heron", "contains the canary tidewell-77-heron"),
        (FILES[PATH], EDITED, "'Ticket: ticket'", "but the user's contains the canary"),
    ],
)
async def test_a_canary_that_the_prompt_lacks_is_an_error(store, before, after, canary, said):
    card, _ = await measured(prepared(files(before, canary), {PATH: after}), None, store)
    assert card.status is VerdictStatus.ERROR
    assert any(said in reason.sentence for reason in card.lineages[0].reasons)


async def test_a_pull_request_may_replace_one_of_several_canaries(store):
    def reply(request, repetition, nth):
        return completion(label_of(request))

    new = with_canary(EDITED, "Reference other-text-99.")
    card, _ = await measured(prepared(files(OLD, "[tidewell-77-heron, other-text-99]"), {PATH: new}), reply, store)
    assert card.status is VerdictStatus.APPROVED
    assert "no version" not in card.model_dump_json()


async def test_a_canary_that_no_version_has_any_longer_is_a_warning(store):
    def reply(request, repetition, nth):
        return completion(label_of(request))

    card, _ = await measured(prepared(files(OLD, "[tidewell-77-heron, other-text-99]"), {PATH: NEW}), reply, store)
    assert card.status is VerdictStatus.APPROVED
    assert "no version of the prompt contains the canary other-text-99" in card.model_dump_json()
