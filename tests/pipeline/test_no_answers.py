"""Ways to fail to get answers: each scorecard names cause, count, host and fix in every rendering."""

import html
import json
import re
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.clock import SystemClock
from adapters.providers.open_provider import provider_for
from engine.pipeline import measure
from engine.render.check_text import check_text
from engine.render.html import html_report
from engine.render.json import scorecard_json
from engine.render.markdown import markdown
from engine.render.terminal import terminal
from engine.runner.access import Access
from schemas.verdicts import VerdictStatus
from tests.end_to_end.conftest import FILES, PROMPT
from tests.fakes.llm import FakeLlm, error
from tests.pipeline.test_measure import CASES, LABELS, PATH, RUBRIC, prepared, store

__all__ = ["store"]

CONFIG = """\
version: 1
models:
  toy: {{provider: openai, model: m, base_url: "{url}", api_key_env: HOUSE_KEY, price: {{input: 1, output: 4}}, parameters: {{max_tokens: 9}}}}
  judge: {{provider: openai, model: j, base_url: "{url}", api_key_env: JUDGE_KEY, price: {{input: 1, output: 4}}}}
defaults: {{model: toy}}
run: {{timeout_s: {timeout_s}, deadline_s: {deadline_s}}}
lineages:
"""
TRIAGE = "  triage: {use_case: classification, prompt: prompts/triage.prompt.yml, tests: tests/triage.jsonl, labels: [billing, refunds]}\n"
LETTERS = "  letters: {use_case: generation, prompt: letter.txt, tests: cases.jsonl, rubric: rubric.yaml, judge: {model: judge}, checks: [{name: short, max_words: 99}]}\n"
CALIBRATED = LETTERS.replace("{model: judge}", "{model: judge, labels: labels.jsonl}")
DAY_LIMIT = [{"error": {
    "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota, please check your plan.",
    "details": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}, {"retryDelay": "31s"}]}}]  # fmt: skip


class QuickClock(SystemClock):
    """Fifty times as fast, so that nobody waits for the pauses between tries."""

    def monotonic(self):
        return 50 * super().monotonic()

    async def sleep(self, seconds):
        await super().sleep(seconds / 50)


def renderings(card):
    """By surface, without what its encoding adds."""
    check = check_text(card)
    parts = {
        "comment": markdown(card),
        "check": f"{check.title}\n{check.summary}\n{check.text}",
        "html": html_report(card),
        "terminal": terminal(card, width=100),
        "json": json.dumps(json.loads(scorecard_json(card)), ensure_ascii=False),
    }
    return {name: plain(text) for name, text in parts.items()}


def plain(text):
    text = re.sub(r"<wbr>|</?code>|[\\\\`\u200b\u2060]", "", text)
    return " ".join(html.unescape(html.unescape(text)).split())


async def card_of(store, url, fault="", *, timeout_s=20, deadline_s=3600, environment=None, judged=False, budget=None):
    said = f"[[{fault}]]" if fault else ""
    if judged:
        files = {
            "letter.txt": "Write to {{name}}.\n",
            "cases.jsonl": CASES,
            "rubric.yaml": RUBRIC + f"    anchors: {{1: '{said}'}}\n",
        }
        files |= {"labels.jsonl": LABELS}
        head = {"letter.txt": "Write kindly to {{name}}.\n"}
    else:
        files, head = FILES, {PATH: PROMPT.replace("You sort", f"{said} You assign".strip())}
    config = CONFIG.format(url=url, timeout_s=timeout_s, deadline_s=deadline_s) + (judged or TRIAGE)
    config += f"budget: {{per_run_usd: {budget}}}\n" if budget else ""
    what = prepared(files | {"promptverdict.yaml": config}, head)
    keys = {"HOUSE_KEY": "k", "JUDGE_KEY": "k"} | (environment or {})
    clock = QuickClock()
    access = Access(lambda model: provider_for(model, keys), clock)
    card = await measure(what, access=access, store=store, clock=clock)
    await access.aclose()
    return card


def says(card, *told, decided=False):
    """All of it in every rendering, and no pass."""
    assert (card.status is VerdictStatus.ERROR) != decided
    for name, text in renderings(card).items():
        for part in told:
            assert re.search(part, text, re.IGNORECASE), (name, part, text[:3000])


WAYS = {
    # fault: cause, count, fix
    "500": ("server.: 500 scripted", r"\d calls? to HOST failed", "the server's log"),
    "html": ("text/html, not JSON", r"\d calls? to HOST failed", "base_url is the API's address"),
    "truncated": ("not strict JSON", r"\d calls? to HOST failed", "base_url is the API's address"),
    "empty-choices": ("choices", r"\d calls? to HOST failed", "base_url is the API's address"),
    "reset": ("the connection broke", r"\d calls? to HOST failed", "PROMPTVERDICT_PROXY"),
    "401": ("HOST, asked for case .* authentication: 401", r"\d calls? failed this way", "api_key_env names"),
    "403": ("HOST, asked for case .* authentication: 403", r"\d calls? failed this way", "it may use this model"),
    "404": ("HOST, asked for case .* bad_request: 404", r"\d calls? failed this way", "check base_url .* the model's name"),
    "quota": ("HOST, asked for case .* quota: 429", r"\d calls? failed this way", "credit or quota is used up"),
    "redirect http://127.0.0.1:9/": ("HOST, asked for case .* redirect", r"\d calls? failed this way", "set base_url to the final address"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WAYS)
async def test_a_provider_that_gives_no_answers(store, fault):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", fault)
    says(card, *(part.replace("HOST", f"127.0.0.1:{fake.port}") for part in WAYS[fault]))


@pytest.mark.parametrize(
    ("url", "environment", "told"),
    [
        ("http://127.0.0.1:9/v1", {}, (r"\d calls? to 127.0.0.1:9 failed", "[Cc]onnect", "the server runs", "PROMPTVERDICT_PROXY")),
        ("https://nobody.invalid/v1", {}, (r"\d calls? to nobody.invalid failed", "can't be resolved", "check base_url")),
        (
            "https://llm.example.com/v1", {"PROMPTVERDICT_PROXY": "http://127.0.0.1:9"},
            (r"\d calls? to llm.example.com failed", "the proxy refused", "check PROMPTVERDICT_PROXY"),
        ),
    ],
    ids=["refused", "name", "proxy"],
)  # fmt: skip
async def test_no_connection(store, url, environment, told):
    says(await card_of(store, url, environment=environment), *told)


async def test_a_certificate_that_nobody_trusts(tmp_path, store):
    async with FakeLlm(tls=self_signed(tmp_path)) as fake:
        card = await card_of(store, f"https://127.0.0.1:{fake.port}/v1")
    says(card, rf"\d calls? to 127.0.0.1:{fake.port} failed", "certificate is not trusted", "PROMPTVERDICT_CA_BUNDLE")


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llm")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "llm.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_timeouts_name_the_settings(store):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", "hang", timeout_s=0.2)
    host = rf"\d calls? to 127.0.0.1:{fake.port} failed .timeout.: no answer within"
    says(card, host, r"lower run.max_concurrency .now 64. or raise run.timeout_s .now 0.2.")


async def test_429_for_ever_is_said_when_the_deadline_ends_it(store):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", "429-seconds", deadline_s=60)
    says(card, "did not finish within 60 s", rf"\d\d+ calls to 127.0.0.1:{fake.port} failed .rate limited.: 429")
    says(card, "raise the key's rate limit")


async def test_a_quota_of_the_day_stops_at_once(store, monkeypatch):
    monkeypatch.setattr("tests.fakes.llm.Connection.answer", lambda self, path, body: self.reply(429, DAY_LIMIT))
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1")
    assert fake.requests <= 16  # those that were under way when the first one came back
    says(card, f"127.0.0.1:{fake.port}, asked for .* quota: 429 You exceeded", "PerDay", "credit or quota is used up")


@pytest.mark.parametrize(("finish", "what"), [("empty", "were empty"), ("length", "were cut off at max_tokens 9")])
async def test_answers_that_say_nothing(store, finish, what):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", finish)
    host = rf"\d+ of \d+ candidate answers by 127.0.0.1:{fake.port} {what}"
    says(card, host, "they score 0", "max_tokens|reasoning settings", decided=True)


async def test_a_judge_that_gives_no_answers(store):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", "500", judged=LETTERS)
    host = rf"\d+ calls? to the judge at 127.0.0.1:{fake.port} failed .server.: .*500 scripted"
    says(card, host, "the server's log", decided=card.status is not VerdictStatus.ERROR)


@pytest.mark.parametrize(
    ("fault", "said", "fix"),
    [
        ("reset", "transport.: .*the connection broke", "PROMPTVERDICT_PROXY"),
        ("500", "server.: .*500 scripted", "the server's log"),
        ("truncated", "malformed.: .*not strict JSON", "base_url is the API's address"),
    ],
)
@pytest.mark.parametrize(
    ("judged", "budget"),
    [(LETTERS, 0.3), (CALIBRATED, 0.3), (CALIBRATED, 99)],
    ids=["measured", "calibrated", "calibrated for much money"],
)
async def test_a_judge_that_uses_up_the_budget_without_an_answer(store, fault, said, fix, judged, budget):
    """What may have been billed counts, so the budget can end before the tries do: the cause is named all the same."""
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", fault, judged=judged, budget=budget)
    decided = card.status is not VerdictStatus.ERROR
    says(card, rf"\d+ calls? to the judge at 127.0.0.1:{fake.port} failed .{said}", fix, decided=decided)
    if fault == "reset" and budget < 1:
        says(card, "budget of .0.30 does not allow another call", "counts as 16,384 output tokens")


async def test_a_judge_whose_replies_have_no_form(store):
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", "say hm", judged=LETTERS)
    host = (
        rf"\d+ calls? to the judge at 127.0.0.1:{fake.port} failed .malformed.: the judge's reply is not a JSON object"
    )
    says(card, host, "follows the reply format", decided=card.status is not VerdictStatus.ERROR)


async def test_a_judge_without_json_schemas_is_asked_without(store, monkeypatch):
    seen = []

    def answer(self, path, body):
        asked = json.loads(body)
        seen.append("response_format" in asked)
        if seen[-1]:
            self.reply(400, error("response_format is not supported"))
        else:
            self.reply(200, replied(asked))

    def replied(asked):
        from tests.fakes.llm import answer_of

        judge = "You grade" in asked["messages"][0]["content"]
        text = json.dumps({"kind": {"reason": "so", "grade": 4}}) if judge else "Dear Ann"
        return answer_of("/v1/chat/completions", asked, text, "x")

    monkeypatch.setattr("tests.fakes.llm.Connection.answer", answer)
    async with FakeLlm() as fake:
        card = await card_of(store, f"{fake.url}/v1", judged=LETTERS)
    assert card.status is not VerdictStatus.ERROR
    assert not any("failed" in finding.what for finding in card.lineages[0].warnings)
    assert 0 < sum(seen) <= 60 < len(seen)  # those that were begun before the first one came back
