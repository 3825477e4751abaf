"""Scripted models for suggested edits: one that answers by the rules in its prompt, and several that rewrite it."""

import hashlib
import json
import re
from decimal import Decimal

from action.cli.check import prices
from adapters.optimizer import GepaOptimizer
from adapters.scorer.client import IsolatedScorers
from adapters.store import open_store
from engine.improve.ports import Ports
from engine.improve.suggest import prepare_search, suggest
from engine.pipeline import World, look
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from schemas.outcomes import Usage
from schemas.pullrequests import PullRequest, Trust
from tests.pipeline.test_measure import sandbox
from tests.run.laboratory import HandClock, Scripted, completion
from tests.trees import MemoryTrees

CONFIG = """\
version: 1
models:
  toy: {provider: offline, model: m, price: {input: 1, output: 4}, parameters: {max_tokens: 10}}
  editor: {provider: offline, model: editor, price: {input: 1, output: 4}, parameters: {max_tokens: 1000}}
defaults: {model: toy}
lineages:
  triage: {use_case: classification, prompt: triage.prompt.yml, tests: cases.jsonl, labels: [billing, refunds]}
"""
PROMPT = """\
# the prompt of the shop
messages:
  - role: system
    content: |
      You sort support tickets of a shop into one of two teams, and answer with the label of the team alone.
      Read the whole ticket first. Customers write in a hurry, and what they want often stands at the end.
      - billing: invoices, charges, payments, cards
      - refunds: money back, returns
  - role: user
    content: "Ticket: {{ticket}}"
"""
RULE = "- A chargeback belongs to refunds."
CANARY = "zanzibar"
"""In every case that may never be shown."""


def word(*of):
    """A made-up word: no two cases are near-duplicates."""
    raw = hashlib.sha256(repr(of).encode()).digest()
    return "".join("bdfgklmnprst"[a % 12] + "aeiou"[a % 5] for a in raw[:4])


def case(number, seed, sealed=""):
    hard = number % 3 == 0
    label = "refunds" if hard or number % 2 else "billing"
    topic = "chargeback" if hard else {"refunds": "return", "billing": "invoice"}[label]
    words = " ".join(word(seed, sealed, number, at) for at in range(8))
    row = {"id": f"{sealed or 'c'}{number}", "inputs": {"ticket": f"{topic} {words}"}, "expected": label}
    if sealed:
        row["inputs"]["ticket"] += f" {CANARY}"
        row |= {"protected": True} if sealed == "p" else {"slices": ["adversarial"]}
    return row


def files(seed=0, cases=60, config=CONFIG, prompt=PROMPT):
    rows = [case(n, seed) for n in range(cases)]
    rows += [case(n, seed, sealed) for sealed in ("p", "a") for n in range(4)]
    return {
        "promptverdict.yaml": config,
        "triage.prompt.yml": prompt,
        "cases.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }


def chance(*of):
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:4]) / 2**32


def mark(ticket):
    return hashlib.sha256(ticket.encode()).hexdigest()[:8]


def tokens(request):
    return sum(len(message.content) for message in request.messages) // 4


def answer(request, repetition, seed, noise):
    """Follows the rules in its prompt, knows what the prompt lists by heart, and errs by chance."""
    system, user = (message.content for message in request.messages)
    ticket = user.removeprefix("Ticket: ")
    topic = ticket.split()[0]
    right = {"return": "refunds", "invoice": "billing", "chargeback": "refunds"}[topic]
    known = topic != "chargeback" or RULE in system or mark(ticket) in system
    wrong = {"refunds": "billing", "billing": "refunds"}[right]
    said = right if known and chance(seed, request.digest, repetition) >= noise else wrong
    return completion(said, usage=Usage(input=tokens(request), output=2))


def message_of(request):
    """The message to rewrite, and the tickets that are shown with it."""
    text = request.messages[0].content
    return (
        re.search(r"<prompt>\n(.*?)\n</prompt>\n", text, re.DOTALL)[1],
        re.findall(r'<input name="ticket">(.*?)</input>', text),
    )


def memorizes(request):
    text, tickets = message_of(request)
    return text.rstrip() + "".join(f"\n- {mark(ticket)}: refunds" for ticket in tickets if "chargeback" in ticket)


def fixes(request):
    text = message_of(request)[0].rstrip()
    return text if RULE in text else f"{text}\n{RULE}"


def lengthens(request):
    text = message_of(request)[0].rstrip()
    return text + f"\nBe careful and think of the whole ticket. {word(text)} " * 20


def rewords(request):
    """Changes nothing that matters: what then looks better is chance."""
    text = message_of(request)[0].rstrip()
    return text.partition("\nPlease")[0] + f"\nPlease be {word(request.digest)}."


def fixes_at_length(request):
    return fixes(request) + "\n" + "Read every ticket with great care before you answer. " * 40


WISHES = {
    "be friendlier": "Be friendly.",
    "shout": "Answer in capitals: BILLING or REFUNDS. " * 60,
    "be stricter about refunds": RULE,
    "forget the rule": "",
}


def asked(request):
    """What a person asks for, and the message that it is about."""
    text = request.messages[0].content
    return (
        text.rpartition("Now the person asks: ")[2],
        re.search(r'<message name="system 1">\n(.*?)\n</message>', text, re.DOTALL)[1],
    )


def obeys(request):
    """Does what a person asks for, on top of what was asked for before."""
    sentence, text = asked(request)
    added = WISHES[sentence]
    text = text.rstrip() + "\n" + added if added else text.replace(RULE, "")
    return f'Gladly.\n<message name="system 1">\n{text}\n</message>'


class Models:
    """Both models behind one provider. Keeps what the reflection model was sent."""

    def __init__(self, rewrites, seed=0, takes_s=0.0, noise=0.04):
        self.reflected = []
        self.rewrites = rewrites
        self.seed = seed
        self.noise = noise
        self.cost = Decimal(0)
        self.provider = Scripted(self.billed, takes_s=takes_s)

    def billed(self, request, repetition, nth):
        said = self.reply(request, repetition, nth)
        self.cost += Decimal(said.usage.input + 4 * said.usage.output) / 1_000_000
        return said

    def reply(self, request, repetition, nth):
        if request.model != "editor":
            return answer(request, repetition, self.seed, self.noise)
        self.reflected.append(request)
        if self.rewrites is obeys:
            text = obeys(request)
        else:
            text = f"Here it is.\n<prompt>\n{self.rewrites(request)}\n</prompt>"
        return completion(text, usage=Usage(input=tokens(request), output=len(text) // 4))


def world(content):
    trees = MemoryTrees()
    return World(trees, sandbox(), prices(), IsolatedScorers()), trees.commit(content)


def planned(content, held_out=0.5):
    seen, commit = world(content)
    alone = PullRequest(base_ref="HEAD", base_sha=commit, head_ref="s", head_sha=commit, trust=Trust.OPERATOR)
    today = look(seen.tree, alone, only=("triage",), alone=True)
    return prepare_search(today, alone, "triage", seen, held_out=held_out, reflector="editor"), seen


async def searched(models, content, store, budget=Decimal(5)):
    task, seen = planned(content)
    clock = HandClock()
    access = Access(lambda model: models.provider, clock)
    cap = SpendingCap(budget, where="--budget")
    found = await suggest(task, seen, GepaOptimizer(), Ports(access, store, clock, sandbox()), cap)
    return found, cap


async def found_with(models, content, path, budget=Decimal(5)):
    store = open_store(str(path))
    try:
        return (await searched(models, content, store, budget))[0]
    finally:
        await store.aclose()
