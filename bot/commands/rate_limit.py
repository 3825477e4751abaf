"""How many commands of people who may not write are taken up.

Anybody can write comments, and GitHub counts each answer as a write. What answers may not use is there for checks.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

WINDOWS = ((timedelta(minutes=1), 10), (timedelta(hours=1), 60))
"""So many in an installation within so long. GitHub takes 80 such writes in a minute and 500 in an hour; a command
takes two (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)."""
ONE_PERSON = (timedelta(hours=1), 20)
REMEMBERED = timedelta(minutes=10)
"""How long somebody who could not write is taken for somebody who can't, when there is nothing left."""
MOST_REMEMBERED = 10_000


class CommandRateLimit:
    """Of one worker. ``take`` is for commands of people who may not write."""

    def __init__(self) -> None:
        self._taken: defaultdict[object, deque[datetime]] = defaultdict(deque)
        self._strangers: dict[tuple[int, str], datetime] = {}

    def take(self, installation_id: int, repository_id: int, author: str, at: datetime) -> bool:
        """Whether one more is taken up."""
        if len(self._strangers) >= MOST_REMEMBERED:
            self._strangers.clear()
            self._taken.clear()
        self._strangers[repository_id, author] = at
        if not self._left(installation_id, author, at):
            return False
        self._taken[installation_id].append(at)
        self._taken[installation_id, author].append(at)
        return True

    def refuses(self, installation_id: int, repository_id: int, author: str, at: datetime) -> bool:
        """Whether it is sure, without asking GitHub who that is, that nothing is left for them."""
        seen = self._strangers.get((repository_id, author))
        return seen is not None and at - seen < REMEMBERED and not self._left(installation_id, author, at)

    def _left(self, installation_id: int, author: str, at: datetime) -> bool:
        bounds = [(installation_id, *window) for window in WINDOWS] + [((installation_id, author), *ONE_PERSON)]
        return all(self._count(key, span, at) < most for key, span, most in bounds)

    def _count(self, key: object, span: timedelta, at: datetime) -> int:
        taken = self._taken[key]
        while taken and at - taken[0] >= timedelta(hours=1):
            taken.popleft()
        return sum(at - one < span for one in taken)
