"""Renders cases as blocks: what went in, what was expected, and what both versions said.

A block wraps on a phone. Texts are quoted as prose, because GitHub doesn't wrap code blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.detection.prompt_diff import changed_words
from engine.render import figures
from engine.render.encode import code, passage, prose
from engine.render.links import Files
from engine.render.result_text import expected_text, score_text
from engine.scorecard.answer_pair import answer_pair
from engine.scorecard.case_effects import EXCERPT
from engine.scorecard.passages import CUT, around, terms_of
from schemas.effects import Answer, CaseEffect, CaseMetric
from schemas.scorecard import LineageCard

SHORT = 60
"""Most characters of a one-line answer that is shown as code, exactly as it was given."""
TOLERATED = 60
"""Characters by which a text may be longer than its limit instead of being cut."""
MOST_LINES = 6
"""Lines of a text, without empty ones."""
MOST_FIELDS = 5
MOST_INPUTS = 8
MOST_GRADES = 6
_CHECKED: dict[float | None, str] = {1.0: "passed", 0.0: "failed"}
Marks = Sequence[tuple[int, int]]


def case_blocks(
    card: LineageCard, files: Files, limit: int, cases: Iterable[CaseEffect], first: int = 1
) -> Iterator[str]:
    """Yields a block for each case, numbered from ``first``. ``limit``: most characters of one text."""
    for number, case in enumerate(cases, first):
        yield f"<b>{number}.</b> {_head(case, card, files)}\n\n{_quote(_body(case, limit))}"


def _quote(paragraphs: Iterator[str]) -> str:
    return "\n>\n".join(f"> {paragraph}" for paragraph in paragraphs)


def _head(case: CaseEffect, card: LineageCard, files: Files) -> str:
    parts = [f"<b>{code(case.id, 60)}</b>", *(prose(name, 40) for name in case.slices[:3])]
    parts += [word for word, holds in (("protected", case.protected), ("new", case.added)) if holds]
    if moved := tally(case):
        parts.append(f"<b>{prose(moved)}</b>")
    path = case.path or card.tests
    if path is not None and case.line is not None:
        parts.append(files.place(path, (case.line, case.line), head=case.added))
    return " · ".join(parts)


def tally(case: CaseEffect) -> str:
    """Returns the results of all runs: ``3/3 → 0/3 right``, or ``87.5 → 56.3 points`` if they are graded."""
    scores = {answer.score for answer in (*case.baseline, *case.candidate)}
    if not case.baseline or not case.candidate or scores == {None}:
        return ""
    if scores <= {0.0, 1.0, None}:
        before, after = (_right(answers) for answers in (case.baseline, case.candidate))
        return f"{figures.arrow(before, after)} right"
    return f"{score_text(case)} points"


def _right(answers: Sequence[Answer]) -> str:
    return f"{sum(answer.count for answer in answers if answer.score == 1):,}/{answers[0].of:,}"


def _body(case: CaseEffect, limit: int) -> Iterator[str]:
    """Yields the paragraphs of a block: short facts share one, long texts have their own."""
    facts = [f"<b>Input</b> {shown}" for shown in [_inputs(case, limit)] if shown]
    fields = [metric for metric in case.metrics if metric.kind == "field"]
    if fields:
        yield "<br>".join([*facts, *_fields(fields)])
        return
    if case.expected is not None:
        facts.append(f"<b>Expected</b> {_text(expected_text(case.expected), limit)}")
    before, after = answer_pair(case)
    said = list(_answers(before, after, limit))
    notes = [*_grades(case.metrics), *_reason(case, after)]
    if all(len(answer.text) <= SHORT for answer in (before, after) if answer is not None):
        yield "<br>".join([*facts, *said, *notes])
        return
    for paragraph in ("<br>".join(facts), *said, "<br>".join(notes)):
        if paragraph:
            yield paragraph


def _inputs(case: CaseEffect, limit: int) -> str:
    """Returns the inputs with their names, or a single one without. Long ones are shortened around what matters."""
    terms = terms_of(
        [expected_text(case.expected), *(answer.text for answer in answer_pair(case) if answer is not None)]
    )
    shown, left = [], limit
    for name, text in case.inputs[:MOST_INPUTS]:
        words = around(text, terms, max(60, left // 2 if len(case.inputs) > 1 else left))
        left = max(0, left - len(words))
        shown.append(passage(words, limit) if len(case.inputs) == 1 else f"{prose(name, 40)}: {passage(words, limit)}")
    more = len(case.inputs) - len(shown)
    return " · ".join([*shown, f"and {figures.plural(more, 'more input')}"] if more else shown)


def _answers(before: Answer | None, after: Answer | None, limit: int) -> Iterator[str]:
    # A stored scorecard of another version may hold megabytes.
    marks: tuple[Marks, Marks] = (
        changed_words(before.text[:EXCERPT], after.text[:EXCERPT]) if before and after else ((), ())
    )
    for name, answer, marked in (("Baseline said", before, marks[0]), ("Candidate says", after, marks[1])):
        if answer is None:
            yield f"<b>{name}</b> <i>no answer</i>"
        else:
            # Texts are rarely the same twice, so their count would say nothing.
            often = f" ({answer.count}/{answer.of})" if answer.of > 1 and len(answer.text) <= SHORT else ""
            yield f"<b>{name}</b>{often} {_text(answer.text, limit, marked)}"


def _text(text: str, limit: int, marks: Marks = ()) -> str:
    """Returns a short line as code, and a longer text as prose with its marked words, from shortly before the first."""
    if len(text) <= SHORT and "\n" not in text:
        return code(text, SHORT)
    start = 0
    # Hardly longer than the note about what was cut.
    limit += TOLERATED if len(text) <= limit + TOLERATED else 0
    if marks and len(text) > limit and marks[0][0] > limit // 2:
        start = text.rfind(" ", 0, marks[0][0] - limit // 4) + 1
    moved = [(first - start, last - start) for first, last in marks]
    return f"{CUT + ' ' if start else ''}{passage(text[start:], _length(text[start:], limit), moved)}"


def _length(text: str, limit: int) -> int:
    """Returns how many characters of ``text`` are shown: whole words within ``limit``, and at most ``MOST_LINES``."""
    end = -1
    for _ in range(MOST_LINES):
        end = text.find("\n", end + 1)
        while text[end + 1 : end + 2] == "\n":
            end += 1
        if end < 0:
            break
    most = min(limit, end if end > 0 else limit)
    # Cut between words, unless the text has none.
    space = text.rfind(" ", most * 3 // 4, most) if most == limit < len(text) else -1
    return space if space > 0 else most


def _fields(fields: Sequence[CaseMetric]) -> Iterator[str]:
    for field in fields[:MOST_FIELDS]:
        expected = code(expected_text(field.expected), 120)
        said = f"baseline {code(field.baseline, 120)}, candidate {code(field.candidate, 120)}"
        yield f"<b>{code(field.name, 60)}</b> expected {expected}: {said}"
    if len(fields) > MOST_FIELDS:
        yield f"and {figures.plural(len(fields) - MOST_FIELDS, 'more field')}"


def _grades(metrics: Sequence[CaseMetric]) -> Iterator[str]:
    """Yields the grades of both answers by dimension, or how they compare, and the checks in which they differ."""
    grades = []
    for metric in metrics:
        if metric.kind == "dimension":
            moved = figures.arrow(metric.baseline or figures.NONE, metric.candidate or figures.NONE)
            grades.append(f"{prose(metric.name, 40)} {prose(moved, 60)}")
    if grades:
        yield f"<b>Grades</b> (1–5) {' · '.join(grades[:MOST_GRADES])}"
    if compared := [f"{prose(one.name, 40)} {prose(one.candidate, 60)}" for one in metrics if one.kind == "preference"]:
        yield f"<b>Compared</b> (the new answer) {' · '.join(compared[:MOST_GRADES])}"
    checks = [metric for metric in metrics if metric.kind in ("check", "metric")]
    for check in checks[:MOST_GRADES]:
        scores = (check.baseline_score, check.candidate_score)
        if check.kind == "check":
            moved = figures.arrow(*(_CHECKED.get(score, figures.NONE) for score in scores))
        else:
            moved = f"{figures.arrow(*map(figures.points, scores))} points"
        yield f"<b>{prose(check.name, 60)}</b> {prose(moved)}"


def _reason(case: CaseEffect, after: Answer | None) -> Iterator[str]:
    """Yields why the candidate's answer lost points, unless expectation and answer say the same."""
    said = after.text if after else ""
    same = f"expected {case.expected[:SHORT]}, said " if isinstance(case.expected, str) else "\n"
    known = case.reason.startswith(same) and said.startswith(case.reason.removeprefix(same))
    if case.reason and not known:
        yield f"<b>Why</b> {passage(case.reason, 400)}"
