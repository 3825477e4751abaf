"""Issues of a repository that we open, update and close.

docs.github.com/rest/issues/issues. Each has a marker in its first line, which is looked up before an issue is created.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from adapters.github import answers
from adapters.github.answers import an_object, optional
from adapters.github.markers import REPEATS, is_marked
from adapters.github.refusals import AnswerLost
from schemas.host import HostedIssue

if TYPE_CHECKING:
    from pydantic import JsonValue

    from adapters.github.answers import Json
    from adapters.github.calls import Calls


class Issues:
    """Methods of a repository. Writing needs the permission ``issues``. Raises HostError; PermissionMissing."""

    _calls: Calls
    _at: str
    login: str

    def issue(self, number: int) -> HostedIssue:
        """Returns an issue. Raises NotFound for a deleted or transferred one."""
        return _issue(an_object(self._calls.get(f"{self._at}/issues/{number}")))

    def find_issue(self, marker: str, since: datetime) -> HostedIssue | None:
        """Returns our own issue whose first line starts with ``marker``, the oldest of several; open or closed.

        Reads the issues that changed at or after ``since``.
        """
        return next(iter(self.find_issues(marker, since)), None)

    def find_issues(self, marker: str, since: datetime) -> tuple[HostedIssue, ...]:
        """Returns all of our own issues whose first line starts with ``marker``, oldest first; open and closed."""
        after = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = map(an_object, self._calls.pages(f"{self._at}/issues", state="all", since=after, creator=self.login))
        ours = [
            row
            for row in rows
            if answers.login(row.get("user")) == self.login
            and is_marked(row.get("body"), marker)
            and "pull_request" not in row
        ]
        return tuple(sorted(map(_issue, ours), key=lambda one: one.number))

    def open_issue(self, title: str, body: str, marker: str, since: datetime) -> HostedIssue:
        """Creates an issue, or finds the one that was created with this marker at or after ``since``.

        ``body`` starts with ``marker``, so that a second call finds what the first one made.
        """
        if not is_marked(body, marker):
            raise ValueError("our issues start with their marker")
        for left in reversed(range(REPEATS)):
            found = self.find_issue(marker, since)
            if found is not None:
                return found
            wanted: dict[str, JsonValue] = {"title": title, "body": body}
            try:
                row = an_object(self._calls.once("POST", f"{self._at}/issues", wanted))
            except AnswerLost:
                # It may have been created. The next round looks.
                if not left:
                    raise
            else:
                self.login = answers.login(row.get("user")) or self.login
                return _issue(row)
        raise AssertionError("unreachable: the last try returns or raises")

    def write_issue(self, number: int, *, body: str | None = None, is_open: bool | None = None) -> HostedIssue:
        """Changes the body or the state of an issue. May be repeated."""
        wanted: dict[str, JsonValue] = {}
        if body is not None:
            wanted["body"] = body
        if is_open is not None:
            wanted |= {"state": "open"} if is_open else {"state": "closed", "state_reason": "completed"}
        return _issue(an_object(self._calls.put("PATCH", f"{self._at}/issues/{number}", wanted)))


def _issue(row: Json) -> HostedIssue:
    return HostedIssue(
        number=answers.number(row, "number"),
        is_open=row.get("state") == "open",
        body=optional(row, "body") or "",
        url=optional(row, "html_url") or "",
        closed_by=answers.login(row.get("closed_by")),
    )
