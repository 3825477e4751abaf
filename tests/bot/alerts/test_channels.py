"""Other channels: apprise really sends, its addresses are checked at the start, and none is shown."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from adapters.notices import Notices
from bot.worker import _channels
from schemas.errors import HostUnavailable, UsageError
from tests.bot.served import settings_for

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")]


@pytest.fixture
def inbox():
    got, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status[0])
            self.send_header("content-length", "0")
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/alerts", got, status
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_and_a_refusal_is_an_error(inbox):
    url, got, status = inbox
    channels = Notices([url])
    channels.send("Production of triage: decisions left their past", "acme/shop · triage\n5 points moved")
    assert (got[0]["title"], got[0]["message"].splitlines()[0]) == (
        "Production of triage: decisions left their past", "acme/shop · triage",
    )  # fmt: skip
    status[0] = 500
    with pytest.raises(HostUnavailable, match="did not accept a message"):
        channels.send("again", "text")


def test_addresses_come_from_the_operator_and_are_secret(tmp_path):
    settings = settings_for(tmp_path, PROMPTVERDICT_ALERT_URLS="json://host/s3cr3t-path  nonsense://x")
    assert "json://host/s3cr3t-path" in settings.secrets
    assert "s3cr3t" not in repr(settings)
    with pytest.raises(UsageError, match="URL 2 of 2 in PROMPTVERDICT_ALERT_URLS") as refused:
        _channels(settings)
    assert "nonsense" not in str(refused.value)
    assert _channels(settings_for(tmp_path)) is None
