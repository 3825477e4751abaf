"""The offline model. It is not a language model, and says so.

It is a small deterministic learner for the demo, for tests and for newcomers without an API key. It reads the *rendered
prompt it is given* (instructions, label definitions, rules, examples, field names, wishes about length and tone, guard
sentences) and answers accordingly. So an edit of a prompt really changes its answers, for better or worse. Its answers
say nothing about a real language model.

There are two sizes: ``offline-small`` (few words, noisy) and ``offline-large`` (more words, steadier). Temperatures
over 0 add seeded noise: the same request and repetition always give the same answer, and another repetition may differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from demo.toy_model.acting import act
from demo.toy_model.classifying import Sorter, classify, learn
from demo.toy_model.dice import Dice
from demo.toy_model.extracting import Form, extract, understand
from demo.toy_model.judging import judge
from demo.toy_model.reading import Manner, Reading, manner, read
from demo.toy_model.sizes import SIZES, Size
from demo.toy_model.words import count_tokens, first_tokens
from demo.toy_model.writing import Brief, commission, compose
from schemas.config import ModelConfig
from schemas.outcomes import Completion, CompletionError, ErrorKind, Finish, Usage
from schemas.prompts import Request

DEFAULT_TEMPERATURE = 1.0
WINDOW = 100_000
"""Most characters that are read: a small context window, like that of small models."""
_EXTRACT = re.compile(r"\b(extract|json)\b", re.IGNORECASE)


def opened(model: ModelConfig, connection: object) -> OfflineProvider:  # noqa: ARG001 - the signature of all providers
    """Opens the toy model, which needs no connection."""
    return OfflineProvider()


class OfflineProvider:
    """Answers without any model, network or key."""

    async def complete(
        self,
        request: Request,
        *,
        repetition: int,
        timeout_s: float,  # noqa: ARG002 - the port's word
    ) -> Completion | CompletionError:
        """Answers at once. The reported latency is derived from the tokens."""
        return answer(request, repetition)

    async def aclose(self) -> None:
        """Does nothing."""


def answer(request: Request, repetition: int) -> Completion | CompletionError:
    """Returns the answer to ``request``, as a pure function of the request and the repetition."""
    size = SIZES.get(request.model)
    if size is None:
        known = ", ".join(SIZES)
        return CompletionError(
            kind=ErrorKind.BAD_REQUEST, message=f"there is no offline model {request.model!r}: use one of {known}"
        )
    told = _told(request)
    if sum(map(len, told)) > WINDOW:
        return CompletionError(
            kind=ErrorKind.BAD_REQUEST, message=f"the offline models read {WINDOW:,} characters at most"
        )
    parameters = request.parameters
    temperature = DEFAULT_TEMPERATURE if parameters.temperature is None else parameters.temperature
    # Seeded by the request, so that a replay and another machine get the same answer.
    dice = Dice(f"{request.digest}:{repetition}", temperature)
    text, calls = act(request, size, dice) if parameters.tools else (_write(request, size, dice), ())
    for stop in parameters.stop:
        text = text.partition(stop)[0]
    written = count_tokens(text) + count_tokens(" ".join(f"{call.name} {call.arguments}" for call in calls))
    finish = Finish.TOOL if calls else Finish.STOP
    if parameters.max_tokens is not None and written > parameters.max_tokens:
        text, written, finish = first_tokens(text, parameters.max_tokens), parameters.max_tokens, Finish.LENGTH
    seen = sum(_tokens(part) + 3 for part in told)
    # Varies, as the latency of a real model does.
    jitter = 0.85 + 0.3 * dice.uniform()
    return Completion(
        text=text,
        finish=finish if text or calls else Finish.EMPTY,
        tool_calls=calls,
        usage=Usage(input=seen, output=written),
        model=request.model,
        latency_s=round((size.first_token_s + seen * 2e-5 + written * size.token_s) * jitter, 4),
    )


def _told(request: Request) -> list[str]:
    """Returns all texts that are read."""
    told = [message.content for message in request.messages]
    return told + [part for step in request.steps for part in (step.text, *step.results, step.user or "")]


_tokens = lru_cache(maxsize=4096)(count_tokens)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the model learned from one prompt version. Read once for all of its cases."""

    manner: Manner
    task: Sorter | Form | Brief


@lru_cache(maxsize=256)
def _lesson(instructions: tuple[str, ...], examples: tuple[tuple[str, str], ...], size: Size) -> Lesson:
    how = manner(instructions)
    told = "\n".join(instructions)
    if brief := commission(instructions):
        return Lesson(how, brief)
    sorter = learn(instructions, examples, size)
    if len(how.keys) > 1 or (_EXTRACT.search(told) and not sorter.labels):
        return Lesson(how, understand(instructions, examples, how, size))
    return Lesson(how, sorter)


def _write(request: Request, size: Size, dice: Dice) -> str:
    if (grades := judge(request, dice, size)) is not None:
        return grades
    reading = read(request.messages)
    lesson = _lesson(reading.instructions, reading.examples, size)
    match lesson.task:
        case Brief():
            return compose(lesson.task, lesson.manner, reading, dice, size)
        case Form():
            return extract(lesson.task, lesson.manner, reading, dice, size)
        case Sorter():
            return classify(lesson.task, lesson.manner, reading, dice, size)


__all__ = ["SIZES", "OfflineProvider", "Reading", "answer", "opened"]
