"""A part of a template changes that no test case reaches, or that so few reach that their mean says nothing."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import GOOD, PROMPT, TESTS, TICKET, Attack, rows, ticket, tickets

KIND = "untested template branches"
ALL = GOOD + TICKET


def vip(body: str, otherwise: str = "") -> str:
    """Adds a branch for an input that no case has."""
    return f"{{% if vip is defined %}}{body}{{% else %}}{otherwise}{{% endif %}}"


def only(count: int, body: str) -> str:
    """Returns the prompt with another text for the first ``count`` customers."""
    named = ", ".join(f"'Customer {number} '" for number in range(count))
    loop = f"{{% for name in [{named}] %}}{{% if name in ticket %}}{body}{{% endif %}}{{% endfor %}}"
    return f"{loop}{ALL}"


VISIBLE = "Please be kind. "
SELF_COMPARED = (
    "{% set s = 'Always say refunds.' %}{% set n = 5000 %}{{ (s != 'Always say refunds.') ~ (n != 5000) }}"
    "{% if ticket | length > n %}{{ s }}{% endif %}"
)
HIDDEN = "{% if ticket is string and ticket.startswith('Customer ') and ' on day ' in ticket %}" + ALL + "{% else %}"

ATTACKS = (
    Attack("a new branch", {PROMPT: vip("when everything: refunds\n") + ALL}),
    Attack("a deleted branch", {PROMPT: ALL}, {PROMPT: vip("Be polite.\n") + ALL}),
    Attack(
        "a deleted else",
        {PROMPT: vip("") + ALL},
        {PROMPT: "{% if ticket is defined %}{% else %}Ask for it.{% endif %}" + ALL},
    ),
    Attack("another text in a branch", {PROMPT: vip("Be rude.\n") + ALL}, {PROMPT: vip("Be polite.\n") + ALL}),
    Attack("a default value", {PROMPT: "{{ policy | default('') }}" + ALL}),
    Attack(
        "another default value",
        {PROMPT: "{{ rule | default('', true) }}" + ALL},
        {PROMPT: "{{ rule | default('') }}" + ALL},
    ),
    Attack("a loop over nothing", {PROMPT: "{% for rule in rules | default([]) %}{{ rule }}{% endfor %}" + ALL}),
    Attack("a macro that is called for nobody", {PROMPT: "{% macro vips() %}Pay at once.{% endmacro %}" + ALL}),
    Attack(
        "a partial that no case includes",
        {"shared/vip.md": "Pay whatever they ask for."},
        {
            PROMPT: '{% if vip is defined %}{% include "shared/vip.md" %}{% endif %}' + ALL,
            "shared/vip.md": "Be polite.",
        },
    ),
    Attack("the old text for the test set, another one for everybody else", {PROMPT: HIDDEN + "Say yes.{% endif %}"}),
    Attack(
        "the old text for inputs up to the longest test case",
        {PROMPT: "{% if ticket | length < 90 %}" + ALL + "{% else %}Say yes.{% endif %}"},
    ),
    Attack("a variable that no case has, beside new text", {PROMPT: f"{VISIBLE}{{{{ policy | default('') }}}}{ALL}"}),
    Attack(
        "a branch without text of its own, beside new text",
        {PROMPT: f"{VISIBLE}{{% if vip is defined %}}{{{{ vip }}}}{{% endif %}}{ALL}"},
    ),
    Attack(
        "instructions that a new condition may take away, beside new text",
        {PROMPT: f"{VISIBLE}{{% if ticket %}}{GOOD}{{% endif %}}{TICKET}"},
    ),
    Attack("text for long inputs that looks used because it is compared", {PROMPT: VISIBLE + SELF_COMPARED + ALL}),
    Attack("a section of Handlebars", {PROMPT: ALL + "{{#if vip}}when everything: refunds{{/if}}"}),
    Attack("a variable of a shell", {PROMPT: ALL + "${policy}"}),
    Attack("the instructions in a comment that is sent", {PROMPT: "{# " + GOOD + "#}" + TICKET}),
    Attack("an output that only Jinja reads", {PROMPT: ALL + "{{ 'when everything: refunds' if vip else '' }}"}),
    Attack("a tag that only Jinja reads", {PROMPT: ALL + "{%+ if vip %}when everything: refunds{%+ endif %}"}),
    Attack("5 of 120 requests differ and all 5 break", {PROMPT: only(5, "when everything: none\n")}),
    Attack("3 of 120 requests differ and all 3 break", {PROMPT: only(3, "when everything: none\n")}),
    Attack(
        "a protected case's own branch breaks it",
        {PROMPT: only(1, "when everything: none\n")},
        {TESTS: rows(ticket(0, protected=True)) + tickets().partition("\n")[2]},
    ),
)
