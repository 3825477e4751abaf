"""Registers the App: a local page sends the manifest to GitHub and receives the App's key and secret.

docs.github.com: “Registering a GitHub App from a manifest”. The key and the secret go into files and nowhere else.
"""

from __future__ import annotations

import hmac
import html
import json
import os
import re
import secrets
import shlex
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import JsonValue

from bot.operations.app_manifest import LONGEST_NAME, AppRegistration, manifest, ruleset, site_of
from bot.variables import (
    API_URL,
    APP_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    FILE,
    PRIVATE_KEY,
    PUBLIC_API,
    PUBLIC_URL,
    WEBHOOK_SECRET,
)
from schemas.errors import HostError, UsageError
from schemas.values import Value

PUBLIC_SERVER = "https://github.com"
KEY, SECRET, CLIENT, SETTINGS, RULESET = "app.pem", "webhook-secret", "client-secret", "app.env", "ruleset.json"
HOUR_S = 3600.0
"""Seconds: GitHub's limit for the whole flow."""
LOOPBACK = "127.0.0.1"
ACCOUNT = re.compile("[0-9A-Za-z](?:[0-9A-Za-z-]{0,38})")


class AppSetup(Value):
    """The App to register, and where its files go."""

    webhook_url: str
    name: str = "Prompt Verdict"
    organization: str | None = None
    """``None`` for the account of the person who opens the page."""
    folder: Path
    server_url: str = PUBLIC_SERVER
    port: int = 0
    """The port of the local page; 0 for any free one."""
    opens_pull_requests: bool = False
    deploys: bool = False
    opens_issues: bool = False
    proxy: str | None = None
    ca_bundle: str | None = None


def setup(plan: AppSetup, stream: TextIO, *, wait_s: float = HOUR_S) -> None:
    """Registers the App, writes its files, and reports every step on ``stream``.

    Raises UsageError for a plan that can't work, before anything happens, and HostError if GitHub refuses.
    """
    _examine(plan)
    folder = _empty_places(plan.folder)
    page = RegistrationPage(plan)
    try:
        stream.write(_before(plan, page))
        stream.flush()
        code = page.wait(wait_s)
    finally:
        page.close()
    from adapters.github.app import convert_manifest

    made = convert_manifest(code, api_url=api_url_of(plan.server_url), proxy=plan.proxy, ca_bundle=plan.ca_bundle)
    app_id, slug = made.get("id"), made.get("slug")
    if not isinstance(app_id, int) or not isinstance(slug, str):
        raise HostError(
            "GitHub's answer names no App", hint="look at the account's Developer settings, then start over"
        )
    _write(folder, plan, app_id, made)
    stream.write(_after(folder, plan, app_id, slug))


def api_url_of(server_url: str) -> str:
    """Returns the API of a GitHub: github.com and ghe.com have a host for it, Enterprise Server a path."""
    host = urlsplit(server_url).netloc
    if server_url == PUBLIC_SERVER:
        return PUBLIC_API
    return f"https://api.{host}" if host.endswith(".ghe.com") else f"{server_url}/api/v3"


def _examine(plan: AppSetup) -> None:
    _examine_webhook(plan.webhook_url)
    if not plan.name.strip() or len(plan.name) > LONGEST_NAME:
        raise UsageError(f"an App's name has 1 to {LONGEST_NAME} characters", where="--name")
    if plan.organization is not None and not ACCOUNT.fullmatch(plan.organization):
        raise UsageError(
            "this is not the name of an organization", where="--organization", hint="as in github.com/NAME"
        )
    _examine_server(plan.server_url)


def _examine_webhook(url: str) -> None:
    hook = urlsplit(url)
    if hook.scheme != "https" or not hook.hostname or hook.query or hook.fragment or hook.username:
        raise UsageError(
            "GitHub can't send webhooks to this URL", where="--webhook-url",
            hint="for example https://verdict.example.com/webhook",
        )  # fmt: skip
    if hook.path != "/webhook":
        raise UsageError(
            "the bot takes webhooks at /webhook", where="--webhook-url", hint=f"https://{hook.netloc}/webhook"
        )


def _examine_server(url: str) -> None:
    server = urlsplit(url)
    # Plain http only to this machine, as for tests: the answer contains the App's private key.
    safe = server.scheme == "https" or (server.scheme == "http" and server.hostname in {LOOPBACK, "localhost"})
    if not safe or not server.hostname or server.path or server.query or server.username:
        raise UsageError(
            "this is not a GitHub URL", where="--github", hint=f"{PUBLIC_SERVER} or https://github.example.com"
        )


def _empty_places(folder: Path) -> Path:
    """Creates the folder for this user only and checks that it has none of our files.

    The code from GitHub works only once, so this is checked first.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be created: {error.strerror}", where="--output") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} can't be written", where="--output", hint="name a folder that this user can write")
    there = [name for name in (KEY, SECRET, CLIENT, SETTINGS, RULESET) if os.path.lexists(folder / name)]
    if there:
        raise UsageError(
            f"{folder} already has {', '.join(there)}", where="--output",
            hint="these may be the keys of an App in use: move them away, or name another folder",
        )  # fmt: skip
    return folder


def _write(folder: Path, plan: AppSetup, app_id: int, made: dict[str, JsonValue]) -> None:
    key, secret = made.get("pem"), made.get("webhook_secret")
    client, client_secret = made.get("client_id"), made.get("client_secret")
    settings = {APP_ID.name: str(app_id), PRIVATE_KEY.name + FILE: str(folder / KEY)}
    settings |= {WEBHOOK_SECRET.name + FILE: str(folder / SECRET)}
    if plan.server_url != PUBLIC_SERVER:
        settings[API_URL.name] = api_url_of(plan.server_url)
    signs_in = isinstance(client, str) and isinstance(client_secret, str) and bool(client and client_secret)
    if signs_in:
        settings |= {CLIENT_ID.name: str(client), CLIENT_SECRET.name + FILE: str(folder / CLIENT)}
        settings[PUBLIC_URL.name] = site_of(plan.webhook_url)
    # The key first: it can't be downloaded again, while everything else can be set on the settings page.
    _new_file(folder / KEY, key if isinstance(key, str) else "")
    if signs_in:
        _new_file(folder / CLIENT, f"{client_secret}\n")
    _new_file(folder / SETTINGS, "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
    _new_file(folder / RULESET, json.dumps(ruleset(app_id), indent=2) + "\n")
    if not isinstance(secret, str) or not secret:
        raise HostError(
            "GitHub made the App without a webhook secret", hint=f"set one in its settings and in {folder / SECRET}"
        )
    _new_file(folder / SECRET, secret + "\n")


def _new_file(path: Path, text: str) -> None:
    """Writes a file for this user only, never over a file or through a link. Raises UsageError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # GitHub shows the key only once, so it must be on disk before the next step.
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(
            f"the App is registered, but {path} can't be written: {error.strerror}",
            hint="make a new key, or delete the App, on its settings page",
        ) from None


class RegistrationPage:
    """A local page with one button, and the address that GitHub sends the browser back to."""

    def __init__(self, plan: AppSetup) -> None:
        # Binds GitHub's answer to this page: otherwise another website could send us the code of its own App.
        self.state = secrets.token_urlsafe(24)
        self.code: str | None = None
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, plan.port), _handler(self))
        except OSError as error:
            raise UsageError(f"port {plan.port} can't be used: {error.strerror}", where="--port") from None
        self._server.daemon_threads = True  # browsers open connections that they never use, and these must not block
        self._server.block_on_close = False
        # Short, so that the time limit and Ctrl-C are noticed soon.
        self._server.timeout = 0.2
        self.host = f"{LOOPBACK}:{self._server.server_port}"
        self.address = f"http://{self.host}/"
        self.server_url = plan.server_url
        account = f"/organizations/{quote(plan.organization)}" if plan.organization else ""
        self.target = f"{plan.server_url}{account}/settings/apps/new?state={self.state}"
        self.registration = AppRegistration(
            name=plan.name,
            webhook_url=plan.webhook_url,
            redirect_url=f"{self.address}made",
            opens_pull_requests=plan.opens_pull_requests,
            deploys=plan.deploys,
            opens_issues=plan.opens_issues,
        )
        self.manifest = json.dumps(manifest(self.registration))

    def wait(self, seconds: float) -> str:
        """Waits for the code from GitHub. Raises UsageError after ``seconds``."""
        end = time.monotonic() + seconds
        while self.code is None:
            if time.monotonic() > end:
                raise UsageError("the App was not registered within an hour", hint="start over")
            self._server.handle_request()
        return self.code

    def close(self) -> None:
        """Stops listening."""
        self._server.server_close()

    def text(self) -> str:
        """Returns the page with the button."""
        return (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Prompt Verdict: register the App</title>"
            "<h1>Register the GitHub App</h1><p>GitHub shows its name and permissions before it creates anything.</p>"
            f'<form method=post action="{html.escape(self.target)}">'
            f'<input type=hidden name=manifest value="{html.escape(self.manifest)}">'
            "<button>Register on GitHub</button></form></html>"
        )


DONE = "<!doctype html><html lang=en><meta charset=utf-8><title>Prompt Verdict</title><p>Back to the terminal.</html>"


def _handler(page: RegistrationPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5
        """Seconds: a silent connection does not block the flow."""

        def log_message(self, *_: object) -> None:
            """Logs nothing: the request line may hold the code."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            # DNS rebinding: another website may point its own name at this address.
            if self.headers.get("host") != page.host:
                self._answer(HTTPStatus.FORBIDDEN, "wrong host")
            elif parts.path == "/":
                self._answer(HTTPStatus.OK, page.text())
            elif parts.path != "/made":
                self._answer(HTTPStatus.NOT_FOUND, "not found")
            elif not hmac.compare_digest(query.get("state", "").encode(), page.state.encode()) or "code" not in query:
                self._answer(HTTPStatus.FORBIDDEN, "this is not the answer to our request: start over")
            else:
                page.code = query["code"]
                self._answer(HTTPStatus.OK, DONE)

        def _answer(self, status: HTTPStatus, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(data)))
            self.send_header("cache-control", "no-store")
            self.send_header("referrer-policy", "no-referrer")
            self.send_header("content-security-policy", f"default-src 'none'; form-action {page.server_url}")
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _before(plan: AppSetup, page: RegistrationPage) -> str:
    address = page.address
    port = urlsplit(address).port
    asked = ", ".join(f"{name}: {level}" for name, level in page.registration.permissions.items())
    return (
        f"1. Open {address} in a browser and press the button.\n"
        f"   (From another machine: ssh -L {port}:{LOOPBACK}:{port} here, then open the same address.)\n"
        f"   GitHub will show an App “{plan.name}” with webhooks to {plan.webhook_url} and\n"
        f"   {asked}.\n"
        "   Waiting …\n"
    )


def _after(folder: Path, plan: AppSetup, app_id: int, slug: str) -> str:
    public = plan.server_url == PUBLIC_SERVER
    installing = f"{plan.server_url}/{'apps' if public else 'github-apps'}/{slug}/installations/new"
    gh = "gh api" if public else f"gh api --hostname {urlsplit(plan.server_url).netloc}"
    return (
        f"2. The App “{slug}” is registered; its id is {app_id}. In {folder}, for this user only:\n"
        f"   {KEY}, {SECRET}, {CLIENT}, {SETTINGS} (names the three), {RULESET}\n"
        f"3. Install it on the repositories to gate: {installing}\n"
        f"4. Give it the keys of your model providers (OPENAI_API_KEY, ANTHROPIC_API_KEY) and start it:\n"
        f"   set -a; . {shlex.quote(str(folder / SETTINGS))}; set +a; promptverdict bot\n"
        "5. Pin the check to this App in each repository, so that no one else can report it (needs an administrator):\n"
        f"   {gh} -X POST repos/OWNER/NAME/rulesets --input {shlex.quote(str(folder / RULESET))}\n"
        "   or on GitHub: Settings, Rules, Rulesets, New ruleset, Import a ruleset. It contains:\n\n"
        f"{json.dumps(ruleset(app_id), indent=2)}\n\n"
        "6. Check everything: promptverdict doctor\n"
    )
