"""From a route and a reader to a page. The one place where a repository is checked before anything of it is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bot.pages.access import Role
from bot.pages.context import LARGEST, Context, Facts, Page, Redirect

if TYPE_CHECKING:
    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.pages.access import Visitor
    from bot.pages.routes import PageRoute
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records


class Pagemaker:
    """Makes pages from the records."""

    def __init__(
        self,
        records: Records,
        facts: Facts,
        hub: HubService | None = None,
        suggesting: Suggesting | None = None,
        branch: DefaultBranch | None = None,
    ) -> None:
        self._records = records
        self._facts = facts
        self._hub = hub
        self._suggesting = suggesting
        self._branch = branch

    def page(
        self,
        route: PageRoute,
        parameters: Mapping[str, object],
        query: Mapping[str, str],
        *,
        visitor: Visitor,
        now: datetime,
        form: Mapping[str, str] | None = None,
    ) -> Page | Redirect | None:
        """Returns the page, or where to go after a form; ``None`` if the reader may not see one.

        Raises HostError, SignedOut and StoreError.
        """
        path = {name: value for name, value in parameters.items() if isinstance(value, int)}
        repo = None
        if any(number > LARGEST for number in path.values()):
            return None
        if "repository" in path:
            repo = self._records.repository_by_id(path["repository"])
            if repo is None or visitor.role(repo) < max(route.role, Role.READ):
                return None
            # Asking GitHub may have brought a new name.
            repo = self._records.repository_by_id(path["repository"]) or repo
        words = {name: value for name, value in parameters.items() if isinstance(value, str)}
        given = {**query, **words}
        return route.view(
            Context(
                self._records,
                visitor,
                self._facts,
                now,
                given,
                path,
                repo,
                form or {},
                self._hub,
                self._suggesting,
                self._branch,
            )
        )
