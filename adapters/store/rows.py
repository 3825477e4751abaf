"""Rows as they lie in a database, and back."""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue

from schemas.outcomes import Completion, StoredCompletion

COLUMNS = (
    "request_digest", "repetition", "created_at", "provider", "model", "completion", "cost_usd", "neutral_cost_usd",
    "price",
)  # fmt: skip
Row = tuple[Any, ...]


def to_row(stored: StoredCompletion) -> Row:
    """In the order of ``COLUMNS``; money as exact text."""
    return (
        stored.request_digest,
        stored.repetition,
        stored.created_at,
        stored.provider,
        stored.model,
        stored.completion.model_dump_json(exclude_defaults=True),
        str(stored.cost_usd),
        str(stored.neutral_cost_usd),
        json.dumps(stored.price, separators=(",", ":")),
    )


def from_row(row: Row) -> StoredCompletion:
    """Raises ValueError for a row that this version does not understand."""
    fields = dict(zip(COLUMNS, row, strict=True))
    price: JsonValue = json.loads(fields["price"])
    completion = Completion.model_validate_json(fields["completion"])
    return StoredCompletion.model_validate(fields | {"completion": completion, "price": price})
