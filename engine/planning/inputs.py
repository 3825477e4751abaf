"""Finds whether inputs of cases reach the requests, and which cases a change reaches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.planning.requests import digests_of
from engine.readers.bounded import shown
from engine.readers.dialects import texts_of, variables_of, written
from engine.readers.guess import without_question
from engine.runner.experiment import ArmPlan
from schemas.outcomes import Arm
from schemas.prompts import PromptFile
from schemas.testsets import CHANGED_REQUESTS, TestCase
from schemas.values import digest_of

FORMS = (
    r"\{{\{{\s*[$.]?{0}\s*\}}\}}",
    r"\$?\{{\s*[$.]?{0}\s*\}}",
    r"%\({0}\)s",
    r"\$\({0}\)",
    r"%{0}%",
    r"<%=?\s*{0}\s*%>",
    r"\[\[\s*{0}\s*\]\]",
    r"<{0}>",
)
"""How other template languages write a variable."""


def unused_inputs(prompts: Sequence[PromptFile], arms: Mapping[Arm, ArmPlan], cases: Sequence[TestCase]) -> str | None:
    """Returns a sentence if no case's input reaches a request, so that all cases are alike; else ``None``.

    Also returns one if the prompt sends a placeholder unfilled, even if it fills others.
    """
    # The candidate first: a mistake that this pull request makes is the more useful message.
    for prompt in prompts[::-1]:
        if (unfilled := _unfilled(prompt, cases)) is not None:
            name, said = unfilled
            return (
                f"{shown(prompt.path)} sends {shown(said)} verbatim, so the input {shown(name)} never reaches "
                f"the model: write {written(prompt.dialect, name)}. If it is meant so, set static: true."
            )
    requests = set(zip(*(digests_of(plan.requests) for plan in arms.values()), strict=True))
    # With equal inputs, equal requests are right and show nothing.
    if len(requests) == 1 and len({digest_of(case.inputs) for case in cases}) > 1:
        names = sorted({name for case in cases for name in case.inputs})
        listed = ", ".join(map(shown, names[:5]))
        return (
            f"All {len(cases)} cases send the same request: the prompt uses none of their inputs ({listed}). "
            f"Write {written(prompts[-1].dialect, names[0])} where the input belongs. "
            "If the prompt takes no input, set static: true."
        )
    return None


def _unfilled(prompt: PromptFile, cases: Sequence[TestCase]) -> tuple[str, str] | None:
    """Returns an input that the prompt doesn't use, and its placeholder in the text."""
    prompt = without_question(prompt)
    texts = texts_of(prompt)
    for name in sorted({name for case in cases for name in case.inputs} - variables_of(prompt)):
        pattern = re.compile("|".join(form.format(re.escape(name)) for form in FORMS))
        if found := next((match for text in texts if (match := pattern.search(text))), None):
            return name, found[0]
    return None


def mark_changed(cases: Sequence[TestCase], identical: Sequence[bool]) -> tuple[TestCase, ...]:
    """Returns the cases. If a change reaches only some of them, puts those into a slice of their own.

    Otherwise the mean over cases with identical requests could hide the effect.
    """
    # The slice would be empty or the same as all cases.
    if all(identical) or not any(identical):
        return tuple(cases)
    return tuple(
        case if same else case.model_copy(update={"slices": tuple(dict.fromkeys((*case.slices, CHANGED_REQUESTS)))})
        for case, same in zip(cases, identical, strict=True)
    )
