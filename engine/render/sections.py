"""Renders the parts of the Markdown scorecard from values and a Detail. Encodes everything untrusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.render import figures
from engine.render.diff_lines import near_its_change
from engine.render.encode import code, entities, excerpt, prose
from engine.render.limits import Detail
from engine.render.result_text import (
    change_text,
    class_figures_text,
    confidence_sentences,
    effect_result,
    label_moves,
    moves_text,
    policy_sentences,
    swapped,
)
from engine.render.signs import RESULT_TONES, VERDICT_SIGNS, VERDICT_WORDS
from schemas.diffs import DiffLine, PromptDiff
from schemas.effects import ClassEffect, Confusion, CostEffect, Effect, EffectResult
from schemas.prompts import Finding
from schemas.scorecard import Confidence, LineageCard
from schemas.verdicts import Reason


def table(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    """Returns a GFM table. ``align`` has one letter for each column, ``l`` or ``r``. Cells are already encoded."""
    signs = {"l": "---", "r": "--:"}
    lines = [" | ".join(head), "|".join(signs[a] for a in align), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if number != 1 else f"|{line}|" for number, line in enumerate(lines))


def fold(summary: str, body: str) -> str:
    """Returns a ``<details>`` part. The blank lines make GitHub read ``body`` as Markdown."""
    return "\n\n".join(folded(summary, [body]))


def folded(summary: str, parts: Iterable[str]) -> Iterator[str]:
    """Yields a ``<details>`` part piece by piece, so that a caller can stop once it has too much."""
    yield f"<details><summary>{summary}</summary>"
    yield from parts
    yield "</details>"


def left_out(number: int, what: str) -> str:
    """Returns the line that says how many entries were left out; empty if none were."""
    return f"\n\n{more_text(number, what)}" if number > 0 else ""


def more_text(number: int, what: str) -> str:
    """Returns "… and 5 cases more: see the full report."."""
    return f"… and {figures.plural(number, what)} more: see the full report."


def unbroken(cell: str) -> str:
    """Returns the cell without line breaks."""
    return cell.replace(" ", "&nbsp;")


def result_cell(effect: Effect) -> str:
    """Returns an effect in words that may break after every second word: a phone shows the columns after it too."""
    words = prose(effect_result(effect)).split(" ")
    return " ".join("&nbsp;".join(words[i : i + 2]) for i in range(0, len(words), 2))


def change_cell(effect: Effect | None) -> str:
    """Returns a change that may break before its interval, so that a phone shows both."""
    return unbroken(change_text(effect)).replace("&nbsp;(", " (")


def model_name(card: LineageCard) -> str:
    """Returns the candidate's model, and what it replaces if the pull request swaps it."""
    return prose(swapped(card), 130)


def cost_cell(cost: CostEffect | None) -> str:
    """Baseline → candidate cost per 1,000 cases."""
    if cost is None or (cost.baseline_per_1000 is None and cost.candidate_per_1000 is None):
        return figures.NONE
    return prose(figures.arrow(figures.usd(cost.baseline_per_1000), figures.usd(cost.candidate_per_1000)))


def overview_row(card: LineageCard) -> tuple[str, ...]:
    """Returns the lineage's row of the overview."""
    overall = card.overall
    score = (
        figures.arrow(figures.points(overall.baseline), figures.points(overall.candidate)) if overall else figures.NONE
    )
    return (
        f"{prose(card.lineage, 80)}<br>{model_name(card)}",
        f"{VERDICT_SIGNS[card.status]}&nbsp;{VERDICT_WORDS[card.status]}",
        unbroken(score),
        change_cell(overall),
        unbroken(cost_cell(card.cost)),
        moves_text(card),
    )


OVERVIEW_HEAD = tuple(
    map(unbroken, ("lineage", "verdict", "score", "change (interval)", "cost per 1,000", "better / worse"))
)


def reasons_list(reasons: Sequence[Reason], detail: Detail) -> str:
    """Returns the reasons as a numbered list, in the given order (worst first). A single one is a plain sentence."""
    if len(reasons) == 1:
        return prose(reasons[0].sentence)
    shown = [f"{number}. {prose(r.sentence)}" for number, r in enumerate(reasons[: detail.reasons], 1)]
    return "\n".join(shown) + left_out(len(reasons) - detail.reasons, "reason")


def effects_table(effects: Sequence[Effect], head: str, detail: Detail) -> str:
    """Returns a table of slices or metrics: result, change with interval, scores of both arms. Worse rows first.

    The result comes early: on a phone, only the columns after the change must be scrolled to.
    """
    order = {EffectResult.WORSE: 0, EffectResult.NO_DATA: 1, EffectResult.TOO_FEW_CASES: 2}
    kept = sorted(effects, key=lambda effect: order.get(effect.result, 3))
    rows = []
    for effect in kept[: detail.effects]:
        reading = result_cell(effect)
        rows.append(
            (
                prose((effect.slice if head == "slice" else effect.metric) or "all cases", 60),
                f"**{reading}**" if RESULT_TONES[effect.result] == "bad" else reading,
                change_cell(effect),
                unbroken(figures.arrow(figures.points(effect.baseline), figures.points(effect.candidate))),
                unbroken(figures.cases(effect)),
            )
        )
    heads = (head, "result", "change (interval)", "score", "cases")
    return table(heads, "llrrr", rows) + left_out(len(effects) - detail.effects, head)


def _spread(before: float | None, after: float | None, interval: tuple[float, float] | None) -> str:
    change = figures.arrow(figures.points(before), figures.points(after))
    return change if interval is None else f"{change} ({'–'.join(map(figures.points, interval))})"


def class_table(classes: Sequence[ClassEffect], detail: Detail) -> str:
    """Returns a table with precision, recall and F1 of each class in both arms, and the candidate's intervals."""
    rows = [
        (
            prose(c.label, 40),
            figures.count(c.cases),
            _spread(c.baseline_precision, c.candidate_precision, c.candidate_precision_interval),
            _spread(c.baseline_recall, c.candidate_recall, c.candidate_recall_interval),
            _spread(c.baseline_f1, c.candidate_f1, c.candidate_f1_interval),
        )
        for c in classes[: detail.labels]
    ]
    head = ("class", "cases", "precision", "recall", "F1")
    return table(head, "lrrrr", rows) + left_out(len(classes) - detail.labels, "class")


def confusion_part(confusion: Confusion, detail: Detail) -> str:
    """Returns the confusion matrix with its changes in bold. With many labels, lists only the changes."""
    if len(confusion.labels) > detail.labels:
        moves = label_moves(confusion)
        said = [
            f"- {prose(m.expected, 40)} answered as {prose(m.said, 40)}: {m.before} → {m.after}"
            for m in moves[: detail.labels]
        ]
        more = left_out(len(moves) - detail.labels, "cell")
        return "\n".join(said) + more if said else "Nothing moved between classes."

    def cell(before: float, after: float) -> str:
        was, now = figures.count(before), figures.count(after)
        if was != now:
            return f"**{figures.arrow(was, now)}**"
        return was if before else "·"

    rows = [
        (prose(label, 40), *map(cell, was, now))
        for label, was, now in zip(confusion.labels, confusion.baseline, confusion.candidate, strict=True)
    ]
    head = ("expected ↓ said →", *(prose(column, 40) for column in confusion.columns))
    return table(head, "l" + "r" * len(confusion.columns), rows)


def classes_part(card: LineageCard, detail: Detail) -> str:
    """Returns the changes between classes, folded. Empty without classes, or if ``detail`` shows none."""
    if not detail.labels or not (card.classes or card.confusion):
        return ""
    parts = [class_table(card.classes, detail)] if card.classes else []
    parts += [class_figures_text(card.class_figures)] if card.class_figures else []
    if card.confusion:
        parts.append(
            "A case with different answers is divided among them.\n\n" + confusion_part(card.confusion, detail)
        )
    return fold("What moved between classes", "\n\n".join(parts))


def _marked(line: DiffLine, width: int) -> str:
    """Returns a diff line with its changed words in ``<ins>`` or ``<del>``."""
    tag = {"added": "ins", "removed": "del"}.get(line.kind)
    line = near_its_change(line, width)
    short = excerpt(line.text, width)
    end = len(short.text)
    out, at = [], 0
    for start, stop in line.marks if tag else ():
        if at <= start < stop and start < end:
            before, at = short.text[at:start], min(stop, end)
            out.append(f"{entities(before)}<{tag}>{entities(short.text[start:at])}</{tag}>")
    sign = {"added": "+", "removed": "−", "same": "&#32;"}[line.kind]
    return f"{sign}&#32;{''.join(out)}{entities(short.text[at:])}{short.note}"


def diff_part(diff: PromptDiff, detail: Detail) -> str:
    """Returns the changed settings and lines, with changed words marked."""
    parts = []
    if diff.settings:
        rows = [(prose(n, 60), code(before, 120), code(after, 120)) for n, before, after in diff.settings[:20]]
        parts.append(
            table(("setting", "baseline", "candidate"), "lll", rows) + left_out(len(diff.settings) - 20, "setting")
        )
    lines = [line for number, hunk in enumerate(diff.hunks) for line in ([None] if number else []) + list(hunk.lines)]
    if lines:
        drawn = ["⋯" if line is None else _marked(line, 400) for line in lines[: detail.diff_lines]]
        parts.append(
            f"<pre>{'&#10;'.join(drawn)}</pre>"
            + left_out(max(0, len(lines) - detail.diff_lines) + diff.omitted, "line")
        )
    return "\n\n".join(parts)


def confidence_list(confidence: Confidence, card: LineageCard, detail: Detail) -> str:
    """Returns the slices' policies, checkpoints, repetitions and detectable drops as a list."""
    told = (*policy_sentences(card.slices), *confidence_sentences(confidence, card.latency))
    said = (*told, *confidence.notes[: detail.notes])
    more = left_out(len(confidence.notes) - detail.notes, "note")
    return "\n".join(f"- {prose(sentence)}" for sentence in said) + more


def findings_list(findings: Sequence[Finding], detail: Detail) -> str:
    """Returns warnings as a list: what, where, how to fix."""
    shown = [f"- {prose(str(finding), 400)}" for finding in findings[: detail.notes]]
    return "\n".join(shown) + left_out(len(findings) - detail.notes, "warning")


def warnings_part(findings: Sequence[Finding], detail: Detail) -> str:
    """Returns the warnings, folded; empty if there are none or ``detail`` shows none."""
    if not findings or not detail.notes:
        return ""
    return fold(figures.plural(len(findings), "warning"), findings_list(findings, detail))
