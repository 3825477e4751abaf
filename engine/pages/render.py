"""Renders pages from templates. Every inserted text is encoded, and no page loads anything foreign.

The playground alone has a script: it shows scores as they come, and saves what is typed. The page works without it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from engine.pages.plots import day_mark, radar, score_line, stacked, trend
from engine.render.encode import visible
from engine.render.html import Room, page_environment, page_source
from engine.render.patch_block import packed_command

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ROOM = Room(text=240, cases=0, unchanged=0, sections=1, rows=100, diff_lines=300)
"""How much one page shows of everything."""
SHORT_SHA = 7
_WRITTEN = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#2f4f8f"/>'
    '<path d="M4 8.5l2.8 2.8L12 5.4" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


def page(template: str, **values: object) -> str:
    """Returns the page ``template`` with ``values``."""
    return _environment().get_template(f"{template}.html.jinja").render(**({"room": ROOM, "scripted": False} | values))


@cache
def stylesheet() -> str:
    """Returns the style of every page: the report's, and what pages add."""
    return str(page_source("report.css")) + (files("engine.pages.templates") / "pages.css").read_text(encoding="utf-8")


@cache
def stylesheet_name() -> str:
    """Returns a file name that changes with the style, so that browsers may keep it."""
    return f"pages-{hashlib.sha256(stylesheet().encode()).hexdigest()[:12]}.css"


@cache
def script() -> str:
    """Returns the script of the playground."""
    return (files("engine.pages.templates") / "playground.js").read_text(encoding="utf-8")


@cache
def script_name() -> str:
    """Returns a file name that changes with the script."""
    return f"playground-{hashlib.sha256(script().encode()).hexdigest()[:12]}.js"


@cache
def _environment() -> Environment:
    made = page_environment("engine.pages")
    made.filters |= {"moment": moment, "day": day, "sha": lambda text: text[:SHORT_SHA], "typed": typed}
    made.filters |= {"packed_command": packed_command}
    plots = {"radar": radar, "score_line": score_line, "stacked": stacked, "trend": trend, "day_mark": day_mark}
    made.globals |= {**plots, "STYLE": stylesheet_name(), "SCRIPT": script_name()}
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


def typed(text: str) -> Markup:
    """Returns a text for a field that people edit. Line feeds and tabs stay; other invisible signs are written out."""
    from markupsafe import escape

    return escape("\t".join(visible(part, lines=True) for part in text.split("\t")))


def untyped(before: str, text: str) -> str:
    """Returns what was typed over ``before`` as ``typed`` showed it, with the signs that it wrote out as they were."""

    def sign(written: re.Match[str]) -> str:
        character = chr(min(int(written[1], 16), 0x10FFFF))
        return character if character in before and written[0] not in before else written[0]

    return _WRITTEN.sub(sign, text)
