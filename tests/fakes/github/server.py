"""The HTTP side: connections, authentication, limits, faults, the record of what was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import tests.fakes.github.contents  # noqa: F401 - registers its routes
from tests.fakes.github.git import BareRepository
from tests.fakes.github.identity import App, Identity, new_token
from tests.fakes.github.oauth import OAuth
from tests.fakes.github.openapi import description
from tests.fakes.github.routes import ROUTES, Refusal, Reply, Request
from tests.fakes.github.state import Hook, Json, Repository
from tests.fakes.github.webhooks import Webhooks

ACTIONS_BOT = "github-actions[bot]"
WRITES_A_MINUTE = 80
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests that match ``method`` and ``path`` (a regular expression)."""

    method: str
    path: str
    status: int | None = None
    """Answer this instead of doing anything."""
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    """Do it, then cut the line before answering."""
    cut: bool = False
    """Cut the line before doing it."""
    delay_s: float = 0.0
    times: int = 1
    skip: int = 0
    """Let so many matching requests through first."""


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    login: str
    status: int


class FakeGitHub:
    """One GitHub. Use it as a context manager; ``api_url`` and ``server_url`` are where it listens."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        strict: bool = True,
        writes_a_minute: int = WRITES_A_MINUTE,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.lock = threading.RLock()
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, Identity] = {}
        self.apps: dict[int, App] = {}
        self.hooks: list[tuple[App | None, Hook]] = []
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.git_requests: list[str] = []
        self.violations: list[str] = []
        self.description = description() if strict else None
        self.webhooks = Webhooks(self)
        self.oauth = OAuth(self)
        self._ids = iter(range(1000, 10**9))
        self._writes: deque[float] = deque()
        self.writes_a_minute = writes_a_minute
        self.manifests: dict[str, Json] = {}
        """Codes of the manifest flow, each good once → the manifest that was posted."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> FakeGitHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def server_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def api_url(self) -> str:
        return self.server_url

    def next_id(self) -> int:
        return next(self._ids)

    def repository(self, full_name: str = "acme/shop", *, private: bool = False, **roles: str) -> Repository:
        """A new repository with an empty git repository behind it."""
        git = BareRepository(self.folder / f"{full_name.replace('/', '+')}.git")
        made = Repository(full_name, self.next_id(), git, private=private, roles=dict(roles))
        self.repositories[full_name] = made
        return made

    def user_token(self, login: str) -> str:
        return self._remember("ghp", Identity(login))

    def actions_token(self, repository: Repository, **permissions: str) -> str:
        """What ``secrets.GITHUB_TOKEN`` is in a run: bound to one repository, with the workflow's permissions."""
        only = frozenset({repository.full_name})
        return self._remember("ghs", Identity(ACTIONS_BOT, "Bot", {"metadata": "read", **permissions}, only, 15368))

    def installation_token(
        self, app: App, installation: int, names: frozenset[str], permissions: dict[str, str]
    ) -> str:
        identity = Identity(app.login, "Bot", {"metadata": "read", **permissions}, names, app.id, self.clock() + 3600)
        return self._remember("ghs", identity)

    def _remember(self, prefix: str, identity: Identity) -> str:
        token = new_token(prefix)
        self.tokens[token] = identity
        return token

    def app(self, slug: str, repositories: list[Repository], **permissions: str) -> tuple[App, int]:
        """A new App that is installed on ``repositories``: the App and the installation's id."""
        app = App.make(self.next_id(), slug, permissions, len(self.apps))
        installation = self.next_id()
        app.installations[installation] = frozenset(repository.full_name for repository in repositories)
        self.apps[app.id] = app
        return app, installation

    def fail(self, method: str, path: str, **how: Any) -> Fault:
        """Plans a fault; see ``Fault``."""
        fault = Fault(method, path, **how)
        self.faults.append(fault)
        return fault

    def count(self, method: str | None = None, path: str = "") -> int:
        """How many API requests arrived that match."""
        return sum(1 for a in self.asked if method in (None, a.method) and re.search(path, a.path))

    def identify(self, header: str) -> Identity:
        """Raises Refusal (401) for a token that nobody was given."""
        kind, _, value = header.partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        if not value:
            return Identity("", "Anonymous", {"metadata": "read"})
        if value.count(".") == 2:
            return self._app_identity(value)
        identity = self.tokens.get(value)
        if identity is None or (identity.expires_at is not None and identity.expires_at < self.clock()):
            raise Refusal(401, "Bad credentials")
        return identity

    def _app_identity(self, token: str) -> Identity:
        reasons = []
        for app in self.apps.values():
            reason = app.refuses(token)
            if reason is None:
                return Identity(app.login, "App", {}, frozenset(), app.id)
            reasons.append(reason)
        raise Refusal(401, reasons[-1] if reasons else "A JSON web token could not be decoded")

    def answer(self, request: Request) -> Reply:
        """Checks, authenticates, routes. Called with the lock held."""
        if self.description is not None:
            self.violations += self.description.complaints(
                request.method, request.path, request.raw_query, request.raw_body
            )
        try:
            request.identity = self.identify(request.headers.get("authorization", ""))
            self._throttle(request)
            for method, pattern, handler in ROUTES:
                match = pattern.fullmatch(request.path)
                if match and method == request.method:
                    reply: Reply = handler(self, request, **{k: unquote(v) for k, v in match.groupdict().items()})
                    if self.description is not None:
                        self.violations += self.description.lies(request.method, request.path, reply.status, reply.body)
                    return reply
            raise Refusal(404, "Not Found")
        except Refusal as refusal:
            return refusal.reply()

    def _throttle(self, request: Request) -> None:
        if request.method == "GET":
            return
        now = self.clock()
        while self._writes and now - self._writes[0] >= 60:
            self._writes.popleft()
        if len(self._writes) >= self.writes_a_minute:
            raise Refusal(403, SECONDARY, {"retry-after": "60"})
        self._writes.append(now)

    def archive(self, path: str, headers: Message) -> Reply:
        """An artifact's bytes. Another host on GitHub, which turns a second kind of authentication down."""
        if headers.get("authorization"):
            return Reply(400, {"message": "Only one authentication mechanism may be used"})
        repository, _, number = path.removeprefix("/_blobs/").partition("/")
        data = next(r.archives[int(number)] for r in self.repositories.values() if r.id == int(repository))
        return Reply(200, raw=data, headers={"content-type": "application/zip"})

    def fault_for(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method in (method, "*") and re.search(fault.path, path):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


def _unless_known(request: Request, reply: Reply) -> Reply:
    """A GET's answer with its ETag, which differs by token as GitHub's does; 304 for who has it already."""
    if request.method != "GET" or reply.status != 200 or reply.raw is not None:
        return reply
    told = json.dumps([reply.body, request.headers.get("authorization", "")]).encode()
    reply.headers["etag"] = f'W/"{hashlib.sha256(told).hexdigest()}"'
    if request.headers.get("if-none-match") != reply.headers["etag"]:
        return reply
    return Reply(304, headers={"etag": reply.headers["etag"]})


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        def _serve(self) -> None:
            body = self._body()
            parts = urlsplit(self.path)
            if re.search(r"\.git/(info/refs|git-upload-pack)$", parts.path):
                return self._git(parts.path, body)
            if parts.path.startswith("/_blobs/"):
                return self._send(github.archive(parts.path, self.headers))
            if parts.path.startswith("/login/oauth/"):
                with github.lock:
                    return self._send(github.oauth.answer(self.command, parts.path, parts.query, self.headers, body))
            path = parts.path.removeprefix("/api/v3")
            fault = github.fault_for(self.command, path)
            if fault is not None and fault.delay_s:
                time.sleep(fault.delay_s)
            if fault is not None and fault.cut:
                return self._cut()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, path, parts.query, headers, body, github.api_url)
            if fault is not None and fault.status is not None:
                reply = Reply(fault.status, {"message": fault.message}, dict(fault.headers))
            else:
                with github.lock:
                    reply = _unless_known(request, github.answer(request))
            github.asked.append(
                Asked(self.command, path, parse_qs(parts.query), request.json_or_none(), request.login, reply.status)
            )
            if fault is not None and fault.lost:
                return self._cut()
            return self._send(reply)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "") == "chunked":
                return b"".join(self._chunks())
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def _cut(self) -> None:
            """A reset, as when a proxy dies."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def _send(self, reply: Reply) -> None:
            data = (
                reply.raw
                if reply.raw is not None
                else json.dumps(reply.body).encode()
                if reply.body is not None
                else b""
            )
            self.send_response(reply.status)
            self.send_header("content-type", reply.headers.pop("content-type", "application/json; charset=utf-8"))
            self.send_header("content-length", str(len(data)))
            for name, value in {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999", **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _git(self, path: str, body: bytes) -> None:
            name, _, service = path.lstrip("/").partition(".git/")
            github.git_requests.append(service)
            repository = github.repositories.get(name)
            fault = github.fault_for("GIT", path)
            if fault is not None and fault.cut:
                return self._cut()
            if fault is not None and fault.status is not None:
                return self._send(Reply(fault.status, {"message": fault.message}))
            try:
                identity = github.identify(self.headers.get("authorization", ""))
            except Refusal as refusal:
                return self._send(refusal.reply())
            if repository is None or (
                repository.private and not identity.may("contents", "read", repository.role(identity.login))
            ):
                challenge = {"www-authenticate": 'Basic realm="GitHub"'}
                return self._send(Reply(401, {"message": "Repository not found"}, challenge))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            protocol = self.headers.get("git-protocol", "")
            if service == "info/refs":
                kind, data = "advertisement", repository.git.advertise(protocol)
            else:
                kind, data = "result", repository.git.upload_pack(body, protocol)
            return self._send(Reply(200, raw=data, headers={"content-type": f"application/x-git-upload-pack-{kind}"}))

    return Handler


__all__ = ["ACTIONS_BOT", "Asked", "FakeGitHub", "Fault", "Json"]
