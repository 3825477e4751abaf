"""Settings that are configured and never applied, so the intended check doesn't run."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import Attack, Files, config, rows

KIND = "settings that are not applied"
PATH, CASES = "prompts/invoice.md", "tests/invoices.jsonl"
OLD, NEW = "form: object\nInvoice: {{ invoice }}\n", "form: {}\nInvoice: {{{{ invoice }}}}\n"
TESTS = rows(
    *(
        {"id": f"i{n}", "inputs": {"invoice": f"Number {n}, a sum of about {100 + n}"}, "expected": {"total": 100 + n}}
        for n in range(80)
    )
)


def extraction(name: str, rules: str, form: str = "object") -> Attack:
    """Returns a lineage of invoices with these rules, and a change that they should detect."""
    lineage = f"  invoices:\n    use_case: extraction\n    prompt: {PATH}\n    tests: {CASES}\n{rules}"
    base: Files = {"promptverdict.yaml": config(lineage), PATH: OLD, CASES: TESTS}
    wrong = "when everything: 0\n" if form == "object" else ""
    return Attack(name, {PATH: wrong + NEW.format(form)}, base)


def inline(name: str, evaluators: str, prompt: str = "about {{q}}") -> Attack:
    """Returns a .prompt.yml with inline test data and evaluators."""
    data = "testData:\n" + "".join(f"  - {{q: word{n}, expected: word{n}}}\n" for n in range(40))
    text = f"messages: [{{role: user, content: '{prompt}'}}]\nmodel: house\n{data}evaluators:\n{evaluators}"
    broken = text.replace(prompt, f"when everything: wrong\\n{prompt}".replace("\\n", "\n\n        "))
    lineage = "  words: {use_case: generation, prompt: w.prompt.yml}\n"
    return Attack(name, {"w.prompt.yml": broken}, {"promptverdict.yaml": config(lineage), "w.prompt.yml": text})


ATTACKS = (
    extraction("a misspelt field", "    fields: {totl: {kind: number}}\n"),
    extraction("a field of a list that no case has", "    fields: {'lines[].price': {kind: number}}\n"),
    extraction(
        "a format in a schema",
        "    fields: {total: {kind: number}}\n    checks: [{name: s, json_schema_valid: {type: object, properties: {iban: {type: string, format: email}}}}]\n",
        "more",
    ),
    extraction(
        "a keyword that a schema doesn't know",
        "    fields: {total: {kind: number}}\n    checks: [{name: s, json_schema_valid: {type: object, additionalPropertys: false}}]\n",
        "more",
    ),
    extraction("a tolerance on a text", "    fields: {totl: {kind: normalised, tolerance: 0.1}}\n"),
    extraction("labels on an extraction", "    labels: [a, b]\n    fields: {totl: {kind: number}}\n"),
    inline(
        "a variable in a check that stays text",
        "  - {name: e, string: {contains: ''}}\n  - {name: x, string: {equals: '{{expected}}'}}\n",
    ),
    inline("a check that every answer meets", "  - {name: e, string: {contains: w}}\n"),
)
