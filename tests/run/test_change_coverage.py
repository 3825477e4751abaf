"""Which parts of a template's change reach a case."""

from contextlib import closing

import pytest

from action.cli.check import renderer
from engine.planning.change_coverage import RenderedSide, unreached
from schemas.ports import RenderJob
from schemas.prompts import Dialect, Message, PromptFile, Role
from schemas.testsets import TestCase

CASES = [TestCase(id=f"c{n}", inputs={"text": f"text {n}", "lang": "de" if n % 2 else "en", "n": n}) for n in range(40)]


@pytest.fixture(scope="module")
def sandbox():
    with closing(renderer()) as opened:
        yield opened


def side(sandbox, text, partials=None, dialect=Dialect.JINJA):
    messages = (Message(role=Role.USER, content=text),)
    prompt = PromptFile(path="p.j2", format="plain", dialect=dialect, messages=messages, included=partials or {})
    jobs = [
        RenderJob(dialect=dialect, messages=messages, variables=case.inputs, partials=partials or {}) for case in CASES
    ]
    rendered = sandbox.render(jobs)
    assert all(isinstance(result, tuple) for result in rendered)
    return RenderedSide(prompt, rendered)


REACHED = {
    "a word": ("Be {{ text }} {% if n %}x{% endif %}", "Do {{ text }} {% if n %}x{% endif %}"),
    "a branch that some case takes": ("{{ text }}", "{{ text }}{% if lang == 'de' %} Deutsch{% endif %}"),
    "both branches": ("{{ text }}", "{{ text }}{{ 'Deutsch' if lang == 'de' else 'English' }}"),
    "one case of forty": ("{{ text }}", "{{ text }}{% if n == 37 %}!{% endif %}"),
    "a condition that matters": ("{{ text }}{% if n > 3 %}a{% endif %}", "{{ text }}{% if n > 30 %}a{% endif %}"),
    "a tag around what was there": ("{{ text }} Hm.", "{{ text }}{% if lang == 'de' %} Hm.{% endif %}"),
    "a filter": ("{{ text }}", "{{ text|upper }}"),
    "a condition on what every case has": ("{{ text }}", "{% if text is defined and text %}Do. {% endif %}{{ text }}"),
    "new text that every case gets": ("Sort {{ text }}", "{% if text %}Please. {% endif %}Sort {{ text }}"),
    "old text that some case loses": ("Hm. {{ text }}", "Please. {% if lang == 'de' %}Hm.{% endif %} {{ text }}"),
    "a loop that counts": ("{{ text }}", "{{ text }}{% for i in [1, 2] %}{{ loop.index }}{{ i }}{% endfor %}"),
    "a macro, a block and a variable of its own": ("{{ text }}", "{% macro m(a) %}{{ a }}!{% endmacro %}{% set b = lang %}{{ m(b) }}{% block c %}{{ text }}{% endblock %}"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REACHED)
def test_a_change_that_every_part_of_some_case_shows_is_measured(sandbox, kind):
    before, after = REACHED[kind]
    assert unreached(side(sandbox, before), side(sandbox, after), CASES, sandbox) == ()
    assert unreached(side(sandbox, after), side(sandbox, before), CASES, sandbox) == ()


MISSED = {
    "a branch of a variable that no case has": ("{{ text }}", "{{ text }}{% if vip is defined %}\nEvil.{% endif %}"),
    "hidden behind a visible change": ("Sort {{ text }}", "Order {{ text }}{% if vip is defined %}Evil.{% endif %}"),
    "in the same tag as what is seen": ("{{ text }}", "{{ text }}{{ 'Evil' if lang == 'fr' else 'English' }}"),
    "a branch of a value that no case has": ("{{ text }}", "{{ text }}{% if lang == 'de' %}a{% elif lang == 'fr' %}b{% endif %}"),
    "a default that no case needs": ("{{ text }}", "{{ text|default('Evil') }}"),
    "the else that no case takes": ("{{ text }}", "{{ text }}{% if n < 99 %}ok{% else %}Evil{% endif %}"),
    "a condition that decides nothing": ("{{ text }}{% if n < 99 %}a{% endif %}", "{{ text }}{% if n < 77 %}a{% endif %}"),
    "a wrapper around what was there": ("Hm. {{ text }}", "{% if n < 99 %}Hm.{% endif %} {{ text }}"),
    "a loop over nothing": ("{{ text }}", "{{ text }}{% for x in [] %}Evil{% endfor %}"),
    "a default that no case knows the value of": ("{{ text }}", "{{ text }}{{ tone|default('kind') }}"),
    "a variable that no case has, beside new text": ("{{ text }}", "Be kind. {{ policy|default('') }}{{ text }}"),
    "one inside of a new expression": ("{{ text }}", "{{ text|upper ~ (policy|default('')) }}"),
    "one that every case has empty, beside new text": ("{{ text }}", "Be kind. {{ text[99:] }}{{ text }}"),
    "a body without text, beside new text": ("{{ text }}", "Be kind. {% if n > 99 %}{{ text }}{% endif %}{{ text }}"),
    "a value that no case picks, beside new text": ("{{ text }}", "Be kind. {{ text if n > 99 else 'Sort.' }}{{ text }}"),
    "text that looks used because it is compared": ("{{ text }}", "Hm. {% set s = 'Evil' %}{% set k = 99 %}{{ (s != 'Evil') ~ (k != 99) }}{% if n > k %}{{ s }}{% endif %}{{ text }}"),
    "a condition around what was there, beside new text": ("Hm. {{ text }}", "Please. {% if n < 99 or lang %}Hm.{% endif %} {{ text }}"),
    "new text under a condition for old text": ("Keep it secret. {{ text }}", "Please. {% if lang %}Keep it very secret.{% endif %} {{ text }}"),
    "text that is taken zero times": ("{{ text }}", "Hm. {% set s = 'Evil' %}{% set k = 99 %}{{ (s != 'Evil') ~ (k != 99) ~ s * (n > k) }}{{ text }}"),
    "a macro that nothing calls": ("{{ text }}", "{% macro m() %}Evil{% endmacro %}{{ text }}"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISSED)
def test_a_part_that_no_case_reaches_is_named_whether_it_comes_or_goes(sandbox, kind):
    before, after = MISSED[kind]
    assert unreached(side(sandbox, before), side(sandbox, after), CASES, sandbox)
    assert unreached(side(sandbox, after), side(sandbox, before), CASES, sandbox)


def test_places_say_the_line_the_partial_and_the_version(sandbox):
    old = side(
        sandbox, "{{ text }}\n{% include 'r.md' %}", {"r.md": "one\n{% if vip is defined %}\nKind.\n{% endif %}"}
    )
    new = side(
        sandbox, "{{ text }}\n{% include 'r.md' %}", {"r.md": "one\n{% if vip is defined %}\nRude.\n{% endif %}"}
    )
    assert unreached(old, new, CASES, sandbox) == ("line 2 of r.md", "line 2 of r.md of the old version")


def test_text_without_logic_is_in_every_request(sandbox):
    old, new = (side(sandbox, f"{word} {{{{ text }}}}") for word in ("Sort", "Order"))
    assert unreached(old, new, CASES, sandbox) == ()
    old, new = (side(sandbox, f"{word} {{{{text}}}}", dialect=Dialect.GITHUB) for word in ("Sort", "Order"))
    assert unreached(old, new, CASES, sandbox) == ()


def test_a_change_of_too_many_parts_is_not_taken_for_measured(sandbox):
    many = "".join(f"{{% if n == {n} %}}a{n}{{% endif %}}" for n in range(300))
    (why,) = unreached(side(sandbox, "{{ text }}"), side(sandbox, "{{ text }}" + many), CASES, sandbox)
    assert "too many" in why
