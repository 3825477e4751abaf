"""Reads one test case from a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, shown
from engine.readers.columns import KNOWN
from schemas.testsets import Source as Origin
from schemas.testsets import TestCase
from schemas.values import digest_of


def case_of(
    source: Source, row: Mapping[str, JsonValue], line: int | None, unknown: Counter[str]
) -> tuple[TestCase, bool]:
    """Returns the case, and whether it has an id of its own. Without one, its id is a hash of its inputs.

    Counts unknown keys in ``unknown``. Raises SourceError at ``line``.
    """
    reading = _Reading(source, row, line)
    unknown.update(key for key in row if key not in KNOWN)
    inputs = reading.inputs()
    given = reading.name()
    return (
        # the types are checked one by one above; validating 5,000 cases again would take longer than reading them
        TestCase.model_construct(
            id=given or digest_of(inputs)[:12],
            inputs=inputs,
            expected=row.get("expected"),
            slices=reading.texts("slice", "slices"),
            tags=reading.texts("tags"),
            source=reading.origin(),
            protected=reading.protected(),
            cluster=reading.text("cluster"),
            notes=reading.text("notes"),
            rubric=reading.either("rubric", "rubric_notes"),
            must_not=tuple(text for text in reading.texts("must_not") if text),
            path=source.path,
            line=line,
        ),
        given is not None,
    )


class _Reading:
    """The keys of one case while it is read."""

    def __init__(self, source: Source, row: Mapping[str, JsonValue], line: int | None) -> None:
        self.source = source
        self.row = row
        self.line = line

    def error(self, what: str, hint: str) -> Exception:
        return self.source.error(what, self.line, hint=hint)

    def inputs(self) -> dict[str, JsonValue]:
        if "input" in self.row and "inputs" in self.row:
            raise self.error("the case has input and inputs", "keep one of the two")
        inputs = self.row.get("inputs", self.row.get("input"))
        if isinstance(inputs, dict):
            return inputs
        if inputs is None:
            raise self.error("the case has no inputs", "add input: text, or inputs: {name: value}")
        if "inputs" in self.row:
            raise self.error("inputs is not a map", "write inputs: {name: value}, or input: text")
        return {"input": inputs}

    def name(self) -> str | None:
        name = self.row.get("id")
        if name is None or name == "":
            return None
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise self.error("the id is not a text", "write it in quotes")
        return str(name)

    def text(self, key: str) -> str | None:
        text = self.row.get(key)
        if text is None or isinstance(text, str):
            return text or None
        raise self.error(f"{key} is not a text", "write it in quotes")

    def either(self, *keys: str) -> str | None:
        return next((text for key in keys if (text := self.text(key)) is not None), None)

    def texts(self, *keys: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for key in keys:
            value = self.row.get(key)
            if value is None:
                continue
            members = value if isinstance(value, list) else [value]
            for member in members:
                if not isinstance(member, str):
                    raise self.error(f"{key} contains something that is not a text", "write texts: [one, two]")
                found[member] = None
        return tuple(found)

    def origin(self) -> Origin | None:
        name = self.row.get("source")
        if name is None or name == "":
            return None
        try:
            return Origin(str(name))
        except ValueError:
            raise self.error(f"unknown source {shown(str(name))}", did_you_mean(str(name), Origin)) from None

    def protected(self) -> bool:
        value = self.row.get("protected", False)
        if not isinstance(value, bool):
            raise self.error("protected must be true or false", "write protected: true")
        return value
