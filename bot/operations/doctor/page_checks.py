"""Doctor's look at the pages: whether people can sign in, and whether they can open pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.operations.app_manifest import CALLBACK, PROPOSING, missing_permissions
from bot.operations.doctor.report import Area, DoctorFinding, Spot

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.settings import Settings, SiteSettings
    from schemas.host import HostedApp

UNKNOWN_CLIENT, WRONG_CALLBACK, WRONG_CODE = (
    "incorrect_client_credentials", "redirect_uri_mismatch", "bad_verification_code",
)  # fmt: skip
"""docs.github.com: “Troubleshooting OAuth app access token request errors”."""


def examine_pages(app: GitHubApp, settings: Settings) -> Iterator[DoctorFinding]:
    """Tries the sign-in as far as that works without a person. Nothing for a bot without pages. Raises HostError."""
    if settings.site is None:
        return
    itself = app.itself()
    yield from _sign_in(app, settings, settings.site, itself)
    yield from _proposing(app, settings, itself)


def _sign_in(app: GitHubApp, settings: Settings, site: SiteSettings, itself: HostedApp) -> Iterator[DoctorFinding]:
    from adapters.github.sign_in import GitHubSignIn

    callback = site.public_url + CALLBACK
    spot = Spot(Area.PAGES, f"{itself.url or settings.server_url}: App settings, General")
    if itself.client_id not in (None, site.client_id):
        yield spot.problem(
            f"PROMPTVERDICT_CLIENT_ID is not that of {itself.slug}", f"set it to {itself.client_id}, and its secret"
        )
        return
    github = GitHubSignIn(
        site.client_id, site.client_secret.get_secret_value(), server_url=settings.server_url,
        api_url=settings.api_url, proxy=settings.proxy, ca_bundle=settings.ca_bundle,
    )  # fmt: skip
    match github.refusal(callback):
        case error if error == UNKNOWN_CLIENT:
            yield spot.problem(
                "GitHub refuses the client secret: nobody can sign in to the pages",
                "create a client secret there, and set PROMPTVERDICT_CLIENT_SECRET to it",
            )
        case error if error == WRONG_CALLBACK:
            yield spot.problem(f"{callback} is not a callback URL of the App", "add it there")
        case error if error == WRONG_CODE:
            yield spot.ok("GitHub accepts the client id and secret of the pages")
        case error:
            yield spot.warning(f"GitHub answered the sign-in with {error or 'nothing'}", "sign in once to see why")
    # GitHub shows an App's callback URLs to nobody. Setup registers the one at the host of the webhook.
    if urlsplit(app.hook().url).netloc != urlsplit(site.public_url).netloc:
        yield spot.warning(
            "the pages have another host than the webhook, and GitHub doesn't show the App's callback URLs",
            f"check that {callback} is one of them",
        )


def _proposing(app: GitHubApp, settings: Settings, itself: HostedApp) -> Iterator[DoctorFinding]:
    spot = Spot(Area.PAGES, f"{itself.url or settings.server_url}: App settings, Permissions & events")
    if missing_permissions(itself.permissions, PROPOSING):
        yield spot.ok("the pages give patches; with contents: write people could open pull requests there")
        return
    yield spot.ok("people with write access open pull requests from the pages")
    for one in app.installations():
        if not one.suspended and missing_permissions(one.permissions, PROPOSING):
            page = f"{settings.server_url}/settings/installations/{one.id} (of {one.account})"
            yield Spot(Area.PAGES, page).warning(
                f"{one.account} hasn't granted contents: write, so the pages give patches there",
                "an owner can accept the App's new permissions on this page",
            )
