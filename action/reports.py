"""The files of a run: the scorecard as JSON, as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.render.links import Links
    from schemas.scorecard import Scorecard

REPORTS = ("scorecard.json", "scorecard.md", "report.html")


def reports(scorecard: Scorecard, links: Links) -> dict[str, Iterable[str]]:
    """Returns ``REPORTS``, each as the parts of its text."""
    from engine.render.html import html_report
    from engine.render.json import scorecard_json_parts
    from engine.render.limits import JOB_SUMMARY
    from engine.render.markdown import markdown

    # In the order of REPORTS.
    parts = (
        scorecard_json_parts(scorecard),
        (markdown(scorecard, JOB_SUMMARY, links),),
        (html_report(scorecard, links=links),),
    )
    return dict(zip(REPORTS, parts, strict=True))


def write_reports(folder: Path, texts: Mapping[str, Iterable[str]]) -> None:
    """Writes files, each from the parts of its text. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in texts.items():
        with (folder / name).open("w", encoding="utf-8") as file:
            file.writelines(parts)
