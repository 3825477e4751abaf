"""A small repository whose prompt the offline model answers."""

import json

CONFIG = """\
version: 1
models:
  toy: {provider: offline, model: offline-large, price: {input: 1, output: 4}}
defaults: {model: toy}
lineages:
  triage:
    use_case: classification
    prompt: prompts/triage.prompt.yml
    tests: tests/triage.jsonl
    labels: [billing, refunds]
"""
PROMPT = """\
name: triage
messages:
  - role: system
    content: |
      You sort support tickets into one of two teams. Answer with the label alone.
      - billing: invoices, charges, payments, cards
      - refunds: money back, returns, refund requests
  - role: user
    content: "Ticket: {{ticket}}"
"""
REWORDED = PROMPT.replace("into one of two teams", "into exactly one of two teams")
BROKEN = PROMPT.replace("      - refunds: money back, returns, refund requests\n", "").replace(
    "into one of two teams", "to billing"
)
TICKETS = {
    "billing": ["Why was my card charged twice for order {}?", "The invoice {} shows a wrong payment."],
    "refunds": ["I want my money back for order {}.", "Please refund parcel {}, I returned it."],
}
CASES = "".join(
    json.dumps({"id": f"{label}-{n}", "inputs": {"ticket": TICKETS[label][n % 2].format(1000 + n)}, "expected": label})
    + "\n"
    for n in range(20)
    for label in TICKETS
)
FILES = {
    "promptverdict.yaml": CONFIG,
    "prompts/triage.prompt.yml": PROMPT,
    "tests/triage.jsonl": CASES,
    "README.md": "shop\n",
}
