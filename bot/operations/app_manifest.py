"""What the App requests from GitHub, and the ruleset that pins the check to it.

Pure: setup sends it, doctor compares it.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue

from engine.publishing.check_names import NAME
from schemas.values import Value

PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "issues": "read",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
"""The least that works. Without ``issues`` GitHub refuses to register an App for ``issue_comment``."""
PROPOSING = {"contents": "write"}
"""What people need beside, to open pull requests from the pages. The bot's own tokens never have it."""
DEPLOYING = {"deployments": "write"}
"""What moves of tags need to become deployments."""
ALERTING = {"issues": "write"}
"""What alerts about production need to become issues."""
EVENTS = ("check_run", "check_suite", "issue_comment", "merge_group", "pull_request", "pull_request_review", "push")
"""The events to subscribe to. Every App receives those of installations and pings."""
LEVELS = ("none", "read", "write", "admin")
CALLBACK = "/login/callback"
"""Where GitHub sends the browser of a person who signs in to the pages."""
LONGEST_NAME = 34
"""GitHub's limit for an App's name."""


class AppRegistration(Value):
    """An App to register."""

    name: str
    webhook_url: str
    """Where GitHub reaches the bot: ``https://HOST/webhook``."""
    redirect_url: str
    """Where GitHub sends the browser afterwards, with the code."""
    opens_pull_requests: bool = False
    """Whether people may open pull requests from the pages."""
    deploys: bool = False
    """Whether moves of tags become deployments."""
    opens_issues: bool = False
    """Whether alerts about production become issues."""

    @property
    def permissions(self) -> dict[str, str]:
        """What the App asks for."""
        proposing = PROPOSING if self.opens_pull_requests else {}
        alerting = ALERTING if self.opens_issues else {}
        return PERMISSIONS | proposing | alerting | (DEPLOYING if self.deploys else {})


def manifest(registration: AppRegistration) -> dict[str, JsonValue]:
    """Returns the manifest (docs.github.com, “Registering a GitHub App from a manifest”)."""
    site = site_of(registration.webhook_url)
    return {
        "name": registration.name,
        "url": site,
        "description": "Measures how a pull request changes an LLM prompt, and whether it may be merged.",
        "hook_attributes": {"url": registration.webhook_url, "active": True},
        "redirect_url": registration.redirect_url,
        "callback_urls": [site + CALLBACK],
        "public": False,
        "default_permissions": dict(registration.permissions),
        "default_events": list(EVENTS),
    }


def site_of(webhook_url: str) -> str:
    """Returns where people reach the pages: the host that takes the webhooks."""
    parts = urlsplit(webhook_url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def ruleset(app_id: int) -> dict[str, JsonValue]:
    """Returns the ruleset that requires our check on the default branch, reported by this App only."""
    check: dict[str, JsonValue] = {"context": NAME, "integration_id": app_id}
    return {
        "name": "Prompt Verdict",
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [
            {
                "type": "required_status_checks",
                "parameters": {"required_status_checks": [check], "strict_required_status_checks_policy": False},
            }
        ],
    }


def missing_permissions(granted: dict[str, str], wanted: dict[str, str] = PERMISSIONS) -> tuple[str, ...]:
    """Returns the permissions that are missing in ``granted``, such as ``checks: write``."""
    return tuple(
        f"{name}: {level}" for name, level in wanted.items() if _rank(granted.get(name, "none")) < LEVELS.index(level)
    )


def missing_events(subscribed: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the events that are missing."""
    return tuple(event for event in EVENTS if event not in subscribed)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0
