"""The playground as an operator runs it: pages, a worker, a model server, and a fake GitHub, all real but GitHub."""

import json
import re
import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.github.sign_in import GitHubSignIn
from bot.pages.application import Pages
from bot.pages.context import Facts
from bot.pages.github_access import GitHubAccess
from bot.pages.sign_in import CALLBACK, SignIn
from bot.site import facts_of, services_of
from bot.store.asked_values import Ask
from bot.store.values import ExperimentRequest, RepositoryRef
from tests.bot.pages.site import FROM_US, PUBLIC, WRITING
from tests.bot.whole import PERMISSIONS, Whole

PROMPT = """# Why: support asked for it.
name: Replies
messages:
  - role: system
    content: |
      You answer customers of a shop.
      Reply in five to eight sentences.
  - role: user
    content: "{{question}}"
"""
CONFIG = """\
version: 1
models:
  large: {provider: offline, model: offline-large, price: {input: 2.50, output: 10.00}}
  small: {provider: offline, model: offline-small, price: {input: 0.15, output: 0.60}}
defaults: {model: large}
lineages:
  triage:
    use_case: classification
    prompt: prompts/triage.prompt.yml
    tests: tests/triage.jsonl
    labels: [billing, refunds, technical_support, account_access]
"""


def shop(**more):
    """The demo's triage prompt with a smaller test set."""
    from benchmarks.staged import blobs

    staged = blobs()
    rows = staged["tests/prompts/support.jsonl"].decode().splitlines(keepends=True)
    return {
        "promptverdict.yaml": CONFIG,
        "prompts/triage.prompt.yml": staged["prompts/support/triage.prompt.yml"],
        "tests/triage.jsonl": "".join(rows[::5]),
        **more,
    }


class Bench:
    """One repository with one prompt and its people: ``max`` and ``ada`` have write access, ``rob`` reads."""

    def __init__(self, github, folder, files=None, *, public=PUBLIC, url=None, lineage="triage", **settings):
        self.whole = Whole(github, folder, url=url, **settings)
        self.whole.move_to("acme/shop", files or shop())
        self.github, self.public, self.lineage_name = github, public, lineage
        self.records = self.whole.records
        self.repo = RepositoryRef(
            installation_id=self.whole.installation, repository_id=self.whole.scene.repository.id, full_name="acme/shop"
        )
        self.whole.app.granted[self.whole.installation] = PERMISSIONS | WRITING
        self.whole.app.callback_urls = (public + CALLBACK,)

    @property
    def git(self):
        return self.whole.scene.git

    def app(self):
        """The pages."""
        clock = self.whole.clock
        whole, settings = self.whole, self.whole.settings
        sign_in = GitHubSignIn(
            whole.app.client_id, whole.app.client_secret, server_url=settings.server_url, api_url=settings.api_url
        )
        web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        access = GitHubAccess(self.records, sign_in, clock, self.public)
        hub, suggesting = services_of(self.records, settings, clock)
        facts = facts_of(settings)
        facts = Facts(
            facts.server_url, run_usd=facts.run_usd, repository_usd=facts.repository_usd, person_usd=facts.person_usd,
            day_usd=facts.day_usd, public_url=self.public,
        )  # fmt: skip
        pages = Pages(self.records, access, facts, clock, hub, suggesting=suggesting, branch=hub.branch)
        pages.add_to(web)
        SignIn(pages, self.records, access, sign_in, clock, public_url=self.public, secret="the secret").add_to(web)
        return web

    def signed_in(self, login, app=None):
        """A browser in which this person has signed in."""
        client = TestClient(app or self.app(), base_url=self.public, follow_redirects=False)
        self.github.oauth.login = login
        there = client.get("/login", params={"to": "/"}).headers["location"]
        back = httpx.get(there, trust_env=False).headers["location"]
        assert client.get(back.removeprefix(self.public)).status_code == 303
        return client

    def known(self):
        """The prompt's number: an experiment on one slice has brought its row."""
        rows = [one for one in self.records.lineage_rows(self.repo.repository_id) if one.name == self.lineage_name]
        return rows[0].id if rows else None

    def seeded(self, only="adversarial", models=("large",)):
        """Runs the prompt once, so that the pages know it. Needs a worker."""
        request = ExperimentRequest(lineage=self.lineage_name, models=models, slice=only, by="max")
        ask = Ask(by="nobody", usd=Decimal(5), cap=Decimal(20))
        run = self.records.ask(self.repo, self.git.resolve("main"), "main", request, ask, at=self.whole.clock.utc())
        self.ended(run)
        return self.known()

    def ended(self, run, patience_s=200):
        self.whole.until(lambda: not self.records.run(run.id).state.is_open, patience_s)
        return self.records.run(run.id)

    def newest(self, draft):
        return self.records.runs_of_draft(draft, 1)[0][0]

    @property
    def address(self):
        return f"/repositories/{self.repo.repository_id}/lineages/{self.known()}/playground"

    @contextmanager
    def working(self):
        with self.whole.working():
            yield self


def sent(client, address, **form):
    """Sends the form of the page as it is, with some fields changed; returns where it leads."""
    import html

    shown = client.get(address).text
    fields = {}
    for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>\n(.*?)</textarea>', shown, re.DOTALL):
        fields[html.unescape(name)] = html.unescape(text)
    for tag in re.findall(r"<input [^>]*>", shown):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if given.get("type") in ("radio", "checkbox") and " checked" not in tag:
            continue
        if "name" in given:
            fields[html.unescape(given["name"])] = html.unescape(given.get("value", ""))
    for name, more, body in re.findall(r'<select name="([^"]+)"([^>]*)>(.*?)</select>', shown, re.DOTALL):
        if " disabled" in more:  # browsers don't send it
            continue
        chosen = re.search(r'<option value="([^"]*)" selected', body) or re.search(r'<option value="([^"]*)"', body)
        fields[name] = html.unescape(chosen[1])
    fields.pop("title", None)
    fields |= form
    return client.post(address, data=fields, headers=FROM_US)


REPLIES = """\
version: 1
models:
  large: {provider: openai, model: house-large, base_url: "BASE/v1", api_key_env: HOUSE_KEY, price: {input: 2.50, output: 10.00}}
  small: {provider: openai, model: house-small, base_url: "BASE/v1", api_key_env: HOUSE_KEY, price: {input: 0.15, output: 0.60}}
defaults: {model: large}
run: {max_concurrency: 4}
lineages:
  replies:
    use_case: generation
    prompt: prompts/replies.prompt.yml
    tests: tests/replies.jsonl
    checks:
      - {name: short, max_words: 40}
      - {name: polite, contains: Thank you}
"""
SENTENCES = (
    "Thank you for your message.", "We are sorry that this happened.", "Your order left our warehouse on Monday.",
    "The parcel service needs two to four days.", "You can follow it with the link in our first letter.",
    "If it has not arrived by Friday, please write to us again.", "We then send you a new one at no cost.",
    "Our shop is open from nine to five.", "You find answers to other questions on our page.",
)  # fmt: skip
TOPICS = ("a late parcel", "a broken vase", "a wrong invoice", "a refund", "a lost password", "a double charge")


def replies(url, cases=24):
    """A prompt whose replies are too long, and a test set that says so."""
    rows = [
        {
            "id": f"q-{number:02}",
            "input": {"question": f"I write about {TOPICS[number % len(TOPICS)]}, order {1000 + number}. What now?"},
            "slice": "typical" if number % 3 else "edge",
        }
        for number in range(cases)
    ]
    return {
        "promptverdict.yaml": REPLIES.replace("BASE", url),
        "prompts/replies.prompt.yml": PROMPT,
        "tests/replies.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }


class House:
    """An OpenAI-compatible model server in a thread. It writes as many sentences as its instructions allow."""

    def __init__(self, latency_s=0.0):
        self.latency_s = latency_s
        self.calls = []
        """The bodies of the calls, in order."""
        self.refuse = None
        """A status and a code with which every call is refused."""
        self.stalled = threading.Event()
        """While it is set, calls wait."""
        self.aborted = 0

    def __enter__(self):
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                house.calls.append(body)
                while house.stalled.is_set() and not house.ended:
                    time.sleep(0.02)
                time.sleep(house.latency_s)
                if house.refuse is not None:
                    status, code = house.refuse
                    self.reply(status, {"error": {"message": f"the house says {code}", "type": code, "code": code}})
                    return
                asked = json.loads(body)
                text = house.text(asked)
                read, written = len(body) // 4, len(text) // 4
                usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
                said = {"role": "assistant", "content": text}
                self.reply(200, {
                    "id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "usage": usage,
                    "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
                })  # fmt: skip

            def reply(self, status, body):
                data = json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    house.aborted += 1

            def log_message(self, *arguments):
                pass

        self.ended = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.ended = True
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def text(asked):
        system = asked["messages"][0]["content"]
        say = re.search(r"\[\[say (.*?)\]\]", system, re.DOTALL)
        if say:
            return say[1]
        wanted = 8 if "five to eight" in system else 3
        number = int(re.search(r"order (\d+)", asked["messages"][-1]["content"] + "order 0")[1])
        more = 1 if number % 7 == 0 else 0
        return " ".join([*SENTENCES[: wanted - 1 + more], "Kind regards, your shop."])


def with_house(house, whole):
    """Lets the worker and the pages use the house's key."""
    from pydantic import SecretStr

    base = f"{house.url}/v1"
    whole.settings = whole.settings.model_copy(
        update={"origins": {**whole.settings.origins, "HOUSE_KEY": base}, "keys": {"HOUSE_KEY": SecretStr("house-key")}}
    )
