"""Tells GitHub which version a tag has, as a deployment, and reads it back.

docs.github.com/rest/deployments. The environment is the tag, the task names the prompt, the payload has the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.github import answers
from adapters.github.answers import an_object
from schemas.host import HostedDeployment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from adapters.github.calls import Calls
    from schemas.host import Sha

PRODUCTION = "production"


class Deployments:
    """Methods of a repository as an App's installation sees it. They need the permission ``deployments``."""

    _calls: Calls
    _at: str
    login: str

    def deploy(
        self, sha: Sha, *, environment: str, task: str, payload: Mapping[str, JsonValue], description: str
    ) -> int:
        """Creates a deployment that is active, and returns its id.

        One with the same environment, task and payload is not created again. Raises HostError; PermissionMissing
        without the permission.
        """
        rows = self._calls.pages(f"{self._at}/deployments", sha=sha, environment=environment, task=task)
        same = [row for row in map(an_object, rows) if row.get("payload") == dict(payload)]
        made = same[0] if same else self._created(sha, environment, task, payload, description)
        number = answers.number(made, "id")
        # May be repeated: the newest state counts.
        status: dict[str, JsonValue] = {"state": "success", "auto_inactive": False}
        self._calls.put("POST", f"{self._at}/deployments/{number}/statuses", status)
        return number

    def _created(
        self, sha: Sha, environment: str, task: str, payload: Mapping[str, JsonValue], description: str
    ) -> dict[str, JsonValue]:
        body: dict[str, JsonValue] = {
            "ref": sha,
            "task": task,
            # The verdict has decided already: GitHub must neither merge anything nor wait for checks.
            "auto_merge": False,
            "required_contexts": [],
            "payload": dict(payload),
            "environment": environment,
            "description": description[:140],
            "production_environment": environment == PRODUCTION,
        }
        return an_object(self._calls.once("POST", f"{self._at}/deployments", body))

    def deployments(self, task: str) -> tuple[HostedDeployment, ...]:
        """Returns the App's deployments of a task, newest first. Raises HostError."""
        found = []
        for row in map(an_object, self._calls.pages(f"{self._at}/deployments", task=task)):
            payload = row.get("payload")
            if isinstance(payload, dict) and answers.login(row.get("creator")) == self.login:
                found.append(
                    HostedDeployment(
                        id=answers.number(row, "id"),
                        sha=answers.text(row, "sha"),
                        environment=answers.text(row, "environment"),
                        payload={name: value for name, value in payload.items() if isinstance(value, str)},
                    )
                )
        return tuple(sorted(found, key=lambda one: one.id, reverse=True))
