"""The form that turns a failure in production, or a pasted input, into a case: what should the answer have been?"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from bot.pages import addresses
from bot.pages.views.crumbs import of_repository
from bot.pages.views.raise_case import MOST_INPUTS, Place, change_page, slices_in
from engine.new_cases.draft import draft, expected_value, input_names, json_or_text, suggested_slice
from engine.new_cases.masking import Masker
from engine.test_edits import patches
from engine.test_edits.formats import read_cases
from schemas.errors import PromptVerdictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from bot.pages.context import Context, Page
    from schemas.production import SpanContent
    from schemas.testsets import TestSet

MOST_COMPARED = 2_000
"""Cases from which no slice is suggested: it would take too long for a page."""
COMMAND = "This site can't read the test set. Run this in your clone instead:"


def new_case(context: Context) -> Page | None:
    """Shows the form, filled from a trace if the address names one; then the patch, or the pull request."""
    repo, lineage_id = context.repository, context.path["lineage"]
    here = addresses.lineage(repo.repository_id, lineage_id)
    page = context.records.lineage_page(repo.repository_id, lineage_id, context.bounds(0), merged=False)
    snapshots = context.records.snapshots(repo.repository_id, lineage_id)
    if page is None or not snapshots:
        return None
    path = None if set(snapshots[0].path) & set("*?[, ") else snapshots[0].path
    file = context.visitor.default_file(repo, path) if path is not None else None
    tests = _tests(path, file.data if file else None)
    content = _content(context, page.name)
    fields = _fields(context, tests, content)
    trace = context.query.get("trace", "") if content else ""
    place = Place(
        "new",
        "Add a case",
        f"{here}/new-case" + (f"?trace={trace}" if trace else ""),
        path,
        file.commit if file else "",
        back=f"{here}/tests",
        crumbs=(*of_repository(repo), (page.name, here), ("Add a case", None)),
        back_text="Back to the test set",
        linked="The test set in Prompt Verdict",
    )
    masker = Masker()
    shown = [(role, masker.text(text)) for role, text in _messages(content)]
    form = context.form
    values: dict[str, object] = {
        "expected": form.get("expected", ""),
        "slices": form.get("slices", ""),
        "same_as": form.get("same_as", ""),
        "keep": form.get("keep") == "1",
        "fields": fields,
        "why": COMMAND,
        "command": _command(page.name, tests),
        "masked": masker.found,
        "messages": shown,
    }
    inputs = _inputs(fields, tests)
    if not form:
        return change_page(context, place, values | _suggested(inputs, tests, form), None)
    text = form.get("expected", "").strip()
    made = draft(
        inputs,
        expected=expected_value(text, tests.cases if tests else ()) if text else None,
        slices=slices_in(form),
        same_as=form.get("same_as", "").strip() or None,
        mask=form.get("keep") != "1",
    )
    values |= {"fields": _as_masked(fields, made.row), "masked": made.masked, **_suggested(inputs, tests, form)}
    if text:
        values["expected"] = _text(made.row.get("expected"))
    return change_page(context, place, values, lambda path, data: patches.add(path, data, made.row))


def _command(lineage: str, tests: TestSet | None) -> str | None:
    """Returns what people run in their clone instead; ``None`` if this site can read the test set."""
    return None if tests else f"promptverdict tests add {shlex.quote(lineage)} --input FILE --expected TEXT"


def _tests(path: str | None, data: bytes | None) -> TestSet | None:
    """Returns the test set as the default branch has it; ``None`` if it can't be read."""
    if path is None or data is None:
        return None
    try:
        return read_cases(path, data)
    except PromptVerdictError:
        return None


def _content(context: Context, lineage: str) -> SpanContent | None:
    """Returns the sampled content of the trace that the address names: of the prompt's last model request in it."""
    name = context.query.get("trace", "")
    if not _is_trace(name):
        return None
    found = context.records.production_trace(context.repository.repository_id, name)
    contents = [span.content for span in found.spans if span.content is not None] if found else []
    return next((one for one in reversed(contents) if one.lineage == lineage), None)


def _is_trace(name: str) -> bool:
    return len(name) == 32 and all(sign in "0123456789abcdef" for sign in name)


def _messages(content: SpanContent | None) -> list[tuple[str, str]]:
    if content is None:
        return []
    answer = [("answer", content.output)] if content.output is not None else []
    return [*((message.role, message.text) for message in content.input), *answer]


def _fields(context: Context, tests: TestSet | None, content: SpanContent | None) -> list[tuple[str, str, str]]:
    """Returns the form's fields: name, label and text. A trace fills a single input with its last user message."""
    names = (input_names(tests) if tests else ())[:MOST_INPUTS] or ("input",)
    asked = [message.text for message in content.input if message.role == "user"] if content else []
    first = Masker().text(asked[-1]) if asked and len(names) == 1 else ""
    return [(f"input.{name}", name, context.form.get(f"input.{name}", first)) for name in names]


def _inputs(fields: Sequence[tuple[str, str, str]], tests: TestSet | None) -> dict[str, JsonValue]:
    """Returns the inputs. A value is a text if some case has a text there."""
    cases = tests.cases if tests else ()
    texts = {name for case in cases for name, value in case.inputs.items() if isinstance(value, str)}
    return {name: text if name in texts or not cases else json_or_text(text) for _, name, text in fields}


def _as_masked(fields: Sequence[tuple[str, str, str]], row: Mapping[str, JsonValue]) -> list[tuple[str, str, str]]:
    inputs = row["inputs"]
    assert isinstance(inputs, dict)
    return [(key, name, _text(inputs[name])) for key, name, _ in fields]


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _suggested(inputs: Mapping[str, JsonValue], tests: TestSet | None, form: Mapping[str, str]) -> dict[str, object]:
    """Fills in the slice that rules or similar cases suggest. The person confirms it, or writes another one."""
    empty = not any(inputs.values())
    if empty or slices_in(form) or tests is None or len(tests.cases) > MOST_COMPARED:
        return {}
    found = suggested_slice(inputs, tests)
    if found is None:
        return {}
    return {"slices": found.slice, "suggested": f"{found.slice} ({found.source}: {found.why})"}
