"""Pages that turn a case into a change of its test set: protect it, or add one like it.

The file is read from GitHub as the reader. The page shows a patch for them to apply. Where the App may write contents,
it also opens a pull request, with the reader's own token.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pydantic import JsonValue

from adapters.github.proposals import Proposal
from bot.commands import patches
from bot.commands.patches import Patch
from bot.pages import addresses
from bot.pages.context import Page
from bot.pages.views.case import found_case
from bot.pages.views.crumbs import of_repository
from schemas.errors import HostError
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.github.proposals import DefaultFile
    from bot.commands.patches import NoPatch
    from bot.pages.access import Proposer
    from bot.pages.context import Context
    from bot.pages.views.case import FoundCase

    Edit = Callable[[str, bytes], Patch | NoPatch]

MOST_INPUTS = 20
PLAIN = re.compile("[0-9A-Za-z][0-9A-Za-z._-]{0,59}")
MEANING = {
    "protect": "A confirmed failure of a protected case blocks a pull request by itself.",
    "add": "The next change of the prompt is measured on the new case too.",
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
    return _page(context, found, "protect", values, lambda path, data: patches.protect(path, data, name))


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
    if not context.form:
        return _page(context, found, "add", values, None)
    row = _row(context.form, [name for name, _ in texts], plain=expected is None or isinstance(expected, str))
    values["command"] = f"/verdict add-case {found.lineage} {_as_command(row)}"
    return _page(context, found, "add", values, lambda path, data: patches.add(path, data, row))


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


def _patched(context: Context, found: FoundCase, edit: Edit) -> dict[str, object]:
    """Returns the patch of the case's file at the run's head, or why there is none."""
    if found.path is None:
        return {"refusal": "The test set has several files. Use the command on the pull request."}
    return change_of(found.path, context.visitor.file(context.repository, found.path, found.page.run.head_sha), edit)


def change_of(path: str, data: bytes | None, edit: Edit) -> dict[str, object]:
    """Returns the patch of a test set, or why there is none. ``data`` is ``None`` where nobody can read the file."""
    if data is None:
        return {}
    made = edit(path, data)
    return {"patch": made} if isinstance(made, Patch) else {"refusal": made.sentence}


def proposed_case(path: str, kind: str, edit: Edit, proposer: Proposer, page: str | None) -> dict[str, object]:
    """Opens a pull request with the change, or says why there is none. The change is made at the default branch.

    ``page`` is the address of the page that the pull request links to."""
    try:
        file = proposer.file(path)
        if file is None:
            return {"unopened": f"The default branch has no file `{path}` yet."}
        made = edit(file.path, file.data)
        if not isinstance(made, Patch):
            return {"unopened": f"On the default branch: {made.sentence}"}
        return {"opened": proposer.open(file, _proposal(kind, file, made, page))}
    except HostError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return {"unopened": f"{error.what}{hint}. You can try again: a second try opens no second pull request."}


def _proposal(kind: str, file: DefaultFile, made: Patch, page: str | None) -> Proposal:
    digest = digest_of([kind, file.path, file.blob, made.text])[:12]
    # The id is any text, and GitHub reads commit messages: it notifies people and closes issues.
    name = f"case {made.case}" if PLAIN.fullmatch(made.case) else "a case"
    title = {"protect": f"Protect {name}", "add": f"Add {name}"}[kind]
    link = f"\n\n[The case in Prompt Verdict]({page})" if page else ""
    return Proposal(f"prompt-verdict/{kind}-{digest}", made.content, title, MEANING[kind] + link)


def _page(context: Context, found: FoundCase, kind: str, values: dict[str, object], edit: Edit | None) -> Page:
    """Returns the page. Without ``edit``, its form is still to be filled in."""
    at, sequence, experiment = context.repository.repository_id, context.path["run"], context.path["experiment"]
    back = addresses.case(at, sequence, experiment, context.path["position"])
    made = _patched(context, found, edit) if edit else {}
    proposer = context.visitor.proposer(context.repository) if edit is None or "patch" in made else None
    if edit and proposer and context.form.get("open") == "1":
        public = context.facts.public_url
        assert found.path is not None, "a case with a patch has a path"
        made |= proposed_case(found.path, kind, edit, proposer, public and public + back)
    name = found.case.row.case_id
    title = {"protect": f"Protect {name}", "add": f"Add a case like {name}"}[kind]
    crumbs = (
        *of_repository(context.repository),
        (f"Run {sequence}", addresses.run(at, sequence)),
        (name, back),
        (title, None),
    )
    shown = {
        "kind": kind,
        "back": back,
        "address": f"{back}/{kind}",
        "head": found.page.run.head_sha,
        "why": COMMAND,
        "may_open": proposer is not None,
        "github": context.github,
    }
    nothing = dict.fromkeys(("patch", "refusal", "command", "opened", "unopened"))
    return Page("raise", title, {"fields": [], **nothing, **values, **made, **shown}, crumbs)
