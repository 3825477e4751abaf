"""Renders pages from templates. Every inserted text is encoded; no page has a script or loads anything foreign."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from engine.pages.plots import day_mark, radar, score_line, stacked, trend
from engine.render.html import Room, page_environment, page_source

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ROOM = Room(text=240, cases=0, unchanged=0, sections=1, rows=100, diff_lines=300)
"""How much one page shows of everything."""
SHORT_SHA = 7
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#2f4f8f"/>'
    '<path d="M4 8.5l2.8 2.8L12 5.4" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


def page(template: str, **values: object) -> str:
    """Returns the page ``template`` with ``values``."""
    return _environment().get_template(f"{template}.html.jinja").render(room=ROOM, **values)


@cache
def stylesheet() -> str:
    """Returns the style of every page: the report's, and what pages add."""
    return str(page_source("report.css")) + (files("engine.pages.templates") / "pages.css").read_text(encoding="utf-8")


@cache
def stylesheet_name() -> str:
    """Returns a file name that changes with the style, so that browsers may keep it."""
    return f"pages-{hashlib.sha256(stylesheet().encode()).hexdigest()[:12]}.css"


@cache
def _environment() -> Environment:
    made = page_environment("engine.pages")
    made.filters |= {"moment": moment, "day": day, "sha": lambda text: text[:SHORT_SHA]}
    plots = {"radar": radar, "score_line": score_line, "stacked": stacked, "trend": trend, "day_mark": day_mark}
    made.globals |= {**plots, "STYLE": stylesheet_name()}
    return made


def moment(at: datetime | None) -> Markup | str:
    """Returns a moment in UTC: ``2026-11-21 12:04 UTC``."""
    return _time(at, "%Y-%m-%d %H:%M UTC")


def day(at: datetime | None) -> Markup | str:
    """Returns a day in UTC: ``21 Nov 2026``."""
    return _time(at, "%-d %b %Y")


def _time(at: datetime | None, form: str) -> Markup | str:
    from markupsafe import Markup

    if at is None:
        return "–"
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), utc.strftime(form))
