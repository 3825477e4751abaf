"""What the bot answers, as Markdown: one comment for one command. Everything quoted is hostile and is encoded. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from bot.commands.grammar import USAGE, Help
from bot.commands.patches import Patch
from engine.render import figures
from engine.render.encode import code, prose, visible
from engine.render.limits import COMMENT
from engine.render.markdown import link
from engine.render.readings import expected_text
from engine.render.sections import Detail, answers_cell, fold, table
from engine.render.signs import VERDICT_SIGNS, VERDICT_WORDS
from schemas.experiments import ExperimentRecord
from schemas.scorecard import CaseEffect, CaseReading, LineageCard

ANSWER = "<!-- prompt-verdict-answer"
"""How the first line of an answer starts; the command's comment id follows. It isn't the scorecard's marker."""
MOST_RUNS = 12
"""Runs of one case that are listed."""
ENOUGH = "Further commands of yours are acknowledged here, and not answered: ask somebody with write permission."
_DETAIL = Detail(20, 20, 20, worse=20, better=20, text=1_500, effects=20, labels=10, diff_lines=40, reasons=10, notes=5)


def marker(comment_id: int) -> str:
    """What the answer to this comment starts with."""
    return f"{ANSWER} {comment_id}"


def answer_body(comment_id: int, author: str, url: str, text: str) -> str:
    """The whole comment: the marker, whom it answers, the answer; cut where GitHub would refuse it."""
    start = f"{marker(comment_id)} -->\n{link('Answer', url)} to {code(author)}:\n\n"
    body = f"{start}{text}\n"
    if COMMENT.hold(body):
        return body
    return f"{start}{prose('The answer is longer than a comment may be: see the report.')}\n"


def said(*sentences: str) -> str:
    """Sentences of ours that may quote untrusted names between backticks."""
    return prose(" ".join(sentences), 2_000)


def help_text(asked: Help) -> str:
    """What was wrong, and every command."""
    wrong = [prose(f"That is no command: {asked.why}. Nothing was done.", 400)] if asked.why else []
    lines = []
    for verb, usage in USAGE.items():
        lines.append(f"- {code(f'/verdict {usage}', 200)}: {prose(_MEANS[verb])}")
    rest = prose("A command is the first line of a new comment: edits and quotations don't count.")
    return "\n\n".join([*wrong, "\n".join(lines), rest])


_MEANS = {
    "rerun": "evaluate the head once more (write permission); what is stored isn't paid again",
    "approve": "accept the verdict that is shown, for 7 days or until something that matters changes "
    "(write permission, without a part in the pull request); an error is never accepted",
    "approve-run": "measure exactly this head of a fork (write permission)",
    "protect": "get the patch that marks a case: a confirmed failure of it blocks by itself",
    "add-case": "get the patch that adds a case to a test set",
    "explain": "what both prompts said to a case, run by run",
    "help": "this list",
}


def approved(reason: str, sha: str, until: datetime, *, second: bool = False) -> str:
    """An override was noted. ``second``: another person has to accept as well."""
    more = "A bot may hide one of the people behind this pull request, so a second person has to accept it too. "
    return said(
        *([more] if second else []),
        f"Accepted for `{sha[:12]}` until {until:%Y-%m-%d %H:%M} UTC, as long as nothing that matters changes: "
        f"the check says so, and the audit log keeps who, when and why. Reason: {reason}",
    )


def patch_text(patch: Patch, what: str, sha: str) -> str:
    """A patch to be applied to the head, in a form that survives a comment."""
    intro = said(f"{what} Against `{sha[:12]}`; copy it, then `git apply` and paste, on the pull request's branch.")
    shown = f'<pre lang="diff">{_exact(patch.text)}</pre>'
    if _survives(patch.text):
        return f"{intro}\n\n{shown}"
    packed = base64.b64encode(patch.text.encode()).decode()
    command = f"<pre>{_exact(f'echo {packed} | base64 -d | git apply')}</pre>"
    why = said("The file has characters that a comment can't carry (line ends or invisible ones), so as one command:")
    readable = fold("What it changes", f'<pre lang="diff">{_exact(visible(patch.text, lines=True))}</pre>')
    return f"{said(what)} {said(f'Against `{sha[:12]}`.')}\n\n{why}\n\n{command}\n\n{readable}"


def _survives(text: str) -> bool:
    plain = text.replace("\t", "")
    return visible(plain, lines=True) == plain


def _exact(text: str) -> str:
    """Every sign as an entity: nothing of it is Markdown or HTML, and what is copied is what was written."""
    return "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)


def explained(found: Sequence[tuple[LineageCard, CaseEffect]], records: Sequence[ExperimentRecord], sha: str) -> str:
    """What both arms said to a case, by lineage."""
    parts = [said(f"On `{sha[:12]}`:")]
    for card, case in found:
        parts.append(
            f"### {VERDICT_SIGNS[card.status]} {prose(card.lineage, 80)} · {code(card.model, 80)}: "
            f"{VERDICT_WORDS[card.status]}"
        )
        slices = ", ".join(code(name, 60) for name in case.slices[:10])
        facts = [
            f"{code(case.id, 120)}: **{prose(READING_WORDS_OF_CASE[case.reading])}**",
            *(["protected"] if case.protected else []),
            *([f"slices {slices}"] if slices else []),
            *([f"change {prose(figures.change(case.change))}"] if case.change is not None else []),
        ]
        parts.append(" · ".join(facts))
        if case.reason:
            parts.append(prose(case.reason))
        rows = [
            ("expected", code(expected_text(case.expected), 1_500) if case.expected is not None else figures.NONE),
            ("baseline said", answers_cell(case.baseline, _DETAIL)),
            ("candidate says", answers_cell(case.candidate, _DETAIL)),
        ]
        parts.append(table(("", ""), "ll", rows))
        counted = [reason for reason in card.reasons if case.id in reason.cases]
        if counted:
            parts.append("It counts in: " + "; ".join(prose(reason.sentence, 300) for reason in counted[:5]))
        parts += _runs(card, case, records)
    return "\n\n".join(parts)


READING_WORDS_OF_CASE = {
    CaseReading.IMPROVED: "got better",
    CaseReading.REGRESSED: "got worse",
    CaseReading.FLAKY: "moved, but not reliably",
    CaseReading.SAME: "as before",
    CaseReading.MISSING: "could not be measured in both arms",
    CaseReading.NOT_RUN: "did not have to run",
}


def _runs(card: LineageCard, case: CaseEffect, records: Sequence[ExperimentRecord]) -> list[str]:
    """Every run's score, from the stored experiment."""
    for record in records:
        index = next((n for n, known in enumerate(record.cases) if known.id == case.id), None)
        if (record.lineage, record.model) != (card.lineage, card.model) or index is None or not record.metrics:
            continue
        lines = []
        for arm, name in ((0, "baseline"), (1, "candidate")):
            scores = [
                figures.NONE if cell.scores is None or cell.scores[0] is None else figures.points(cell.scores[0])
                for cell in sorted(record.outcomes, key=lambda cell: cell.repetition)
                if (cell.case, cell.arm) == (index, arm)
            ]
            more = f" … (+{len(scores) - MOST_RUNS})" if len(scores) > MOST_RUNS else ""
            if scores:
                lines.append(f"{name} {', '.join(scores[:MOST_RUNS])}{more}")
        if lines:
            return [prose(f"{record.metrics[0].name}, run by run (points): {'; '.join(lines)}.")]
    return []
