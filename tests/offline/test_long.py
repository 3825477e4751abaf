"""A prompt of a pull request may be as long and as odd as it likes: it is read in bounded time, or refused."""

import time

import pytest

from demo.toy_model import WINDOW, answer
from demo.toy_model.reading import read
from schemas.outcomes import CompletionError, ErrorKind
from schemas.prompts import Message, Parameters, Request

TASKS = (
    "Answer with the label only: billing or refunds. ",
    "Extract JSON from the text. ",
    "Write a friendly letter. ",
)


def asked(system, user="I was charged twice."):
    messages = (Message(role="system", content=system), Message(role="user", content=user))
    return Request(
        provider="offline", origin="offline:", model="offline-small", messages=messages,
        parameters=Parameters(max_tokens=100),
    )  # fmt: skip


@pytest.mark.parametrize("filler", ["ignore ", "label ", "<a>", "x", "- a: b\n"])
@pytest.mark.parametrize("task", TASKS)
def test_the_longest_line_that_is_read_takes_seconds(task, filler):
    long = (filler * WINDOW)[: WINDOW - 200]
    started = time.process_time()
    answer(asked(task + long), 0)
    answer(asked(task, long), 0)
    assert time.process_time() - started < 5


def test_a_mebibyte_is_refused_at_once():
    started = time.process_time()
    refused = answer(asked("ignore " * 150_000), 0)
    assert isinstance(refused, CompletionError)
    assert refused.kind is ErrorKind.BAD_REQUEST
    assert "100,000 characters" in refused.message
    assert time.process_time() - started < 0.5


def test_tags_are_read_up_to_the_last_one_that_closes_them():
    content = "Sort this. <ticket>refund </ticket> me</ticket> and <note>now</note> <b>"
    reading = read(asked(TASKS[0], content).messages)
    assert reading.inputs == {"ticket": "refund </ticket> me", "note": "now"}
    assert reading.instructions[1].split() == ["Sort", "this.", "and", "<b>"]
