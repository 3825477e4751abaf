"""Doctor's look at GitHub: the App, its webhook, its installations and their rulesets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.operations.app_manifest import missing_events, missing_permissions
from bot.operations.doctor.report import Area, DoctorFinding, Spot
from engine.publishing.check_names import NAME

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.settings import Settings
    from schemas.host import HookDelivery, HostedRepository, Installation

DAY = timedelta(days=1)
MOST_REPOSITORIES = 100
"""Repositories whose rulesets are examined."""


def examine_app(app: GitHubApp, settings: Settings) -> Iterator[DoctorFinding]:
    """Signs in and compares the App's permissions and events. Raises HostError."""
    itself = app.itself()
    pages = Spot(Area.APP, f"{itself.url or settings.server_url}: App settings, Permissions & events")
    yield Spot(Area.APP, settings.api_url).ok(f"{itself.slug} (id {itself.id}) signs in")
    for permission in missing_permissions(itself.permissions):
        yield pages.problem(
            f"the App does not request {permission}", f"grant `{permission}` there; then each account must accept it"
        )
    for event in missing_events(itself.events):
        yield pages.problem(f"the App does not receive {event}", f"subscribe to `{event}` there")


def examine_webhook(app: GitHubApp) -> Iterator[DoctorFinding]:
    """Looks at the App's webhook settings. Raises HostError."""
    hook = app.hook()
    spot = Spot(Area.WEBHOOK, hook.url or "the App's webhook settings")
    checks = [
        (not hook.url, "GitHub has no address for webhooks", "enter https://HOST/webhook in the App's settings"),
        (
            bool(hook.url) and urlsplit(hook.url).path != "/webhook",
            "the bot takes webhooks at /webhook",
            "correct the path in the App's settings",
        ),
        (hook.content_type != "json", "webhooks arrive as a form", "set the content type to application/json"),
        (not hook.has_secret, "webhooks are not signed", "set the webhook secret in the App's settings too"),
        (
            not hook.verifies_tls,
            "GitHub does not verify the bot's certificate",
            "enable SSL verification in the App's settings",
        ),
    ]
    found = [spot.problem(what, hint) for is_wrong, what, hint in checks if is_wrong]
    yield from found or [spot.ok(f"GitHub sends signed webhooks to {hook.url}")]


def examine_deliveries(app: GitHubApp, now: datetime) -> Iterator[DoctorFinding]:
    """Looks at the deliveries of the last day. Raises HostError."""
    attempts: dict[str, list[HookDelivery]] = defaultdict(list)
    for attempt in app.deliveries(now - DAY):
        attempts[attempt.guid].append(attempt)
    spot = Spot(Area.WEBHOOK, "the App's settings, Advanced, Recent deliveries")
    if not attempts:
        yield spot.warning(
            "GitHub sent nothing in the last day",
            "install the App and open a pull request; until then it is unknown whether GitHub can reach the bot",
        )
        return
    lost = [tries[0] for tries in attempts.values() if not any(one.arrived for one in tries)]
    newest = next(iter(attempts.values()))[0]
    if newest in lost:
        why, hint = _refusal(newest.status_code)
        yield spot.problem(
            f"the newest delivery ({newest.event}, {newest.delivered_at:%Y-%m-%d %H:%M} UTC) {why}", hint
        )
    elif lost:
        yield spot.warning(
            f"{len(lost)} of {len(attempts)} deliveries of the last day were lost",
            "nothing to do: a worker fetches lost deliveries; look into the outage at that time",
        )
    else:
        yield spot.ok(f"all {len(attempts)} deliveries of the last day arrived")


def _refusal(status: int) -> tuple[str, str]:
    """Returns what a status code of the webhook's answer means, and how to fix it."""
    if status == 401:
        return (
            "was refused: the secrets differ",
            "give the bot the webhook secret of the App's settings, or set a new one in both",
        )
    if status == 404:
        return "was not answered by the bot (404)", "the address must end in /webhook and lead to the bot"
    if status == 503:
        return "couldn't be stored (503)", "look at the bot's log and its database"
    return f"didn't arrive ({status})", "start the bot, and make its address reachable from GitHub over https"


def examine_installations(app: GitHubApp, settings: Settings, only: str | None) -> Iterator[DoctorFinding]:
    """Looks at each installation, and at the rulesets of its repositories. Raises HostError."""
    installed = app.installations()
    if not installed:
        yield Spot(Area.INSTALLATION, app.itself().url).warning(
            "the App is not installed anywhere", "open that page and install it on the repositories to gate"
        )
    covered: list[tuple[Installation, HostedRepository]] = []
    for one in installed:
        spot = Spot(Area.INSTALLATION, one.account)
        yield from spot.guard(partial(_installation, one, settings))
        if not one.suspended:
            yield from spot.guard(partial(_cover, app, one, covered))
    wanted = [(one, repository) for one, repository in covered if only in (None, repository.full_name)]
    for one, repository in wanted[:MOST_REPOSITORIES]:
        yield from Spot(Area.RULESET, repository.full_name).guard(partial(_pinned, app, one, repository))
    if len(wanted) > MOST_REPOSITORIES:
        yield Spot(Area.RULESET, "the App's installations").warning(
            f"{len(wanted) - MOST_REPOSITORIES} repositories were not examined",
            "examine one with --repository OWNER/NAME",
        )
    if only is not None and not wanted:
        yield Spot(Area.INSTALLATION, only).problem(
            f"no installation covers {only}", "install the App there, or correct the name"
        )


def _cover(
    app: GitHubApp, one: Installation, covered: list[tuple[Installation, HostedRepository]]
) -> Iterator[DoctorFinding]:
    """Adds the installation's repositories to ``covered``. Has a finding only if GitHub can't be asked."""
    covered += [(one, repository) for repository in app.repositories(one.id)]
    yield from ()


def _installation(one: Installation, settings: Settings) -> Iterator[DoctorFinding]:
    page = f"{settings.server_url}/settings/installations/{one.id} (of {one.account})"
    spot = Spot(Area.INSTALLATION, page)
    if one.suspended:
        yield spot.warning(f"{one.account} suspended the App", "its owner can unsuspend it on this page")
        return
    missing = missing_permissions(one.permissions)
    for permission in missing:
        yield spot.problem(
            f"{one.account} hasn't granted {permission}",
            "an owner must accept the App's new permissions on this page",
        )
    if not missing:
        yield spot.ok(f"{one.account} granted every permission")


def _pinned(app: GitHubApp, installation: Installation, repository: HostedRepository) -> Iterator[DoctorFinding]:
    name, branch = repository.full_name, repository.default_branch
    required = app.host(installation.id, name).required_checks(branch)
    owners = {check.app_id for check in required if check.name == NAME}
    spot = Spot(Area.RULESET, f"{name}, branch {branch}: Settings, Rules, Rulesets")
    hint = "import ruleset.json of `promptverdict bot setup` there, or choose this App as the check's source"
    if app.app_id in owners:
        yield spot.ok(f"{name} requires {NAME} from this App")
    elif owners - {None}:
        yield spot.problem(f"{name} requires {NAME} from another App", hint)
    elif owners:
        yield spot.problem(
            f"{name} requires {NAME} from anyone: every person with write access can report it as passed", hint
        )
    else:
        yield spot.warning(f"{name} doesn't require {NAME}: blocked pull requests can be merged", hint)
