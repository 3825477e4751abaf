"""``promptverdict doctor``: examines an installation and says how to fix what is wrong.

It changes nothing, pays for at most one token per provider key, and shows no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TextIO

from adapters.masking import encodings
from bot.operations.doctor.database_checks import examine_database
from bot.operations.doctor.github_checks import examine_app, examine_deliveries, examine_installations, examine_webhook
from bot.operations.doctor.page_checks import examine_pages
from bot.operations.doctor.provider_checks import examine_providers
from bot.operations.doctor.report import Area, DoctorFinding, Level, Spot, as_json, as_text, worst
from bot.settings import Settings, read_settings

FINE, FOUND = 0, 1
"""Exit codes: no problem; at least one."""


def doctor(
    variables: Mapping[str, str], stream: TextIO, *, now: datetime, as_document: bool = False, only: str | None = None
) -> int:
    """Examines the installation that the environment ``variables`` describe, and writes the findings to ``stream``.

    ``only`` limits the rulesets to one repository. Returns the exit code: 1 for a problem, else 0. Raises UsageError
    for settings that the bot would not start with.
    """
    settings = read_settings(variables)
    findings = examine(settings, now=now, only=only)
    text = as_json(findings) if as_document else as_text(findings)
    for secret in settings.secrets:
        for form in encodings(secret):
            text = text.replace(form, "***")
    stream.write(text)
    return FOUND if worst(findings) is Level.PROBLEM else FINE


def examine(settings: Settings, *, now: datetime, only: str | None = None) -> tuple[DoctorFinding, ...]:
    """Returns every finding. A part that can't be examined is a finding too."""
    from adapters.github.app import GitHubApp

    app = GitHubApp(
        settings.app_id, settings.private_key.get_secret_value(), api_url=settings.api_url, proxy=settings.proxy,
        ca_bundle=settings.ca_bundle, deadline_s=60,
    )  # fmt: skip
    parts: list[tuple[Spot, Callable[[], Iterator[DoctorFinding]]]] = [
        (Spot(Area.APP, settings.api_url), partial(examine_app, app, settings)),
        (Spot(Area.WEBHOOK, "the App's webhook settings"), partial(examine_webhook, app)),
        (Spot(Area.WEBHOOK, "the App's recent deliveries"), partial(examine_deliveries, app, now)),
        (Spot(Area.INSTALLATION, "the App's installations"), partial(examine_installations, app, settings, only)),
        (Spot(Area.PAGES, settings.server_url), partial(examine_pages, app, settings)),
        (Spot(Area.PROVIDER, "the keys"), partial(examine_providers, settings)),
        (Spot(Area.DATABASE, "the database"), partial(examine_database, settings, now)),
    ]
    return tuple(finding for spot, look in parts for finding in spot.guard(look))
