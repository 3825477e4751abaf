"""Right answers in another form: what reads them in production may not."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import GOOD, PROMPT, TICKET, Attack, config, rows
from benchmarks.adversarial_cases.model import FORMS

KIND = "form drift"
INVOICES = """\
  invoices:
    use_case: extraction
    prompt: prompts/invoice.md
    tests: tests/invoices.jsonl
    fields: {total: {kind: number}}
"""
EXTRACT = "Give the total as JSON.\nform: {}\nInvoice: {{{{ invoice }}}}\n"
CASES = rows(
    *(
        {"id": f"i{n}", "inputs": {"invoice": f"Number {n}, a sum of about {100 + n}"}, "expected": {"total": 100 + n}}
        for n in range(80)
    )
)
LABELS = ("sentence", "json", "fence", "bold", "quotes", "explained", "spaced", "shouted", "tool")
OBJECTS = ("chatty", "fenced", "listed", "nested", "more", "text", "twice")


def extraction(form: str) -> Attack:
    """Returns an extraction whose bare JSON gets another form."""
    base = {
        "promptverdict.yaml": config(INVOICES),
        "prompts/invoice.md": EXTRACT.format("object"),
        "tests/invoices.jsonl": CASES,
    }
    return Attack(f"JSON becomes {form}", {"prompts/invoice.md": EXTRACT.format(form)}, base)


assert set(OBJECTS) <= set(FORMS)

ATTACKS = (
    *(Attack(f"a bare label becomes {form}", {PROMPT: f"{GOOD}form: {form}\n{TICKET}"}) for form in LABELS),
    *map(extraction, OBJECTS),
)
