"""How much each surface takes."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.host import FIELD_LIMIT


@dataclass(frozen=True)
class Limits:
    """The most that a surface takes. GitHub counts characters in some places and bytes in others, so both hold."""

    characters: int
    utf8_bytes: int

    def hold(self, text: str) -> bool:
        """Returns whether ``text`` fits."""
        return len(text) <= self.characters and len(text.encode()) <= self.utf8_bytes


COMMENT = Limits(65_536, 65_536)
"""A comment's body; a longer one is refused with 422."""
CHECK_FIELD = Limits(FIELD_LIMIT, FIELD_LIMIT)
"""A check run's ``summary`` and its ``text``, each."""
JOB_SUMMARY = Limits(1_048_576, 1_048_576)
"""One step's job summary."""
REPORT = Limits(2_000_000, 2_000_000)
"""Our own bound for the HTML report: a file that opens at once, on a phone too."""
