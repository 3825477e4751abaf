"""``output:`` of a lineage: the form that its answers must have."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from schemas.values import Value


class OutputFormat(StrEnum):
    """What an answer must be."""

    TEXT = "text"
    JSON = "json"
    LABEL = "label"
    """A label of a classification, and nothing else."""


class Repair(StrEnum):
    """What must be removed before an answer can be read."""

    FENCE = "fence"
    """A Markdown code fence around it."""
    PROSE = "prose"
    """Words or marks around it."""
    REASONING = "reasoning"
    """A reasoning block before it."""


class OutputConfig(Value):
    """The form that programs expect of an answer."""

    format: OutputFormat | None = None
    """By default, ``label`` for classification, ``json`` for extraction and ``text`` for generation."""
    strict: bool = True
    """Whether an answer that must be repaired fails. Otherwise it is repaired and counted."""
    json_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """A JSON Schema that the answer must satisfy (``json`` only)."""
    allow: tuple[Repair, ...] = ()
    """Repairs that are expected: they neither fail nor count."""
