"""From a constant, a key or several parts to the requests that are planned, and to what the plan says of it."""

import pytest

from engine.commands.plan_report import plan_report
from tests.pipeline.test_measure import prepared
from tests.pipeline.test_prompt_formats import CONFIG, rows, sent

READ = {
    "a text without variables": (
        "src/p.py#P", "P = 'Sort {}'", [("system", "Order {}"), ("user", "hello 0")],
        "read from src/p.py#P (line 1); the case's ticket is sent as the user's message",
    ),
    "a text for str.format": (
        "src/p.py#P", "P = 'Sort {ticket} as {{\"a\": {{}}}}'", [("user", 'Order hello 0 as {"a": {}}')],
        "read from src/p.py#P (line 1); fstring variables: ticket, written {ticket}",
    ),
    "a text with braces": (
        "src/p.py#P", "P = 'Sort {ticket} as {\"a\": {}}'", [("user", 'Order hello 0 as {"a": {}}')],
        "read from src/p.py#P (line 1); braces variables: ticket, written {ticket}",
    ),
    "a function": (
        "src/p.py#p", "def p(ticket):\n    return f'Sort {ticket} {{x}} {{{{y}}}}'\n", [("user", "Order hello 0 {x} {{y}}")],
        "read from src/p.py#p (lines 1–2); fstring variables: ticket, written {ticket}",
    ),
    "an arrow function": (
        "src/p.ts#p", "export const p = (ticket: string) => `Sort ${ticket} {x} \\${y}`;", [("user", "Order hello 0 {x} ${y}")],
        "read from src/p.ts#p (line 1); fstring variables: ticket, written {ticket}",
    ),
    "parts": (
        "'{system: src/p.yaml#a.b, user: src/p.yaml#c}'", "a: {b: Sort it}\nc: '{{ ticket }}'\n", [("system", "Order it"), ("user", "hello 0")],
        "read from src/p.yaml#a.b (line 1), src/p.yaml#c (line 2); github variables: ticket, written {{ticket}}",
    ),
    "messages": (
        "src/p.toml#a", "a = [{role = 'system', content = 'Sort'}, {role = 'user', content = '{ticket}'}]", [("system", "Order"), ("user", "hello 0")],
        "read from src/p.toml#a (line 1); braces variables: ticket, written {ticket}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_the_requests_are_what_the_code_means_and_the_plan_says_where_it_was_read(what):
    prompt, text, messages, reading = READ[what]
    path = prompt.strip("'{").removeprefix("system: ").partition("#")[0]
    config = CONFIG.format(path=prompt.strip("'"), more="")
    base = {"promptverdict.yaml": config, "tests.jsonl": rows(ticket="hello"), path: text}
    planned = prepared(base, {path: text.replace("Sort", "Order")})
    assert sent(planned) == messages
    assert plan_report(planned).experiments[0].reading == reading
