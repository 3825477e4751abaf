"""From a token of the command line, through a real exporter that is set up as docs/production.md says, to the page."""

import re
import urllib.parse

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from bot.pages.application import LocalAccess, Pages
from bot.pages.context import Facts
from bot.store.values import RepositoryRef
from tests.bot.whole import Whole
from tests.end_to_end.conftest import FILES, run_command

pytestmark = pytest.mark.slow


@pytest.fixture
def whole(github, tmp_path):
    whole = Whole(github, tmp_path / "data")
    whole.move_to("acme/shop", FILES)
    repo = RepositoryRef(
        installation_id=whole.installation, repository_id=whole.scene.repository.id, full_name="acme/shop"
    )
    whole.records.repository(repo, whole.clock.utc())
    yield whole
    whole.records.close()


def page(whole):
    app = FastAPI()
    Pages(whole.records, LocalAccess(), Facts(whole.github.server_url), whole.clock).add_to(app)
    address = f"/repositories/{whole.scene.repository.id}/production"
    return re.sub(
        r"\s+",
        " ",
        re.sub(
            "<[^>]*>", " ", TestClient(app, base_url="http://localhost").get(address, params={"prompt": "triage"}).text
        ),
    )


def sends(monkeypatch, address, token, decision):
    """One call of an application. Its exporter reads the environment."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization={urllib.parse.quote(f'Bearer {token}')}")
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    given = {"prompt_verdict.lineage": "triage", "prompt_verdict.decision": decision, "gen_ai.operation.name": "chat"}
    with tracing.get_tracer("shop").start_as_current_span("triage", attributes=given):
        pass
    tracing.shutdown()


def test_a_token_of_the_command_line_brings_a_span_to_the_page_until_it_is_revoked(whole, tmp_path, monkeypatch):
    with whole.web() as address:

        def runs(*arguments, by="mia"):
            variables = {"GITHUB_TOKEN": whole.github.user_token(by), "PROMPTVERDICT_HUB": address}
            return run_command(*arguments, "--repository", "acme/shop", cwd=tmp_path, home=tmp_path, **variables)

        refused = runs("tokens", "add", "shop", "--ingest", by="ada")
        assert (refused.code, "needs the role maintain" in refused.err) == (3, True)
        made = runs("tokens", "add", "shop", "--ingest")
        token, number = made.out.strip(), made.err.split()[1]
        assert "sends traces for this repository" in made.err
        sends(monkeypatch, address, token, "refund")
        assert "refund" in page(whole)
        read = runs("tokens", "add", "app").out.strip()
        sends(monkeypatch, address, read, "with-a-read-token")
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{address}/v1/acme/shop/tags/production", headers=bearer, trust_env=False).status_code == 401
        assert runs("tokens", "revoke", number).code == 0
        sends(monkeypatch, address, token, "after-the-end")
        shown = page(whole)
        assert "refund" in shown
        assert "with-a-read-token" not in shown
        assert "after-the-end" not in shown
