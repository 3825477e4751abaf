"""The inputs of a case from an exported trace (OTLP/JSON)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from schemas.errors import UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from action.cli.test_file import LocalLineage
    from engine.production.content import Content
    from schemas.production import SpanRecord

LISTED = 10


def inputs_from(local: LocalLineage, path: str, text: str, span: str | None) -> dict[str, JsonValue]:
    """Returns the inputs of one request in the trace. Raises UsageError if it isn't clear which, or what they are."""
    from action.cli.check import renderer
    from engine.new_cases.draft import input_names, json_or_text
    from engine.new_cases.recovered import recovered

    content = _request(local.change.name, path, text, span)
    prompt = local.change.candidate
    if prompt is not None:
        with closing(renderer()) as sandbox:
            found = recovered(prompt, content.messages, sandbox)
        if found is not None:
            texts = {name for case in local.tests.cases for name in case.inputs if isinstance(case.inputs[name], str)}
            return {name: value if name in texts else json_or_text(value) for name, value in found.items()}
    names = input_names(local.tests)
    asked = [message.text for message in content.messages if message.role == "user"]
    if len(names) != 1 or not asked:
        raise UsageError(
            f"the request doesn't match the prompt's current version, so {', '.join(names)} can't be recovered from it",
            where=path,
            hint="check out the version that production runs, or give the inputs with --set NAME=VALUE",
        )
    return {names[0]: asked[-1]}


def _request(lineage: str, path: str, text: str, span: str | None) -> Content:
    """Returns the content of the chosen request, or of the only one. Records about one span count together."""
    from engine.production.content import Content, content_of
    from engine.production.dialects import own_attribute
    from engine.production.otlp_json import records_in
    from engine.readers.bounded import shown

    records = records_in(path, text)
    of = {name for record in records if (name := own_attribute(record.attributes, "lineage"))}
    if of and lineage not in of:
        raise UsageError(f"the trace belongs to {', '.join(sorted(of))}", where=path, hint=f"not to {lineage}")
    found: dict[str, Content] = {}
    for record in sorted(records, key=_start):
        content = content_of(record)
        if content.messages and span in (None, record.span_id):
            before = found.get(record.span_id)
            known = before.messages if before else ()
            fresh = tuple(message for message in content.messages if message not in known)
            found[record.span_id] = Content((*known, *fresh), content.output)
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        what = "no request in it has content" if span is None else f"no request {span!r} in it has content"
        raise UsageError(what, where=path, hint="turn on message capture in the instrumentation, or use --input")
    listed = "; ".join(f"{name} “{shown(one.messages[-1].text, 40)}”" for name, one in list(found.items())[:LISTED])
    raise UsageError(f"the trace has {len(found)} requests: {listed}", where=path, hint="choose one with --span ID")


def _start(record: SpanRecord) -> int:
    return record.start_ns
