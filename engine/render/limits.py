"""Size limits of each surface."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.host import FIELD_LIMIT


@dataclass(frozen=True)
class Limits:
    """The limits of a surface. GitHub counts characters in some places and bytes in others, so both apply."""

    characters: int
    utf8_bytes: int

    def hold(self, text: str) -> bool:
        """Returns whether ``text`` fits."""
        return len(text) <= self.characters and len(text.encode()) <= self.utf8_bytes


COMMENT = Limits(65_536, 65_536)
"""Limit of a comment's body. GitHub refuses a longer one with 422."""
CHECK_FIELD = Limits(FIELD_LIMIT, FIELD_LIMIT)
"""Limit of a check run's ``summary``, and of its ``text``."""
JOB_SUMMARY = Limits(1_048_576, 1_048_576)
"""Limit of one step's job summary."""
REPORT = Limits(2_000_000, 2_000_000)
"""Our own limit of the HTML report: a file that opens at once, even on a phone."""
