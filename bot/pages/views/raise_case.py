"""Pages that turn a case into a patch of its test set: protect it, or add one like it.

The file is read from GitHub as the reader. Nothing is written there: a person applies the patch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import JsonValue

from bot.commands import patches
from bot.commands.patches import Patch
from bot.pages import addresses
from bot.pages.context import Page
from bot.pages.views.case import found_case
from bot.pages.views.crumbs import of_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.commands.patches import NoPatch
    from bot.pages.context import Context
    from bot.pages.views.case import FoundCase

MOST_INPUTS = 20
COMMAND = (
    "This site can't read the repository. Comment this on the pull request instead, and the bot replies with a patch:"
)


def protect(context: Context) -> Page | None:
    """Shows the patch that protects a case: its answer is exactly right, and must stay so."""
    found = found_case(context)
    if found is None:
        return None
    name = found.case.row.case_id
    made = _patched(context, found, lambda path, data: patches.protect(path, data, name))
    return _page(context, found, "protect", made | {"command": f"/verdict protect {name}"})


def add(context: Context) -> Page | None:
    """Shows a form with the case's inputs; then the patch that adds the case as it was filled in."""
    found = found_case(context)
    if found is None:
        return None
    texts = found.inputs[:MOST_INPUTS]
    fields = [(f"input.{name}", name, context.form.get(f"input.{name}", text)) for name, text in texts]
    expected = found.case.row.effect.expected if found.case.row.effect else None
    shown = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)
    values: dict[str, object] = {
        "fields": fields,
        "expected": context.form.get("expected", "" if expected is None else shown),
        "slices": context.form.get("slices", ", ".join(found.case.row.slices)),
        "patch": None,
        "refusal": None,
        "command": None,
    }
    if context.form:
        row = _row(context.form, [name for name, _ in texts], plain=expected is None or isinstance(expected, str))
        values |= _patched(context, found, lambda path, data: patches.add(path, data, row))
        values["command"] = f"/verdict add-case {found.lineage} {_as_command(row)}"
    return _page(context, found, "add", values)


def _row(form: Mapping[str, str], names: list[str], *, plain: bool) -> dict[str, JsonValue]:
    """Returns the case as a test set contains it. ``plain``: the expectation is a text, not JSON."""
    row: dict[str, JsonValue] = {"inputs": {name: form.get(f"input.{name}", "") for name in names}}
    text = form.get("expected", "").strip()
    if text:
        row["expected"] = text if plain else _json(text)
    slices = [one.strip() for one in form.get("slices", "").split(",") if one.strip()]
    if slices:
        row["slice"] = slices[0] if len(slices) == 1 else list(slices)
    return row


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _as_command(row: Mapping[str, JsonValue]) -> str:
    inputs = row["inputs"]
    assert isinstance(inputs, dict)
    parts = {f"input.{name}": value for name, value in inputs.items()}
    parts |= {name: row[name] for name in ("expected", "slice") if name in row}
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in parts.items())


def _patched(context: Context, found: FoundCase, edit: Callable[[str, bytes], Patch | NoPatch]) -> dict[str, object]:
    """Returns the patch of the case's file at the run's head, or why there is none."""
    if found.path is None:
        return {"patch": None, "refusal": "The test set has several files. Use the command on the pull request."}
    data = context.visitor.file(context.repository, found.path, found.page.run.head_sha)
    if data is None:
        return {"patch": None, "refusal": None}
    made = edit(found.path, data)
    return {"patch": made, "refusal": None} if isinstance(made, Patch) else {"patch": None, "refusal": made.sentence}


def _page(context: Context, found: FoundCase, kind: str, values: dict[str, object]) -> Page:
    at, sequence, experiment = context.repository.repository_id, context.path["run"], context.path["experiment"]
    back = addresses.case(at, sequence, experiment, context.path["position"])
    name = found.case.row.case_id
    title = {"protect": f"Protect {name}", "add": f"Add a case like {name}"}[kind]
    crumbs = (
        *of_repository(context.repository),
        (f"Run {sequence}", addresses.run(at, sequence)),
        (name, back),
        (title, None),
    )
    shown = {"kind": kind, "back": back, "address": f"{back}/add", "head": found.page.run.head_sha, "why": COMMAND}
    return Page("raise", title, {"fields": [], **values, **shown}, crumbs)
