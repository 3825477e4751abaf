"""``promptverdict doctor``: looks at an installation from every side and says how to mend what is wrong.

It changes nothing, pays at most one token for each key, and shows no secret.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from adapters.masking import encodings
from adapters.providers.registry import KEYS, provider_for
from bot.operations.app_manifest import missing_events, missing_permissions
from bot.operations.doctor.findings import Finding, Level, as_json, as_text, worst
from bot.settings import Settings, read_settings
from bot.variables import KEY_ORIGINS
from engine.check_names import NAME
from schemas.config import ModelConfig, ProviderName
from schemas.errors import PromptVerdictError
from schemas.outcomes import CompletionError, ErrorKind
from schemas.prompts import Message, Parameters, Request, Role

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.store.records import Records
    from schemas.host import HookDelivery, HostedRepository, Installation

DAY = timedelta(days=1)
DEAD = timedelta(minutes=2)
"""A worker says every few seconds that it lives."""
SLOW = timedelta(minutes=10)
MOST_REPOSITORIES = 100
CALL_S = 30.0
CHEAP = {ProviderName.OPENAI: "gpt-4.1-nano", ProviderName.ANTHROPIC: "claude-haiku-4-5"}
"""Models that a token is asked of."""
NO_MODEL = "prompt-verdict-doctor"
"""Of a server whose models we don't know: it says whether it knows the key all the same."""
FINE, FOUND = 0, 1


def doctor(
    variables: Mapping[str, str], stream: TextIO, *, now: datetime, as_document: bool = False, only: str | None = None
) -> int:
    """Examines the installation that ``variables`` (the environment) describe. The exit code: 1 for a problem, else 0.

    ``only``: look at the rulesets of this repository alone. Raises UsageError for settings that start no bot.
    """
    settings = read_settings(variables)
    findings = examine(settings, now=now, only=only)
    text = as_json(findings) if as_document else as_text(findings)
    for secret in settings.secrets:
        for form in encodings(secret):
            text = text.replace(form, "***")
    stream.write(text)
    return FOUND if worst(findings) is Level.PROBLEM else FINE


def examine(settings: Settings, *, now: datetime, only: str | None = None) -> tuple[Finding, ...]:
    """Every finding. What can't be looked at is a finding itself."""
    from adapters.github.app import GitHubApp

    app = GitHubApp(
        settings.app_id, settings.private_key.get_secret_value(), api_url=settings.api_url, proxy=settings.proxy,
        ca_bundle=settings.ca_bundle, deadline_s=60,
    )  # fmt: skip
    parts: list[tuple[str, str, Callable[[], Iterator[Finding]]]] = [
        ("app", settings.api_url, partial(_app, app, settings)),
        ("webhook", "the App's webhook settings", partial(_webhook, app)),
        ("webhook", "the App's recent deliveries", partial(_delivered, app, now)),
        ("installation", "the App's installations", partial(_installations, app, settings, only)),
        ("provider", "the keys", partial(_providers, settings)),
        ("database", "the database", partial(_database, settings, now)),
    ]
    return tuple(finding for area, where, look in parts for finding in _told(area, where, look))


def _told(area: str, where: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except PromptVerdictError as error:
        yield Finding(
            area=area, level=Level.PROBLEM, what=error.what, where=error.where or where,
            mend=error.mend or "mend it and run doctor again",
        )  # fmt: skip


def _app(app: GitHubApp, settings: Settings) -> Iterator[Finding]:
    itself = app.itself()
    pages = f"{itself.url or settings.server_url}: App settings, Permissions & events"
    yield Finding(area="app", level=Level.OK, what=f"{itself.slug} (id {itself.id}) signs in", where=settings.api_url)
    for permission in missing_permissions(itself.permissions):
        yield Finding(
            area="app", level=Level.PROBLEM, what=f"it doesn't ask for {permission}", where=pages,
            mend=f"grant `{permission}` there; then each account must accept it",
        )  # fmt: skip
    for event in missing_events(itself.events):
        yield Finding(
            area="app", level=Level.PROBLEM, what=f"it isn't told of {event}", where=pages,
            mend=f"subscribe to `{event}` there",
        )  # fmt: skip


def _webhook(app: GitHubApp) -> Iterator[Finding]:
    hook = app.hook()
    where = hook.url or "the App's webhook settings"
    wrong = [
        (not hook.url, "GitHub has no address for webhooks", "enter https://HOST/webhook in the App's settings"),
        (
            bool(hook.url) and urlsplit(hook.url).path != "/webhook",
            "the bot takes webhooks at /webhook",
            "mend the path",
        ),
        (hook.content_type != "json", "webhooks come as a form", "set the content type to application/json"),
        (not hook.has_secret, "webhooks aren't signed", "set the webhook secret in the App's settings too"),
        (
            not hook.verifies_tls,
            "GitHub doesn't check who it sends to",
            "enable SSL verification in the App's settings",
        ),
    ]
    found = [(what, mend) for is_so, what, mend in wrong if is_so]
    for what, mend in found:
        yield Finding(area="webhook", level=Level.PROBLEM, what=what, where=where, mend=mend)
    if not found:
        yield Finding(area="webhook", level=Level.OK, what=f"GitHub sends to {hook.url}, signed", where=where)


def _delivered(app: GitHubApp, now: datetime) -> Iterator[Finding]:
    attempts: dict[str, list[HookDelivery]] = defaultdict(list)
    for attempt in app.deliveries(now - DAY):
        attempts[attempt.guid].append(attempt)
    where = "the App's settings, Advanced, Recent deliveries"
    if not attempts:
        yield Finding(
            area="webhook", level=Level.WARNING, what="GitHub sent nothing in the last day", where=where,
            mend="install the App and open a pull request; until then nobody knows whether the bot can be reached",
        )  # fmt: skip
        return
    lost = [tries[0] for tries in attempts.values() if not any(one.arrived for one in tries)]
    newest = next(iter(attempts.values()))[0]
    if newest in lost:
        why, mend = _refusal(newest.status_code)
        yield Finding(
            area="webhook", level=Level.PROBLEM, where=where, mend=mend,
            what=f"the newest delivery ({newest.event}, {newest.delivered_at:%Y-%m-%d %H:%M} UTC) {why}",
        )  # fmt: skip
    elif lost:
        yield Finding(
            area="webhook", level=Level.WARNING, what=f"{len(lost)} of {len(attempts)} deliveries of a day were lost",
            where=where, mend="none: a worker takes up what was lost; look at the time of the outage",
        )  # fmt: skip
    else:
        yield Finding(
            area="webhook", level=Level.OK, what=f"all {len(attempts)} deliveries of the last day arrived", where=where
        )


def _refusal(status: int) -> tuple[str, str]:
    if status == 401:
        return (
            "was refused: the secrets differ",
            "give the bot the webhook secret of the App's settings, or set it anew",
        )
    if status == 404:
        return "met something else than the bot (404)", "the address must end in /webhook and lead to the bot"
    if status == 503:
        return "couldn't be stored (503)", "look at the bot's log and its database"
    return (
        f"didn't arrive ({status})",
        "the bot must run, and its address be reachable from GitHub over https",
    )


def _installations(app: GitHubApp, settings: Settings, only: str | None) -> Iterator[Finding]:
    installed = app.installations()
    if not installed:
        yield Finding(
            area="installation", level=Level.WARNING, what="nobody installed the App", where=app.itself().url,
            mend="open that page and install it on the repositories that it shall gate",
        )  # fmt: skip
    covered: list[tuple[Installation, HostedRepository]] = []
    for one in installed:
        yield from _told("installation", one.account, partial(_installation, one, settings))
        if not one.suspended:
            yield from _told("installation", one.account, partial(_cover, app, one, covered))
    wanted = [(one, repository) for one, repository in covered if only in (None, repository.full_name)]
    for one, repository in wanted[:MOST_REPOSITORIES]:
        yield from _told("ruleset", repository.full_name, partial(_pinned, app, one, repository))
    if len(wanted) > MOST_REPOSITORIES:
        yield Finding(
            area="ruleset", level=Level.WARNING, what=f"{len(wanted) - MOST_REPOSITORIES} repositories were left out",
            where="the App's installations", mend="look at one with --repository OWNER/NAME",
        )  # fmt: skip
    if only is not None and not wanted:
        yield Finding(
            area="installation", level=Level.PROBLEM, what=f"no installation covers {only}", where=only,
            mend="install the App there, or mend the name",
        )  # fmt: skip


def _cover(
    app: GitHubApp, one: Installation, covered: list[tuple[Installation, HostedRepository]]
) -> Iterator[Finding]:
    """Adds to ``covered``; finds nothing unless GitHub can't be asked."""
    covered += [(one, repository) for repository in app.repositories(one.id)]
    yield from ()


def _installation(one: Installation, settings: Settings) -> Iterator[Finding]:
    where = f"{settings.server_url}/settings/installations/{one.id} (of {one.account})"
    if one.suspended:
        yield Finding(
            area="installation", level=Level.WARNING, what=f"{one.account} suspended the App", where=where,
            mend="its owner can lift that on this page",
        )  # fmt: skip
        return
    missing = missing_permissions(one.permissions)
    for permission in missing:
        yield Finding(
            area="installation", level=Level.PROBLEM, what=f"{one.account} hasn't granted {permission}", where=where,
            mend="an owner must accept the App's new permissions on this page",
        )  # fmt: skip
    if not missing:
        yield Finding(area="installation", level=Level.OK, what=f"{one.account} granted what is needed", where=where)


def _pinned(app: GitHubApp, installation: Installation, repository: HostedRepository) -> Iterator[Finding]:
    name, branch = repository.full_name, repository.default_branch
    required = app.host(installation.id, name).required_checks(branch)
    owners = {check.app_id for check in required if check.name == NAME}
    where = f"{name}, branch {branch}: Settings, Rules, Rulesets"
    mend = "import ruleset.json of `promptverdict bot setup` there, or choose this App as the check's source"
    if app.app_id in owners:
        yield Finding(area="ruleset", level=Level.OK, what=f"{name} requires {NAME} of this App", where=where)
    elif owners - {None}:
        what = f"{name} requires {NAME} of another App"
        yield Finding(area="ruleset", level=Level.PROBLEM, what=what, where=where, mend=mend)
    elif owners:
        what = f"{name} requires {NAME} of anybody: whoever may write can report it as passed"
        yield Finding(area="ruleset", level=Level.PROBLEM, what=what, where=where, mend=mend)
    else:
        what = f"{name} doesn't require {NAME}: what it blocks can be merged"
        yield Finding(area="ruleset", level=Level.WARNING, what=what, where=where, mend=mend)


def _providers(settings: Settings) -> Iterator[Finding]:
    own = {name: provider for provider, name in KEYS.items()}
    if not settings.keys:
        yield Finding(
            area="provider", level=Level.WARNING, what="there is no key of any model provider", where="the environment",
            mend=f"set {', '.join(own)}, or name others in {KEY_ORIGINS.name}; without one nothing can be measured",
        )  # fmt: skip
    for name in settings.keys:
        provider = own.get(name, ProviderName.OPENAI)
        model = ModelConfig(
            provider=provider, model=CHEAP[provider] if name in own else NO_MODEL, parameters=Parameters(max_tokens=1),
            base_url=None if name in own else settings.origins[name], api_key_env=None if name in own else name,
        )  # fmt: skip
        yield from _told("provider", name, partial(_asked, settings, model, name))


def _asked(settings: Settings, model: ModelConfig, key: str) -> Iterator[Finding]:
    answer = asyncio.run(_one_token(settings, model))
    kind = answer.kind if isinstance(answer, CompletionError) else None
    where = f"{key} at {model.origin}"
    if kind in (None, ErrorKind.BAD_REQUEST, ErrorKind.MALFORMED):
        said = "answers" if kind is None else "is reached and doesn't mind the key"
        yield Finding(area="provider", level=Level.OK, what=f"{urlsplit(model.origin).hostname} {said}", where=where)
        return
    mends = {
        ErrorKind.AUTHENTICATION: f"put a valid key into {key}",
        ErrorKind.QUOTA: "raise the account's quota, or pay its bill",
        ErrorKind.RATE_LIMITED: "none, if it passes: the bot waits and slows down by itself",
    }
    message = answer.message if isinstance(answer, CompletionError) else ""
    yield Finding(
        area="provider", level=Level.WARNING if kind is ErrorKind.RATE_LIMITED else Level.PROBLEM,
        what=f"{urlsplit(model.origin).hostname} refuses ({kind}): {message}", where=where,
        mend=mends.get(kind, "is it up, and does the way out (proxy, firewall) lead there?"),
    )  # fmt: skip


async def _one_token(settings: Settings, model: ModelConfig) -> object:
    provider = provider_for(model, settings.variables_for(model))
    request = Request(
        provider=model.provider.value, origin=model.origin, model=model.model, parameters=model.parameters,
        messages=(Message(role=Role.USER, content="hi"),),
    )  # fmt: skip
    try:
        return await provider.complete(request, repetition=0, timeout_s=CALL_S)
    finally:
        await provider.aclose()


def _database(settings: Settings, now: datetime) -> Iterator[Finding]:
    from bot.store.records import Records

    if settings.database_url.startswith("sqlite:///"):
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        if not path.exists():
            yield Finding(
                area="database", level=Level.WARNING, what="there is none yet", where=str(path),
                mend="start the bot once: it makes its tables",
            )  # fmt: skip
            return
    records = Records(settings.database_url)
    try:
        records.check()
        yield Finding(area="database", level=Level.OK, what="its tables are up to date", where="the database")
        yield from _work(records, now)
    finally:
        records.close()


def _work(records: Records, now: datetime) -> Iterator[Finding]:
    dead, failed, waiting = records.dead_slots(now - DEAD), records.failed_count(), records.oldest_unhandled()
    for slot in dead:
        yield Finding(
            area="workers", level=Level.WARNING, what=f"worker {slot} wasn't heard of for two minutes", where=slot,
            mend="start it again under the same PROMPTVERDICT_SLOT, or let the others take its runs over",
        )  # fmt: skip
    if waiting is not None and now - waiting > SLOW:
        yield Finding(
            area="deliveries", level=Level.PROBLEM, where="the database", mend="is a worker running? look at its log",
            what=f"{records.unhandled_count()} webhooks wait, the oldest since {waiting:%Y-%m-%d %H:%M} UTC",
        )  # fmt: skip
    if failed:
        yield Finding(
            area="deliveries", level=Level.PROBLEM, where="the database", what=f"{failed} webhooks failed",
            mend="look for them in the log; deliver them again in the App's settings, Advanced",
        )  # fmt: skip
    if not dead and not failed and (waiting is None or now - waiting <= SLOW):
        yield Finding(
            area="workers", level=Level.OK, what="no webhook waits, no worker is missing", where="the database"
        )
