"""Renders the scorecard as one self-contained HTML file that loads nothing and works without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from engine.detection.prompt_diff import changed_words
from engine.render import figures, plots, result_text, signs
from engine.render.encode import excerpt, html_for_logs, visible
from engine.render.explanation import explanation_sentences, patches
from engine.render.limits import REPORT, Limits
from engine.render.links import NO_LINKS, Links
from engine.render.markdown import (
    full_title,
    saved_text,
    spending_text,
)
from engine.render.side_by_side import side_by_side
from engine.render.what_now import merge_answer, what_now, without_fix
from engine.scorecard.answer_pair import answer_pair
from engine.scorecard.case_order import CASE_ORDER, needs_look_first
from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.outcomes import Arm
from schemas.scorecard import LineageCard, Scorecard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@dataclass(frozen=True)
class Room:
    """How much of everything is shown: one level of detail of the report."""

    text: int
    """Most characters of one answer."""
    cases: int
    """Most rows of cases that need a look."""
    unchanged: int
    """Most rows of cases with the same result in both versions."""
    sections: int
    """Most lineages with a section."""
    rows: int = 1_000
    """Most lineages in the overview."""
    diff_lines: int = 2_000


LADDER = (
    Room(4_000, 100_000, 100_000, 1_000),
    Room(4_000, 100_000, 300, 1_000),
    Room(1_500, 100_000, 300, 1_000),
    Room(1_500, 100_000, 100, 1_000),
    Room(500, 100_000, 100, 1_000),
    Room(200, 100_000, 20, 1_000),
    Room(120, 1_500, 0, 1_000, diff_lines=500),
    Room(80, 500, 0, 500, diff_lines=200),
    Room(80, 60, 0, 200, diff_lines=100),
    Room(60, 20, 0, 60, diff_lines=60),
    Room(60, 5, 0, 30, diff_lines=20),
    Room(60, 5, 0, 10, rows=500, diff_lines=20),
)
"""Levels of detail, from everything to the essentials. Counts are exact on every level."""
WHOLE = 6
"""Levels that show every case that needs a look."""


def html_report(scorecard: Scorecard, limits: Limits = REPORT, links: Links = NO_LINKS) -> str:
    """Returns the report within ``limits``. Scripts only sort, filter and switch the theme."""
    template = page_environment().get_template("report.html.jinja")
    style, script = page_source("report.css"), page_source("report.js")
    text, factor = "", 1.0
    for rung, room in enumerate(LADDER):
        least = _least_size(scorecard, room)
        if rung + 1 < len(LADDER) and factor * least > limits.characters:
            continue
        page = template.render(
            card=scorecard,
            heading=signs.verdict_words(scorecard.status, scorecard.lineages, scorecard.reasons).capitalize(),
            saved=saved_text(scorecard.spending),
            room=room,
            links=links,
            style=style,
            script=script,
            policy=page_policy(style, script),
            cost_plot=plots.cost_plot(scorecard.lineages),
            shortened=rung >= WHOLE,
        )
        text = html_for_logs(page)
        if limits.hold(text):
            break
        # The next levels probably exceed their bounds as much as this one did. Each costs seconds if prompts are many.
        factor = 0.75 * len(text) / max(1, least)
    return text


def _least_size(scorecard: Scorecard, room: Room) -> int:
    """Returns a lower bound of the report's size in characters, so that levels that can't fit are not rendered."""
    return sum(
        sum(
            400
            + sum(min(room.text, len(answer.text)) for answer in (*case.baseline[:3], *case.candidate[:3]))
            + sum(min(room.text, len(text)) for _, text in case.inputs)
            for case in shown_cases(card, room)
        )
        for card in scorecard.lineages[: room.sections]
    )


def page_policy(style: str, script: str) -> str:
    """Returns a content security policy that allows only this style and this script."""
    allowed = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src {allowed[0]}; script-src {allowed[1]}; "
        "base-uri 'none'; form-action 'none'; object-src 'none'"
    )


@cache
def page_environment(*packages: str) -> Environment:
    """Returns the templates of pages, which escape every text. ``packages`` have more of them."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        """Returns the value of each ``{{ … }}`` before it is escaped."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in (*packages, "engine.render")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    made.filters |= {
        "points": figures.points,
        "change": figures.change,
        "interval": figures.interval,
        "usd": figures.usd,
        "compared": figures.cases,
        "share": figures.share,
        "percent": figures.percent,
        "number": figures.count,
        "seconds": figures.seconds,
        "plural": figures.plural,
        "sentence": sentence,
        "pre": pre,
        "lines": lines,
        "breakable": breakable,
        "tabbed": "\t".join,
        "signed": figures.signed,
        "dollars": dollars,
        "address": address,
        "expected": result_text.expected_text,
    }
    made.globals |= {
        "NONE": figures.NONE,
        "TICKS": plots.TICKS,
        "RESULT_ORDER": {name: place for place, name in enumerate(CASE_ORDER)},
        "VerdictStatus": VerdictStatus,
        "Arm": Arm,
        "answer_rows": answer_rows,
        "arrow": figures.arrow,
        "case_groups": result_text.case_groups,
        "class_figures_text": result_text.class_figures_text,
        "explanation_sentences": explanation_sentences,
        "patches": patches,
        "cost_sentence": result_text.cost_sentence,
        "diff_title": result_text.diff_title,
        "effect_result": result_text.effect_result,
        "interval_text": result_text.interval_text,
        "full_title": full_title,
        "heat": plots.heat,
        "moves_text": result_text.moves_text,
        "shown_cases": shown_cases,
        "cases_title": cases_title,
        "side_by_side": side_by_side,
        "signs": signs,
        "spending_text": spending_text,
        "strip": plots.strip,
        "confidence_sentences": result_text.confidence_sentences,
        "policy_sentences": result_text.policy_sentences,
        "swapped": result_text.swapped,
        "unsure_title": result_text.unsure_title,
        "unusual_answers": result_text.unusual_answers,
        "merge_answer": merge_answer,
        "what_now": what_now,
        "without_fix": without_fix,
    }
    return made


MOVED = (CaseOutcome.REGRESSED, CaseOutcome.FLAKY, CaseOutcome.IMPROVED)


def shown_cases(card: LineageCard, room: Room) -> list[CaseEffect]:
    """Returns the cases with a row: those that need attention first, protected ones before others, then the test set's
    order. Cases that did not run have none."""
    ran = [case for case in card.cases if case.result is not CaseOutcome.NOT_RUN]
    moved = [case for case in ran if case.result is not CaseOutcome.NO_CHANGE]
    moved.sort(key=needs_look_first)
    same = [case for case in ran if case.result is CaseOutcome.NO_CHANGE]
    return [*moved[: room.cases], *same[: room.unchanged]]


def cases_title(card: LineageCard, shown: int) -> str:
    """Returns ``120 of 20,000, those that need a look first``: the rows and the test set's cases."""
    number = f"{len(card.cases):,}" if shown == len(card.cases) else f"{shown:,} of {len(card.cases):,}"
    return f"{number}, those that need a look first"


def answer_rows(case: CaseEffect, arm: Arm, limit: int) -> list[tuple[Answer, list[tuple[str, bool]]]]:
    """Returns an arm's answers, each with its text in pieces that are marked as changed words or not.

    Only the answers that differ most are compared, of cases that changed.
    """
    pair = answer_pair(case)
    marks: tuple[Sequence[tuple[int, int]], ...] = ((), ())
    if pair[0] is not None and pair[1] is not None and case.result in MOVED:
        marks = changed_words(pair[0].text[:limit], pair[1].text[:limit])
    shown, marked = (pair[0], marks[0]) if arm is Arm.BASELINE else (pair[1], marks[1])
    answers = case.baseline if arm is Arm.BASELINE else case.candidate
    return [(answer, _pieces(answer.text, marked if answer is shown else (), limit)) for answer in answers]


def _pieces(text: str, marks: Sequence[tuple[int, int]], limit: int) -> list[tuple[str, bool]]:
    short = excerpt(text, limit)
    pieces, at = [], 0
    for start, stop in marks:
        pieces += [(short.text[at:start], False), (short.text[start:stop], True)]
        at = stop
    return [piece for piece in (*pieces, (short.text[at:] + short.note, False)) if piece[0]]


@cache
def page_source(name: str) -> Markup:
    """Returns a style or script of this package, unescaped."""
    from markupsafe import Markup

    made = page_environment()
    assert made.loader is not None
    return Markup(made.loader.get_source(made, name)[0])  # noqa: S704 - package data


def sentence(text: str, limit: int = 1_000) -> Markup:
    """Returns an escaped sentence, with text in backticks as ``<code>``."""
    from markupsafe import Markup, escape

    short = excerpt(text, limit)
    parts = visible(short.text).split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    tag = Markup("<code>{}</code>")
    out = [tag.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)]
    return Markup("").join([*out, escape(short.note)])


def breakable(text: str) -> Markup:
    """Returns a name that may break after its separators: ``technical_`` ``support``."""
    from markupsafe import Markup, escape

    return escape(visible(excerpt(text, 80).text)).replace("_", Markup("_<wbr>")).replace("-", Markup("-<wbr>"))


def lines(text: str) -> Markup:
    """Returns escaped text with its line breaks."""
    from markupsafe import escape

    return escape(visible(text, lines=True))


def pre(text: str, limit: int) -> Markup:
    """Returns escaped text with its line breaks, at most ``limit`` characters."""
    from markupsafe import escape

    short = excerpt(text, limit)
    return escape(visible(short.text, lines=True) + short.note)


def dollars(amount: float) -> str:
    """Returns a round number of dollars on an axis: ``$2``, ``$0.50``, ``$0.005``."""
    return f"${amount:g}" if amount < 0.01 or float(amount).is_integer() else f"${amount:.2f}"


def address(link: str | None) -> str | None:
    """Returns a web address, or ``None`` for anything that isn't one (``javascript:``, ``data:`` …)."""
    return link if link is not None and link.startswith(("https://", "http://")) else None
