"""Langfuse's own client reads the hub by changing its address."""

import itertools

import httpx
import pytest
from fastapi import FastAPI
from langfuse import Langfuse

from bot.hub.reading import HubReading
from bot.hub.tokens import new_token, token_hash
from bot.store.hub_values import MoveKind, TagMove
from bot.store.records import Records
from schemas.hub import HubModel, HubPrompt
from schemas.prompts import Dialect, Message, Role
from tests.bot.hosting import REPO, Ticking
from tests.bot.served import served

MODEL = HubModel(name="fast", provider="openai", model="gpt-5-mini", parameters={"temperature": 0.2})


def version(text, *, lineage="support-triage", dialect=Dialect.GITHUB, **more):
    return HubPrompt(
        lineage=lineage, commit="a" * 40, path="prompts/triage.prompt.yml", dialect=dialect,
        messages=(Message(role=Role.SYSTEM, content=text), Message(role=Role.USER, content="hello")), models=(MODEL,),
        **more,
    )  # fmt: skip


class Hub:
    def __init__(self, records, address):
        self.records, self.address, self.clock = records, address, Ticking()
        self.token, self.numbers = new_token(), itertools.count()
        records.repository(REPO, self.clock())
        records.add_token(REPO.repository_id, "shop", token_hash(self.token), "mia", self.clock())
        self.client = Langfuse(
            public_key=self.token, secret_key=self.token, host=address, tracing_enabled=False,
            httpx_client=httpx.Client(trust_env=False),
        )  # fmt: skip

    def has(self, prompt, tag="production"):
        kept = self.records.keep_version(REPO, prompt, self.clock())
        now = self.records.current_move(REPO.repository_id, prompt.lineage, tag)
        self.records.move_tag(
            TagMove(
                repository_id=REPO.repository_id, lineage=prompt.lineage, tag=tag, to_digest=prompt.digest, by="mia",
                from_digest=now.to_digest if now else None, role="maintain", kind=MoveKind.FIRST, at=self.clock(),
                request=f"test {next(self.numbers)}",
            )
        )  # fmt: skip
        return kept

    def reads(self, name="support-triage", **which):
        return self.client.get_prompt(name, type="chat", cache_ttl_seconds=0, max_retries=0, **which)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    records = Records(f"sqlite:///{tmp_path_factory.mktemp('hub') / 'bot.db'}")
    records.migrate()
    app = FastAPI()
    clock = Ticking()
    clock.utc = clock
    HubReading(records, clock).add_to(app)
    with served(app) as address:
        hub = Hub(records, address)
        yield hub
        hub.client.shutdown()
    records.close()


def test_its_client_reads_labels_versions_and_configuration(hub):
    first = hub.has(version("Sort {{ticket}}."))
    second = hub.has(version("Assign {{ticket}}."), tag="staging")
    read = hub.reads()
    assert [(one["role"], one["content"]) for one in read.compile(ticket="T-1 {{x}}")] == [
        ("system", "Sort T-1 {{x}}."), ("user", "hello"),
    ]  # fmt: skip
    assert (read.version, read.labels) == (first.number, ["production"])
    assert read.config["model"] == "gpt-5-mini"
    assert read.config["temperature"] == 0.2
    assert hub.reads(label="staging").version == second.number == 2
    assert hub.reads(version=1).prompt == read.prompt


@pytest.mark.parametrize(
    ("dialect", "text", "said"),
    [
        (Dialect.BRACES, "Sort {ticket} {1}.", "Sort T-1 {1}."),
        (Dialect.FSTRING, "Sort {ticket}: {{x}}.", "Sort T-1: {x}."),
        (Dialect.SHELL, "Sort $ticket, ${ticket}: 5 $$.", "Sort T-1, T-1: 5 $."),
        (Dialect.JAVASCRIPT, "Sort ${ticket}.", "Sort T-1."),
        (Dialect.KERNEL, "Sort {{$ticket}}.", "Sort T-1."),
        (Dialect.GO, "Sort {{ .ticket }}.", "Sort T-1."),
        (Dialect.BRACKETS, "Sort [[ticket]].", "Sort T-1."),
        (Dialect.ANGLES, "Sort <ticket>.", "Sort T-1."),
        (Dialect.JINJA, "Sort {{ ticket }}.", "Sort T-1."),
        (Dialect.MUSTACHE, "Sort {{ticket}}.", "Sort T-1."),
    ],
)
def test_other_dialects_are_written_in_its_own(hub, dialect, text, said):
    hub.has(version(text, lineage=f"p-{dialect.value}", dialect=dialect))
    assert hub.reads(f"p-{dialect.value}").compile(ticket="T-1")[0]["content"] == said


@pytest.mark.parametrize(
    ("dialect", "text", "more"),
    [
        (Dialect.JINJA, "{% if ticket %}x{% endif %}", {}),
        (Dialect.JINJA, "{{ ticket | upper }}", {}),
        (Dialect.JINJA, "{# note #}x", {}),
        (Dialect.HANDLEBARS, "{{#if ticket}}x{{/if}}", {}),
        (Dialect.BRACES, "{ticket} and {{other}}", {}),
        (Dialect.FSTRING, "{{{{ticket}}}}", {}),
        (Dialect.ANGLES, "<a-b>", {}),
        (Dialect.GITHUB, "{{a.b}}", {}),
        (Dialect.GITHUB, "{{ticket}}", {"defaults": {"ticket": "x"}}),
    ],
)
def test_what_it_would_fill_in_differently_is_refused(hub, dialect, text, more):
    hub.has(version(text, lineage="odd", dialect=dialect, **more))
    with pytest.raises(Exception, match="promptverdict_client"):
        hub.reads("odd")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"label": "staging", "version": "1"}, 400),
        ({"label": "a\0b"}, 404),
        ({"label": ""}, 200),
        ({"version": ""}, 404),
    ],
)
def test_a_query_that_names_no_one_version_gets_none(hub, query, status):
    hub.has(version("x", lineage="one"))
    answer = httpx.get(
        f"{hub.address}/api/public/v2/prompts/one", params=query, auth=("pk", hub.token), trust_env=False
    )
    assert answer.status_code == status


@pytest.mark.parametrize("which", [{"label": "nowhere"}, {"version": 99}, {"name": "nothing"}])
def test_an_unknown_label_version_or_name_is_not_found(hub, which):
    hub.has(version("x {{y}}", lineage="known"))
    with pytest.raises(Exception, match="LangfuseNotFoundError"):
        hub.reads(**{"name": "known"} | which)


@pytest.mark.parametrize("given", [b"Basic \xe9", b"Basic", b"Basic =", b"Basic /w==", b"Bearer x", b"\xe9"])
def test_a_malformed_header_is_no_secret_key(hub, given):
    answer = httpx.get(f"{hub.address}/api/public/v2/prompts/known", headers={b"authorization": given}, trust_env=False)
    assert answer.status_code == 401


def test_another_token_is_refused(hub):
    answer = httpx.get(f"{hub.address}/api/public/v2/prompts/known", auth=("pk", "pv_" + "b" * 43), trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (401, "UnauthorizedError")
