"""How many commands by people without write access are answered.

Anyone can write comments, and GitHub counts each answer as a write. The rest of GitHub's limit is reserved for
checks.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

WINDOWS = ((timedelta(minutes=1), 10), (timedelta(hours=1), 60))
"""Commands per installation within a time.

GitHub allows 80 such writes in a minute and 500 in an hour; a command takes two
(docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
"""
ONE_PERSON = (timedelta(hours=1), 20)
REMEMBERED = timedelta(minutes=10)
"""How long a person is remembered as one without write access, once the limit is reached."""
MOST_REMEMBERED = 10_000


class CommandRateLimit:
    """The limits of one worker, for commands by people without write access."""

    def __init__(self) -> None:
        self._taken: defaultdict[object, deque[datetime]] = defaultdict(deque)
        self._strangers: dict[tuple[int, str], datetime] = {}

    def take(self, installation_id: int, repository_id: int, author: str, at: datetime) -> bool:
        """Counts a command. Returns False if the limit is reached."""
        # Bounded memory matters more than exact counts: people can make accounts without end.
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
        """Returns whether to refuse this person's command without asking GitHub for their role."""
        seen = self._strangers.get((repository_id, author))
        return seen is not None and at - seen < REMEMBERED and not self._left(installation_id, author, at)

    def _left(self, installation_id: int, author: str, at: datetime) -> bool:
        bounds = [(installation_id, *window) for window in WINDOWS] + [((installation_id, author), *ONE_PERSON)]
        return all(self._count(key, span, at) < most for key, span, most in bounds)

    def _count(self, key: object, span: timedelta, at: datetime) -> int:
        taken = self._taken[key]
        # The longest window is an hour, so older entries count in none.
        while taken and at - taken[0] >= timedelta(hours=1):
            taken.popleft()
        return sum(at - one < span for one in taken)
