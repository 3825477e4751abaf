"""The dialects without logic, filled in as their references do, and which variables a prompt uses."""

import pytest

from engine.readers import jinja
from engine.readers.dialects import MAX_OUTPUT, fill_in, variables_of
from engine.readers.prompts import read_prompt
from schemas.errors import SourceError
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message, PromptFile, Role


def filled(dialect, template, **variables):
    result = fill_in(
        RenderJob(dialect=dialect, messages=(Message(role=Role.USER, content=template),), variables=variables)
    )
    return result if isinstance(result, RenderFailure) else result[0].content


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (1, "1"), (1.5, "1.5"), (5.0, "5"), (True, "true"), (None, "null"), (["é", 1], '["é", 1]'), ({"a": {}}, '{"a": {}}'), ("{{ b }}", "{{ b }}"), (r"\1", r"\1")],
)  # fmt: skip
def test_values_are_shown_as_text_or_json(value, text):
    assert filled(Dialect.GITHUB, "x {{a}} {{ a }} {{b.c-d}}", a=value, **{"b.c-d": "!"}) == f"x {text} {text} !"
    assert (
        filled(Dialect.BRACES, 'x {a} {} { a } {a b} {"a": 1}', a=value) == f'x {text} {{}} {{ a }} {{a b}} {{"a": 1}}'
    )


def test_braces_that_are_no_variable_are_literal():
    assert filled(Dialect.GITHUB, "{{}} {{ a b }} {a} {{{a}}}", a="!") == "{{}} {{ a b }} {a} {!}"


def test_a_missing_variable_is_named():
    failure = filled(Dialect.GITHUB, "{{ a }} {{ who }}", a=1, z=2)
    assert (failure.variable, failure.message) == ("who", "the variable who has no value (the case has: a, z)")
    assert filled(Dialect.BRACES, "{who}").message == "the variable who has no value (the case has: none)"


def test_the_output_is_bounded():
    assert "longer than 4 MiB" in filled(Dialect.GITHUB, "{{a}}" * 1000, a="x" * (MAX_OUTPUT // 999)).message


def prompt(text, dialect=Dialect.JINJA, **included):
    return PromptFile(
        path="p", format="plain", dialect=dialect, messages=(Message(role=Role.USER, content=text),), included=included
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ a }} {{ b.c }} {{ d|upper }}", {"a", "b", "d"}),
        ("{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}", {"xs"}),
        ("{% set y = z %}{{ y }}", {"z"}),
        ("{% macro m(p) %}{{ p }}{% endmacro %}{{ m(q) }}", {"q"}),
        ("{% set ticket = ticket[:40] %}{{ ticket }}", {"ticket"}),
        ("{% if a %}{% set b = 1 %}{% else %}{% set b = 2 %}{% endif %}{{ b }}", {"a"}),
        ("{% set a = 1 %}{% block b %}{{ a }}{{ c }}{% endblock %}", {"c"}),
        ("{% for x in x.parts %}{{ x }}{% endfor %}{% with y = y %}{{ y }}{% endwith %}", {"x", "y"}),
        (
            "{% set x %}{{ x }}{% endset %}{% from 'p' import f, g as h %}{% import 'p' as p %}{{ f() }}{{ h() }}{{ p.a }}",
            {"x"},
        ),
        ("{{ 9**9**9 }}{{ 'a' * 9**12 }}{{ '%0999999999d' % 3 }}{{ 'a'|center(9**12) }}{{ a }}", {"a"}),
        ("{{ broken", set()),
        ("{{ " + "(" * 10_000, set()),
    ],
)
def test_variables_of_a_jinja_prompt(text, names):
    assert variables_of(prompt(text)) == names


def test_variables_of_partials_count():
    assert variables_of(prompt("{{ a }}", t="{{ b }}")) == {"a", "b"}
    assert variables_of(prompt("{% set b = a %}{% include 't' %}", t="{{ b }}{{ c }}")) == {"a", "c"}
    assert variables_of(prompt("{{ a }} {b}", Dialect.GITHUB)) == {"a"}
    assert variables_of(prompt("{{ a }} {b}", Dialect.BRACES)) == {"b"}


@pytest.mark.parametrize("template", ["{{a}}" * 30, '{% for"""' + '""' * 90, "{{ a" + " + a" * 60 + " }}"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("p.j2", "system:\n%s"),
        ("p.md", "{% if a %}\n%s{% endif %}"),
        ("p.prompty", "---\n---\nsystem:\n%s"),
        ("p.yaml", "_type: prompt\ntemplate_format: jinja2\ninput_variables: [a]\ntemplate: |\n  %s\n"),
        ("p.json", '[{"role": "user", "content":\n"{% if a %}%s"}]'),
        ("q.j2", "{% include 'p.j2' %}"),
    ],
)
def test_a_template_that_jinja_would_parse_for_seconds_is_refused(path, text, template, monkeypatch):
    monkeypatch.setattr(jinja, "MAX_TOKENS", 60)
    body = template.replace('"', "'") if path == "p.json" else template
    blobs = {"p.j2": b"system:\n" + template.encode(), path: text.replace("%s", body).encode()}
    with pytest.raises(SourceError, match=r"^p\.\w+:[1-5]: this template has more than 50,000 tokens of Jinja"):
        read_prompt(path, blobs)


def test_a_long_text_with_few_tags_is_read_and_only_so_many_tokens_are_taken(monkeypatch):
    long = "{{ a }}" + "x" * (jinja.MAX_TOKENS + 1)
    assert jinja.excess_line(long) is None
    taken = []
    monkeypatch.setattr("jinja2.Environment.lex", lambda *_: ((1, "data", taken.append(1)) for _ in range(200_000)))
    assert jinja.excess_line(long) == 1
    assert len(taken) == jinja.MAX_TOKENS + 1
