"""Two measured versions of a prompt: how text, scores, and answers to the same cases differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bot.pages import addresses
from bot.pages.addresses import with_query
from bot.pages.context import Page
from bot.pages.views.case import Pieces, pieces_of
from bot.pages.views.crumbs import of_repository
from bot.pages.views.filters import FilterGroup, FilterLink
from engine.detection.prompt_diff import diff_prompts
from engine.render.figures import plural
from schemas.prompts import PromptFile

if TYPE_CHECKING:
    from bot.pages.context import Context
    from bot.store.compare_records import ComparedCase, ComparedCounts, Kind
    from bot.store.page_values import KeptVersion, VersionRow
    from schemas.diffs import PromptDiff
    from schemas.effects import CaseEffect

CASES = 25
TEXT = 600
"""Most characters of one answer."""
KINDS: tuple[Kind, ...] = ("worse", "better", "same")


@dataclass(frozen=True)
class Side:
    """One of the two versions."""

    side: str
    version: VersionRow
    run_address: str


@dataclass(frozen=True)
class CaseLine:
    """One case in both versions."""

    case_id: str
    address: str
    slices: tuple[str, ...]
    before: Pieces
    after: Pieces
    score_before: float | None
    score_after: float | None


def compare(context: Context) -> Page | None:
    """Compares the experiments ``from`` and ``to``."""
    repo, lineage_id = context.repository, context.path["lineage"]
    at = repo.repository_id
    ids = (context.number("from") or 0, context.number("to") or 0)
    known = context.records.experiment_rows(at, lineage_id, tuple(dict.fromkeys(ids)))
    page = context.records.lineage_page(at, lineage_id, context.bounds(0), merged=False)
    if page is None or any(one not in known for one in ids):
        return None
    before, after = known[ids[0]], known[ids[1]]
    base = f"{addresses.lineage(at, lineage_id)}/compare"
    counts = context.records.compared_counts(*ids)
    values: dict[str, object] = {
        "lineage": page.name,
        "pair": [
            Side(side, one, addresses.experiment(at, one.run_sequence, one.experiment_id))
            for side, one in (("from", before), ("to", after))
        ],
        "slices": _slices(before, after),
        "diff": _diff(context, lineage_id, before, after),
        "counts": counts,
        "github": context.github,
    }
    values |= _cases(context, base, counts, after)
    crumbs = (*of_repository(repo), (page.name, addresses.lineage(at, lineage_id)), ("Compare", None))
    return Page("compare", f"{page.name}: two versions", values, crumbs)


def _slices(before: VersionRow, after: VersionRow) -> list[tuple[str, float | None, float | None]]:
    old = {one.slice: one.candidate for one in before.slices}
    new = {one.slice: one.candidate for one in after.slices}
    return [(name, old.get(name), new.get(name)) for name in dict.fromkeys([*new, *old])]


def _diff(context: Context, lineage_id: int, before: VersionRow, after: VersionRow) -> PromptDiff | None:
    ids = [one.version_id for one in (before, after) if one.version_id is not None]
    found = context.records.versions(context.repository.repository_id, lineage_id, ids)
    prompts = [prompt for version in found if (prompt := _prompt(version)) is not None]
    return diff_prompts(*prompts) if len(prompts) == 2 else None


def _prompt(version: KeptVersion) -> PromptFile | None:
    """Reads the prompt of a stored version; ``None`` for one of another version of this program."""
    try:
        content = json.loads(version.content)
        known = {name: content[name] for name in ("dialect", "messages", "included", "parameters")}
        return PromptFile.model_validate({**known, "path": version.path, "format": "stored", "model": version.model})
    except (ValueError, ValidationError, KeyError, TypeError):
        return None


def _cases(context: Context, base: str, counts: ComparedCounts | None, after: VersionRow) -> dict[str, object]:
    if counts is None:
        return {"cases": [], "filters": [], "cases_title": "", "older": None, "newest": None}
    ids = {"from": context.number("from"), "to": context.number("to")}
    asked = [one for one in KINDS if one == context.query.get("kind")]
    kind: Kind = next(iter([*asked, *(one for one in KINDS if getattr(counts, one))]), "same")
    beyond = context.number("after")
    found = context.records.compared_cases(
        ids["from"] or 0, ids["to"] or 0, kind, beyond=-1 if beyond is None else beyond, limit=CASES + 1
    )
    words = {"worse": "lower score", "better": "higher score", "same": "same score"}
    links = [
        FilterLink(words[one], getattr(counts, one), with_query(base, {**ids, "kind": one}), one == kind)
        for one in KINDS
    ]
    here = {**ids, "kind": kind}
    return {
        "cases": [_line(context, one, after) for one in found[:CASES]],
        "filters": [FilterGroup("Second version has a", tuple(links))],
        "cases_title": f"{plural(counts.shared, 'case')} with a score in both",
        "older": with_query(base, {**here, "after": found[CASES - 1].position}) if len(found) > CASES else None,
        "newest": with_query(base, here) if beyond is not None else None,
    }


def _line(context: Context, one: ComparedCase, after: VersionRow) -> CaseLine:
    texts = [_text(effect) for effect in (one.effect_before, one.effect_after)]
    pieces = pieces_of(*texts)
    at = context.repository.repository_id
    address = addresses.case(at, after.run_sequence, after.experiment_id, one.position)
    return CaseLine(one.case_id, address, one.slices, *pieces, one.score_before, one.score_after)


def _text(effect: CaseEffect | None) -> str:
    """Returns the most frequent answer of the candidate."""
    text = effect.candidate[0].text if effect and effect.candidate else ""
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"
