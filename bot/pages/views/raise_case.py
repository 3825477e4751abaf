"""Pages that turn a case into a change of its test set: protect it, or add one like it. ``new_case`` adds one to them.

The file is read from GitHub as the reader. The page shows a patch for them to apply. Where the App may write contents,
it also opens a pull request, with the reader's own token.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from adapters.github.proposals import Proposal
from bot.pages import addresses
from bot.pages.context import Page
from bot.pages.views.case import found_case
from bot.pages.views.crumbs import of_repository
from engine.new_cases.draft import json_or_text
from engine.test_edits import patches
from engine.test_edits.patches import Patch
from schemas.errors import HostError
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.github.proposals import DefaultFile
    from bot.pages.access import Proposer
    from bot.pages.context import Context, Crumb
    from bot.pages.views.case import FoundCase
    from engine.test_edits.patches import NoPatch

    Edit = Callable[[str, bytes], Patch | NoPatch]

MOST_INPUTS = 20


@dataclass(frozen=True)
class Place:
    """A page with a change, and the file that it changes."""

    kind: str
    """``protect``, ``add`` or ``new``."""
    title: str
    address: str
    path: str | None
    """The file; ``None`` if it isn't one file."""
    commit: str
    """The commit that the patch is for."""
    back: str
    crumbs: tuple[Crumb, ...]
    back_text: str = "Back to the case"
    linked: str = "The case in Prompt Verdict"
    """The text of the link in a pull request."""


PLAIN = re.compile("[0-9A-Za-z][0-9A-Za-z._-]{0,59}")
MEANING = {
    "protect": "A confirmed failure of a protected case blocks a pull request by itself.",
    "add": "The next change of the prompt is measured on the new case too.",
}
INSTEAD = dict.fromkeys(("protect", "add"), "Use the command on the pull request.") | {
    "new": "Run `promptverdict tests add` in your clone."
}
COMMAND = (
    "This site can't read the repository. Comment this on the pull request instead, and the bot replies with a patch:"
)


def protect(context: Context) -> Page | None:
    """Shows the patch that protects a case: its answer is exactly right, and must stay so."""
    found = found_case(context)
    if found is None:
        return None
    name = found.case.row.case_id
    values: dict[str, object] = {"command": f"/verdict protect {name}"}
    place = _place(context, found, "protect", f"Protect {name}")
    return change_page(context, place, values, lambda path, data: patches.protect(path, data, name))


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
    }
    place = _place(context, found, "add", f"Add a case like {found.case.row.case_id}")
    if not context.form:
        return change_page(context, place, values, None)
    row = _row(context.form, [name for name, _ in texts], plain=expected is None or isinstance(expected, str))
    values["command"] = f"/verdict add-case {found.lineage} {_as_command(row)}"
    return change_page(context, place, values, lambda path, data: patches.add(path, data, row))


def _row(form: Mapping[str, str], names: list[str], *, plain: bool) -> dict[str, JsonValue]:
    """Returns the case as a test set contains it. ``plain``: the expectation is a text, not JSON."""
    row: dict[str, JsonValue] = {"inputs": {name: form.get(f"input.{name}", "") for name in names}}
    text = form.get("expected", "").strip()
    if text:
        row["expected"] = text if plain else json_or_text(text)
    if slices := slices_in(form):
        row["slice"] = slices[0] if len(slices) == 1 else list(slices)
    return row


def slices_in(form: Mapping[str, str]) -> list[str]:
    """Returns the slices that a form names, separated by commas."""
    return [one.strip() for one in form.get("slices", "").split(",") if one.strip()]


def _as_command(row: Mapping[str, JsonValue]) -> str:
    inputs = row["inputs"]
    assert isinstance(inputs, dict)
    parts = {f"input.{name}": value for name, value in inputs.items()}
    parts |= {name: row[name] for name in ("expected", "slice") if name in row}
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in parts.items())


def _place(context: Context, found: FoundCase, kind: str, title: str) -> Place:
    at, sequence, experiment = context.repository.repository_id, context.path["run"], context.path["experiment"]
    back = addresses.case(at, sequence, experiment, context.path["position"])
    crumbs = (
        *of_repository(context.repository),
        (f"Run {sequence}", addresses.run(at, sequence)),
        (found.case.row.case_id, back),
        (title, None),
    )
    return Place(kind, title, f"{back}/{kind}", found.path, found.page.run.head_sha, back=back, crumbs=crumbs)


def _patched(context: Context, place: Place, edit: Edit) -> dict[str, object]:
    """Returns the patch of the case's file at the place's commit, or why there is none."""
    if place.path is None:
        return {"refusal": f"The test set has several files. {INSTEAD[place.kind]}"}
    return change_of(place.path, context.visitor.file(context.repository, place.path, place.commit), edit)


def change_of(path: str, data: bytes | None, edit: Edit) -> dict[str, object]:
    """Returns the patch of a test set, or why there is none. ``data`` is ``None`` if the file can't be read."""
    if data is None:
        return {}
    made = edit(path, data)
    return {"patch": made} if isinstance(made, Patch) else {"refusal": made.sentence}


def proposed_case(
    path: str, kind: str, edit: Edit, proposer: Proposer, link: tuple[str, str] | None
) -> dict[str, object]:
    """Opens a pull request with the change, or says why there is none. The change is made at the default branch.

    ``link``: the text and the address of a link in the pull request.
    """
    try:
        file = proposer.file(path)
        if file is None:
            return {"unopened": f"The default branch has no file `{path}` yet."}
        made = edit(file.path, file.data)
        if not isinstance(made, Patch):
            return {"unopened": f"On the default branch: {made.sentence}"}
        return {"opened": proposer.open(file, _proposal(kind, file, made, link))}
    except HostError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return {"unopened": f"{error.what}{hint}. You can try again: a second try opens no second pull request."}


def _proposal(kind: str, file: DefaultFile, made: Patch, link: tuple[str, str] | None) -> Proposal:
    """Returns the pull request of a change. ``link``: the text and the address of a link in it."""
    kind = "add" if kind == "new" else kind
    digest = digest_of([kind, file.path, file.blob, made.text])[:12]
    # The id is any text, and GitHub reads commit messages: it notifies people and closes issues.
    name = f"case {made.case}" if PLAIN.fullmatch(made.case) else "a case"
    title = {"protect": f"Protect {name}", "add": f"Add {name}"}[kind]
    linked = f"\n\n[{link[0]}]({link[1]})" if link else ""
    return Proposal(f"prompt-verdict/{kind}-{digest}", made.content, title, MEANING[kind] + linked)


def change_page(context: Context, place: Place, values: dict[str, object], edit: Edit | None) -> Page:
    """Returns the page with the patch, or with the pull request. Without ``edit``, its form is still to be filled
    in."""
    made = _patched(context, place, edit) if edit else {}
    proposer = context.visitor.proposer(context.repository) if edit is None or "patch" in made else None
    if edit and proposer and context.form.get("open") == "1":
        public = context.facts.public_url
        assert place.path is not None, "a case with a patch has a path"
        link = (place.linked, f"{public}{place.back}") if public else None
        made |= proposed_case(place.path, place.kind, edit, proposer, link)
    shown = {
        "kind": place.kind,
        "back": place.back,
        "back_text": place.back_text,
        "address": place.address,
        "head": place.commit,
        "may_open": proposer is not None,
        "github": context.github,
    }
    nothing = dict.fromkeys(("patch", "refusal", "command", "opened", "unopened", "suggested", "masked", "messages"))
    return Page(
        "raise", place.title, {"fields": [], "why": COMMAND, **nothing, **values, **made, **shown}, place.crumbs
    )
