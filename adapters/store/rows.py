"""Converts outcomes to database rows and back.

Each row carries a checksum of its other columns. A row that changed since it was written is not used as evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from schemas.outcomes import Completion, StoredCompletion

COLUMNS = (
    "request_digest", "repetition", "created_at", "provider", "model", "completion", "cost_usd", "neutral_cost_usd",
    "price", "checksum",
)  # fmt: skip
PLAN_COLUMNS = ("content_digest", "plan", "checksum")
CONTENT = {"completions": COLUMNS[:-1], "plans": PLAN_COLUMNS[:-1]}
"""Columns that the checksum covers, by table."""
Row = tuple[Any, ...]
BETWEEN = "\x1f"


def checksum(values: Iterable[object]) -> str:
    """Returns the SHA-256 of a row's columns as text, in their order. Postgres computes the same."""
    return hashlib.sha256(BETWEEN.join(map(str, values)).encode()).hexdigest()


def is_sound(row: Row) -> bool:
    """Returns whether the row is unchanged. The checksum is its last column."""
    return bool(checksum(row[:-1]) == row[-1])


def plan_row(content_digest: str, plan: str) -> Row:
    """Returns the row of a plan, in the order of ``PLAN_COLUMNS``."""
    return content_digest, plan, checksum((content_digest, plan))


def to_row(stored: StoredCompletion) -> Row:
    """Returns the row of an answer, in the order of ``COLUMNS``. Money is exact text."""
    row = (
        stored.request_digest,
        stored.repetition,
        stored.created_at,
        stored.provider,
        stored.model,
        # Defaults are left out, so a new optional field doesn't change the rows of answers without it.
        stored.completion.model_dump_json(exclude_defaults=True),
        str(stored.cost_usd),
        str(stored.neutral_cost_usd),
        json.dumps(stored.price, separators=(",", ":")),
    )
    return (*row, checksum(row))


def from_row(row: Row) -> StoredCompletion:
    """Returns the answer of a row. Raises ValueError if this version can't read it."""
    fields = dict(zip(COLUMNS, row, strict=True))
    del fields["checksum"]
    # Without a zone, the age of the answer would depend on the machine that reads it.
    if datetime.fromisoformat(fields["created_at"]).tzinfo is None:
        raise ValueError("a time without a zone")
    price: JsonValue = json.loads(fields["price"])
    completion = Completion.model_validate_json(fields["completion"])
    return StoredCompletion.model_validate(fields | {"completion": completion, "price": price})
