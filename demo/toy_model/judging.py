"""Grades an answer by a rubric, or compares two, by measurable properties: length, layout, hype, use of the task.

It recognizes the questions of evaluators/generation.py and evaluators/pairwise.py: a JSON Schema named ``grades`` or
``preferences`` with a property for each dimension, and a message with ``# Rubric``, ``# Task`` and the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from demo.toy_model.dice import Dice
from demo.toy_model.reading import injections
from demo.toy_model.sizes import Size
from demo.toy_model.words import stems
from schemas.prompts import Request

_DIMENSION = re.compile(r"^## (\S+)\n(.*?)(?=^## |^# |\Z)", re.MULTILINE | re.DOTALL)
_TASK = re.compile(r"<task-(\w+)>\n(.*)\n</task-\1>", re.DOTALL)
_REFERENCE = re.compile(r"<reference-(\w+)>\n(.*)\n</reference-\1>", re.DOTALL)
_ANSWER = re.compile(r"<answer-(\w+)>\n(.*)\n</answer-\1>", re.DOTALL)
_ANCHOR = re.compile(r"^([1-5]): .*?(\d+) words", re.MULTILINE)
_HYPE = re.compile(
    r"!|\b(revolution\w+|game-?changer|amazing|incredible|best-in-class|cutting-edge|huge|unique opportunity|ultimate|"
    r"extremely excited|next level|left behind|miss out|limited time|act now|guarantee\w*)\b",
    re.IGNORECASE,
)
_WARM = re.compile(
    r"\b(I read|I saw|I noticed|thought of you|thank|happy to|would|shall|if you|enjoyed|curious)\b", re.IGNORECASE
)
_HARD_NEWS = re.compile(
    r"\b(passed away|died|laid off|layoffs?|had to close|burglary|fire\b|flood\w*|insolven\w*|illness)", re.IGNORECASE
)
_SIGNED = re.compile(
    r"\n\s*(best|kind|warm)?\s*(regards|wishes|best|thanks|cheers|warmly|sincerely)\b[^\n]{0,20},?\s*\n\s*\S+",
    re.IGNORECASE,
)
_GREETED = re.compile(r"^\s*(hi|hello|dear|good (morning|day))\b[^\n]{0,60}$", re.IGNORECASE | re.MULTILINE)

DEFAULT_LIMITS = {5: 90, 4: 120, 3: 160, 2: 220}
"""Word limits of the grades of brevity, if the rubric names none."""


@dataclass(frozen=True, slots=True)
class Material:
    """The material of a judge."""

    task: str
    reference: str
    answer: str
    rubric: str
    """The text of the dimension."""


Finding = tuple[float, str]
"""An unrounded grade and its reason."""


_COMPARED = re.compile(r"<answer-[ab]-(\w+)>\n(.*?)\n</answer-[ab]-\1>", re.DOTALL)
NOTICED = 0.5
"""Smallest difference, in unrounded grades, that a comparison tells."""


def judge(request: Request, dice: Dice, size: Size) -> str | None:
    """Returns grades or preferences for every dimension of the rubric as JSON, or ``None`` if the request is not for a
    judge."""
    schema = request.parameters.json_schema
    name = None if schema is None else schema.get("name")
    if name not in ("grades", "preferences"):
        return None
    question = request.messages[-1].content
    answers = [text for _, text in (_ANSWER if name == "grades" else _COMPARED).findall(question)] or [""]
    first, *others = (_grades(question, answer, dice, size) for answer in answers)
    replies = {
        dimension: _preference(first[dimension], others[0][dimension])
        if others
        else {"reason": reason, "grade": max(1, min(5, round(grade)))}
        for dimension, (grade, reason) in first.items()
    }
    return json.dumps(replies, ensure_ascii=False)


def _preference(first: Finding, second: Finding) -> dict[str, str]:
    apart = first[0] - second[0]
    better = "same" if abs(apart) < NOTICED else "A" if apart > 0 else "B"
    return {"reason": f"A: {first[1]} B: {second[1]}", "better": better}


def _grades(question: str, answer: str, dice: Dice, size: Size) -> dict[str, Finding]:
    """Returns an unrounded grade and its reason for each dimension."""
    task, reference = (found[2] if (found := part.search(question)) else "" for part in (_TASK, _REFERENCE))
    rubric = question.split("\n# Task\n", 1)[0]
    fooled = bool(injections(answer))
    grades = {}
    for name, described in _DIMENSION.findall(rubric):
        grade, reason = _measure(name)(Material(task, reference, answer, described))
        if fooled:
            grade, reason = min(grade, 2.0), "The answer speaks to the one who grades it."
        if dice.temperature > 0:
            grade += (dice.uniform() - 0.5) * size.noise * 2 * dice.temperature
        grades[name] = grade, reason
    return grades


def _measure(name: str) -> Callable[[Material], Finding]:
    for words, measure in (
        (("brevity", "length", "concise", "short"), _brevity),
        (("tone", "voice", "style", "fluency"), _tone),
        (("personal", "relevance", "specific"), _personalisation),
        (("format", "layout", "structure", "coherence"), _formatting),
        (("similar", "correct", "accura"), _similarity),
        (("ground", "faithful", "honest"), _groundedness),
    ):
        if any(word in name.lower() for word in words):
            return measure
    return _personalisation


def _brevity(material: Material) -> Finding:
    words = len(material.answer.split())
    named = {int(grade): int(limit) for grade, limit in _ANCHOR.findall(material.rubric)}
    limits = sorted((named or DEFAULT_LIMITS).items(), reverse=True)
    grade = next((float(grade) for grade, limit in limits if words <= limit), 1.0)
    above = [limit for g, limit in limits if g == grade]
    if above and words > 0.93 * above[0]:
        grade -= 0.3
    return grade, f"It has {words} words."


def _tone(material: Material) -> Finding:
    hype, warm = len(_HYPE.findall(material.answer)), len(_WARM.findall(material.answer))
    grade = 4.0 - 0.55 * hype + 0.35 * min(warm, 3)
    if _HARD_NEWS.search(material.task) and _HARD_NEWS.search(material.answer):
        return min(grade, 1.6), "It makes an opening out of somebody's bad news."
    return grade, f"{hype} signs of hype, {warm} of a person talking to a person."


def _personalisation(material: Material) -> Finding:
    answer = set(stems(material.answer))
    try:
        inputs = json.loads(material.task)
    except ValueError:
        inputs = material.task
    parts = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    shares = []
    for part in parts:
        said = set(stems(str(part)))
        if said:
            shares.append(len(said & answer) / len(said))
    taken = sum(share >= 0.5 for share in shares)
    grade = 6.0 * taken / len(shares) - 1.0 if shares else 1.0
    return grade, f"It takes up {taken} of {len(shares)} things known."


def _formatting(material: Material) -> Finding:
    text = material.answer
    there = {
        "a subject": text.lstrip().lower().startswith("subject:"),
        "a greeting": bool(_GREETED.search(text)),
        "paragraphs": 3 <= len([part for part in text.split("\n\n") if part.strip()]) <= 8,
        "a sign-off": bool(_SIGNED.search(text)),
    }
    missing = [part for part, found in there.items() if not found]
    return 5.0 - len(
        missing
    ), f"Missing: {', '.join(missing)}." if missing else "Subject, greeting, paragraphs and sign-off."


def _similarity(material: Material) -> Finding:
    wanted, said = set(stems(material.reference or material.task)), set(stems(material.answer))
    shared = 2 * len(wanted & said) / (len(wanted) + len(said)) if wanted or said else 0.0
    return 1.0 + 4.0 * min(1.0, 1.3 * shared), f"{round(100 * shared)}% of the words that matter are shared."


def _groundedness(material: Material) -> Finding:
    known, said = set(stems(material.task)), set(stems(material.answer))
    share = len(known & said) / len(said) if said else 0.0
    return 1.0 + 4.0 * min(1.0, 1.5 * share), f"{round(100 * share)}% of what it says stands in the task."
