"""A hub in a thread, on a real port, that can be killed and restarted, and the documents that it serves."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from schemas.values import digest_of

TOKEN = "pv_read"
MODELS = [
    {"name": "fast", "provider": "openai", "model": "gpt-5-mini", "parameters": {"temperature": 0.2}},
    {"name": "large", "provider": "openai", "model": "gpt-5", "parameters": {"reasoning": {"effort": "low"}}},
]


def entry(text="Sort {{ticket}}", *, name="support-triage", at="2026-12-01T10:00:00Z", **more):
    """A prompt of a document. ``text`` is a template, or a list of role and template."""
    messages = [("user", text)] if isinstance(text, str) else text
    content = {
        "lineage": name,
        "dialect": "github",
        "roles": None,
        "messages": [{"role": role, "content": content} for role, content in messages],
        "included": {},
        "defaults": {},
        "models": MODELS,
        **more,
    }
    return {**content, "digest": digest_of(content), "commit": "c" * 40, "path": "p.prompt.yml", "moved_at": at}


def document(*entries, repository="acme/shop", tag="production", **more):
    prompts = {one["lineage"]: one for one in entries}
    return {"hub_version": 1, "repository": repository, "tag": tag, "prompts": prompts, **more}


def version(number):
    """A document whose only prompt says which version it is."""
    return document(entry(f"v{number}", at=f"2026-12-01T10:{number // 60:02}:{number % 60:02}Z"))


class FakeHub:
    """Serves what ``put`` says at ``/v1/acme/shop/tags/production``."""

    def __init__(self):
        self.body = b""
        self.status = 200
        self.headers = {}
        self.seen = []
        """Path, headers and status of every request."""
        self._server = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def put(self, served, status=200, **headers):
        """From now on, answers with a document, or with bytes as they are."""
        body = served if isinstance(served, bytes) else json.dumps(served).encode()
        self.body, self.status, self.headers = body, status, {name.replace("_", "-"): v for name, v in headers.items()}

    def start(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_):
                """A client that hangs up is no error of ours."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """From now on, nobody listens."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, handler):
        body, status, headers = self.body, self.status, self.headers
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if handler.headers["authorization"] != f"Bearer {TOKEN}":
            status, body = 401, b'{"error": "unknown token"}'
        elif handler.path != "/v1/acme/shop/tags/production":
            status, body = 404, b'{"error": "no such tag"}'
        elif status == 200 and handler.headers["if-none-match"] == etag:
            status, body = 304, b""
        self.seen.append((handler.path, dict(handler.headers), status))
        handler.send_response(status)
        for name, value in {"etag": etag, "content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def running_hub():
    hub = FakeHub()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
