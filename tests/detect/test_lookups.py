"""A template that picks its words by the text of an input can hold the answers to the test cases."""

import pytest

from engine.detection.lookups import lookups
from schemas.prompts import Dialect, Message, PromptFile, Role
from schemas.testsets import TestCase
from schemas.verdicts import VerdictStatus

WORDS = ("invoice", "parcel", "refund", "card", "password", "phone", "charge", "order", "return", "cheque")
CASES = [
    TestCase(
        id=f"t{n}",
        inputs={
            "ticket": f"{WORDS[n % 10]} {WORDS[(n * 7 + 3) % 10]} problem number {n * 37 % 101} since {1990 + n}",
            "plan": ("free", "pro")[n % 2],
            "age": n,
            "lines": [{"name": f"item {n}", "price": n}],
        },
    )
    for n in range(40)
]


def prompt(text, dialect=Dialect.JINJA, **more):
    message = Message(role=Role.USER, content=text)
    return PromptFile(path="p.md", format="plain", dialect=dialect, messages=(message,), **more)


def found(text, old="{{ ticket }}", cases=CASES, **more):
    return lookups(prompt(old), prompt(text, **more), cases)


@pytest.mark.parametrize(
    "text",
    [
        "{% if ticket == 'invoice card problem number 0 since 1990' %}billing{% endif %}{{ ticket }}",
        "{% if 'number 37 since' in ticket %}billing{% endif %}{{ ticket }}",
        "{% if ticket in ['invoice a', 'parcel b'] %}billing{% endif %}{{ ticket }}",
        "{{ {'invo': 'billing', 'parc': 'refunds'}[ticket[:4]] }} {{ ticket }}",
        "{% set t = {'invo': 'billing'} %}{{ t.get(ticket[:4], 'other') }} {{ ticket }}",
        "{% set t = {'invo': 'billing'} %}{% set k = ticket[:4]|lower %}{{ t[k] }} {{ ticket }}",
        "{{ ['billing', 'refunds'][ticket|length % 2] }} {{ ticket }}",
        "{% if ticket|length in [41, 43] %}billing{% endif %}{{ ticket }}",
        "{% if ticket|length == 41 %}billing{% endif %}{{ ticket }}",
        "{% if ticket.startswith('invoice card problem number 0') %}billing{% endif %}{{ ticket }}",
        "{{ ticket.replace('number 37', 'It is billing.') }}",
        "{{ ticket|replace('number 37', 'It is billing.') }}",
        "{% for k, v in {'number 37': 'billing'}.items() %}{% if k in ticket %}{{ v }}{% endif %}{% endfor %}{{ ticket }}",
        "{{ [{'q': 'a', 'a': 'billing'}]|selectattr('q', 'equalto', ticket)|map(attribute='a')|first }}{{ ticket }}",
        "{% if ticket is in ['a', 'b'] %}billing{% endif %}{{ ticket }}",
        "{% for word in ticket.split() %}{% if word == '1999' %}billing{% endif %}{% endfor %}{{ ticket }}",
        "{% macro a(x) %}{% if x == 'c' %}billing{% endif %}{% endmacro %}{{ a(ticket) }}{{ ticket }}",
        "{{ 'billing' if ticket[9] == 'c' else 'refunds' }} {{ ticket }}",
        "{% if lines[0].name == 'item 7' %}billing{% endif %}{{ ticket }}",
        "{% if 'm' > ticket %}billing{% endif %}{{ ticket }}",
    ],
)
def test_an_answer_sheet_needs_review(text):
    (reason,) = found(text)
    assert reason.status is VerdictStatus.NEEDS_REVIEW
    assert reason.sentence.startswith("The template chooses its text by the content of an input (`{")
    assert found(text, old=text) == ()
    assert found("{% include 'a' %}{{ ticket }}", included={"a": text})


@pytest.mark.parametrize(
    "text",
    [
        "{{ ticket }}",
        "{% if ticket %}{{ ticket }}{% endif %}",
        "{% if ticket is defined and ticket != '' %}{{ ticket|trim|truncate(200) }}{% endif %}",
        "{% if plan == 'pro' %}Be quick.{% endif %}{{ ticket }}",
        "{{ {'free': 'Be brief.', 'pro': 'Be kind.'}[plan] }} {{ ticket }}",
        "{% if age >= 18 %}adult{% endif %}{{ ticket }}",
        "{% if ticket|length > 2000 %}It is long.{% endif %}{{ ticket }}",
        "{% if lines|length == 1 %}One line:{% endif %}{% for line in lines %}{{ loop.index }}. {{ line.name }}{% endfor %}",
        "{% if 'refund' in ticket|lower %}Mind the refund rules.{% endif %}{{ ticket }}",
        "{{ ticket|replace('\\n', ' ')|default('nothing') }}{{ ticket.split(',')|join('; ') }}",
        "{% set rules = ['a', 'b'] %}{% for rule in rules %}- {{ rule }}{% endfor %}{{ ticket }}",
        "{% if ticket == plan %}same{% endif %}",
        "{{ ticket[:100] }}",
        "{% broken",
    ],
)
def test_what_templates_do_every_day_is_not(text):
    assert found(text) == ()


def test_more_of_what_the_old_one_did_is_new():
    one = "{% if ticket == 'a' %}x{% endif %}"
    assert found(f"{one}\n{one}", old=one)
    assert not found(f"Please.\n{one}", old=one)


def test_few_cases_and_other_dialects_say_nothing():
    text = "{% if ticket == 'a' %}x{% endif %}"
    assert found(text, cases=CASES[:3]) == ()
    assert found(text, dialect=Dialect.GITHUB) == ()
