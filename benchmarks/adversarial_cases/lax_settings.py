"""Pull requests that loosen their own gate: policy, test cases, labels, budget."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import (
    BAD,
    CONFIG,
    GOOD,
    MODELS,
    PROMPT,
    TESTS,
    TICKET,
    TRIAGE,
    Attack,
    config,
    rows,
    ticket,
    tickets,
)

KIND = "lax settings"
WORSE = {PROMPT: BAD + TICKET}


def gate(name: str, setting: str, old: str = "") -> Attack:
    """Returns a change of the gate's configuration together with a broken prompt."""
    return Attack(
        name, {CONFIG: config(more=f"gate: {{{setting}}}\n"), **WORSE}, {CONFIG: config(more=old)} if old else {}
    )


ATTACKS = (
    gate("a wide margin", "margin: {overall: 0.9, slice: 0.9}"),
    gate("a watched slice", "slices: {typical: watch}"),
    gate("any cost", "max_cost_increase: null", "gate: {max_cost_increase: 0.1}\n"),
    gate("a lower floor", "floor: {overall: 0.1}", "gate: {floor: {overall: 0.9}}\n"),
    gate("no floor", "mode: adaptive", "gate: {floor: {overall: 0.9}}\n"),
    gate("inconclusive passes", "inconclusive: pass", "gate: {inconclusive: block}\n"),
    Attack("begins to inform", {CONFIG: config(more="mode: inform\n"), **WORSE}),
    Attack("the lineage is gone", {CONFIG: MODELS + "lineages: {}\n", **WORSE}),
    Attack("the configuration is gone", {CONFIG: None, **WORSE}),
    Attack(
        "the lineage is renamed and its tests are new",
        {
            CONFIG: config(TRIAGE.replace("triage:", "sorting:").replace(TESTS, "tests/few.jsonl")),
            "tests/few.jsonl": tickets(4),
            **WORSE,
        },
    ),
    Attack(
        "the lineage points at another prompt",
        {CONFIG: config(TRIAGE.replace(PROMPT, "prompts/old.md")), "prompts/old.md": GOOD + TICKET, **WORSE},
    ),
    Attack("half of the cases are deleted", {TESTS: rows(*(ticket(n) for n in range(0, 120, 2))), **WORSE}),
    Attack(
        "what is expected follows the prompt",
        {TESTS: rows(*(ticket(n) | {"expected": "billing"} for n in range(120))), **WORSE},
    ),
    Attack(
        "cases lose their slice",
        {TESTS: rows(*(ticket(n) | {"slices": []} for n in range(120)))},
        {CONFIG: config(more="gate: {slices: {typical: contract}}\n")},
    ),
    Attack(
        "protection is taken away",
        {TESTS: rows(*(ticket(n) for n in range(120)))},
        {TESTS: rows(*(ticket(n, protected=n < 5) for n in range(120)))},
    ),
    Attack("a label is dropped", {CONFIG: config(TRIAGE.replace("[billing, refunds]", "[billing]")), **WORSE}),
    Attack(
        "a cheaper price for the candidate",
        {CONFIG: config().replace("input: 1, output: 4", "input: 0.01, output: 0.01")},
    ),
    Attack(
        "a configuration of its own for the prompt's folder",
        {"prompts/promptverdict.yaml": config(more="mode: inform\n"), **WORSE},
    ),
    Attack("a file with the name that isn't read", {CONFIG: None, "promptverdict.yml": config(), **WORSE}),
)
