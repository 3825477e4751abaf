"""The scorecard as the fields of a GitHub check run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.render.encode import excerpt, visible
from engine.render.limits import CHECK_FIELD, Detail
from engine.render.links import NO_LINKS, Links
from engine.render.markdown import detail_parts, fitted, footer, summary_parts
from schemas.host import TITLE_LIMIT
from schemas.scorecard import Scorecard
from schemas.values import Value


class CheckText(Value):
    """The texts of a check run. ``summary`` and ``text`` are Markdown within GitHub's limits."""

    title: str
    summary: str
    text: str


def check_text(scorecard: Scorecard, links: Links = NO_LINKS) -> CheckText:
    """Returns the verdict and its reasons in ``summary``, and the lineages in ``text``, each shortened like the
    comment."""

    def summary(detail: Detail, shortened: bool) -> Iterator[str]:
        yield from summary_parts(scorecard, detail, links)
        yield footer(scorecard, links, shortened=shortened)

    return CheckText(
        title=excerpt(visible(scorecard.title), TITLE_LIMIT).text,
        summary=fitted(summary, CHECK_FIELD),
        text=fitted(lambda detail, _: detail_parts(scorecard, detail, links), CHECK_FIELD),
    )
