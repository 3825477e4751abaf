"""Templates come from strangers: they are filled in where they can do no harm."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sandbox import MAX_OUTPUT, Bounds, SandboxedRenderer
from engine.readers.dialects import fill_in
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message, Role


@pytest.fixture(scope="module")
def sandbox():
    with SandboxedRenderer(fill_in, deadline_s=30) as renderer:  # however busy this machine is
        yield renderer


def job(template, *, dialect=Dialect.JINJA, partials=None, **variables):
    return RenderJob(
        dialect=dialect,
        messages=(Message(role=Role.USER, content=template),),
        variables=variables,
        partials=partials or {},
    )


def rendered(sandbox, template, **variables):
    (result,) = sandbox.render([job(template, **variables)])
    assert not isinstance(result, RenderFailure), result
    return result[0].content


def failure(sandbox, template, **variables):
    (result,) = sandbox.render([job(template, **variables)])
    assert isinstance(result, RenderFailure), result
    return result


def test_a_thousand_renders_take_less_than_half_a_second_the_start_included():
    begin = time.process_time()
    with SandboxedRenderer(fill_in) as renderer:
        results = renderer.render(
            [job("Ticket: {{ t }} {% for x in xs %}{{ x }};{% endfor %}", t=f"n{i}", xs=[1, 2]) for i in range(1000)]
        )
    assert results[7] == (Message(role=Role.USER, content="Ticket: n7 1;2;"),)
    assert time.process_time() - begin < 1


def test_roles_and_order_of_messages_stay(sandbox):
    messages = (Message(role=Role.SYSTEM, content="Be {{ a }}"), Message(role=Role.USER, content="{{ b }}"))
    (result,) = sandbox.render(
        [RenderJob(dialect=Dialect.JINJA, messages=messages, variables={"a": "kind", "b": "Hi"})]
    )
    assert result == (Message(role=Role.SYSTEM, content="Be kind"), Message(role=Role.USER, content="Hi"))


def test_a_value_is_never_read_as_a_template(sandbox):
    assert rendered(sandbox, "{{ a }}", a="{{ b }} {% for %}") == "{{ b }} {% for %}"


def test_a_missing_variable_is_named(sandbox):
    assert failure(sandbox, "{{ who }}", a=1).variable == "who"
    assert str(failure(sandbox, "{{ who }}", a=1).message) == "the variable who has no value (the case has: a)"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ a|attr('__class__') }}",
        "{{ '{0.__class__}'.format(a) }}",
        "{{ ('{0.__class__}'|format)(a) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ config }}",
        "{{ env }}",
        "{% include '/etc/passwd' %}",
        "{% include '../secret.md' %}",
        "{% import 'os' as os %}",
        "{{ xs.append(1) }}",
        "{{ [1, 2]|random }}",
        "{% for x in range(3) %}{% endfor %}",
    ],
)
def test_no_template_gets_out(sandbox, template):
    assert failure(sandbox, template, a="A", xs=[1]).message


@pytest.mark.slow
@pytest.mark.parametrize(
    "bomb", ["{{ 9**99999999 }}", "{{ 'a' * 10**10 }}", "{{ ('a' * 9999999)|list|length }}{{ 9**99999999 }}"]
)
def test_a_bomb_fails_alone(bomb):
    with SandboxedRenderer(fill_in) as renderer:
        before, bad, after = renderer.render([job("{{ a }}", a="1"), job(bomb, a="1"), job("{{ a }}", a="2")])
    assert (before[0].content, after[0].content) == ("1", "2")
    assert isinstance(bad, RenderFailure)


@pytest.mark.slow
def test_a_template_that_keeps_hanging_is_not_tried_a_thousand_times():
    with SandboxedRenderer(fill_in, deadline_s=1.0) as renderer:
        results = renderer.render([job("{{ 9**99999999 }}", a=i) for i in range(1000)] + [job("fine")])
    assert all(isinstance(result, RenderFailure) for result in results[:-1])
    assert "is not tried again" in results[999].message
    assert results[-1] == (Message(role=Role.USER, content="fine"),)


def test_the_output_is_bounded(sandbox):
    assert (
        f"{MAX_OUTPUT:,}"
        in failure(
            sandbox, "{% for a in xs %}{% for b in xs %}{{ t }}{% endfor %}{% endfor %}", xs=[1] * 100, t="x" * 1000
        ).message
    )


def test_partials_are_included_and_only_those_given(sandbox):
    (result,) = sandbox.render([job("{% include 'p.md' %}!", partials={"p.md": "Hi {{ a }}"}, a="you")])
    assert result[0].content == "Hi you!"


def test_the_child_sees_no_environment_and_can_open_nothing(sandbox, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with SandboxedRenderer(fill_in) as renderer:
        renderer.render([job("x")])
        pid = renderer._child._process.process.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
    assert b"sk-secret" not in environment
    assert limits["Max open files"] == "3"
    assert limits["Max file size"] == "0"
    assert int(limits["Max address space"]) == 256 * 1024 * 1024


def test_dialects_without_logic_need_no_child():
    with SandboxedRenderer(fill_in) as renderer:
        jobs = [job("{{ a }}", dialect=Dialect.GITHUB, a=1), job('{"x": {a}}', dialect=Dialect.BRACES, a=[1])]
        assert [result[0].content for result in renderer.render(jobs)] == ["1", '{"x": [1]}']
        assert renderer._child is None


NO_VALUES = [
    ("{{ o.items }}", "items is a function of every dict: write ['items']"),
    ("{{ o.items ~ '' }}", "write ['items']"),
    ("{{ o['keys'] }}", "keys is a function of a dict, not a value"),
    ("{{ o|attr('items') }}", "write ['items']"),
    ("{{ [o.items] }}", "write ['items']"),
    ("{{ {'a': o.get}|string }}", "get is a function of a dict, not a value"),
    ("{{ [o]|map(attribute='values')|join }}", "values is a function"),
    ("{{ '%s' % o.items }}", "write ['items']"),
    ("{{ '{0.items}'.format(o) }}", "write ['items']"),
    ("{{ o.items|string|length }}", "write ['items']"),
    ("{{ o.items|pprint }}", "write ['items']"),
    ("{{ [o.items]|tojson }}", "not JSON serializable"),
    ("{{ t.upper }}", "upper is a function of a str"),
    ("{{ o.items() }}", "dict_items is not a JSON value: add | list"),
    ("{% macro m() %}{% endmacro %}{{ m }}", "Macro is not a JSON value"),
    ("{% for x in xs %}{{ loop.cycle }}{% endfor %}", "cycle is a function"),
    ("{% for x in xs %}{{ loop }}{% endfor %}", "LoopContext is not a JSON value"),
    ("{% block b %}{{ self.b ~ '' }}{% endblock %}", "is a function"),
    ("{{ t.encode() }}", "bytes is not a JSON value"),
]


@pytest.mark.parametrize(("template", "why"), NO_VALUES)
def test_what_is_no_json_value_is_not_put_out(sandbox, template, why):
    assert why in failure(sandbox, template, o={"items": [1]}, t="ab", xs=[1]).message


def test_iterators_are_put_out_as_the_lists_that_they_give(sandbox):
    assert rendered(sandbox, "{{ xs|map('upper') }}{{ xs|reverse ~ '' }}", xs=["a", "b"]) == "['A', 'B']['b', 'a']"
    assert rendered(sandbox, "{{ o.items()|list }}{{ o['items'] }}", o={"items": 1}) == "[('items', 1)]1"
    macros = "{% macro m(a) %}<{{ a }}>{% endmacro %}{% macro n() %}[{{ caller() }}]{% endmacro %}"
    template = (
        "{% import 'p' as p %}{{ p.m('x') }}{% call p.n() %}y{% endcall %}{% block b %}z{% endblock %}{{ self.b() }}"
    )
    (result,) = sandbox.render([job(template, partials={"p": macros})])
    assert result[0].content == "<x>[y]zz"


FILTERS = {
    "attr": ("'x'",), "batch": (2,), "default": ("d",), "format": ("b",), "groupby": ("'a'",), "join": ("','",),
    "map": ("'string'",), "replace": ("'a'", "'b'"), "round": (1,), "slice": (2,), "sum": (), "indent": (2,),
    "select": (), "selectattr": ("'a'",), "rejectattr": ("'a'",),
}  # fmt: skip
VALUES = ("<b>a &amp; é</b> http://x.example", 3.5, ["b", "a"], {"a": 1}, [{"a": 2}, {"a": 1}])


def test_every_filter_gives_in_the_jail_what_it_gives_outside(sandbox):
    """Some import what they need when they are first used, and in there no file can be opened."""
    from jinja2 import Environment

    from adapters.sandbox_worker import _environment

    outside = _environment({})
    jobs = [
        job(f"{{{{ v|{name}({', '.join(map(str, FILTERS.get(name, ())))}) }}}}", v=value)
        for name in sorted(Environment().filters.keys() - {"random"})
        for value in VALUES
    ]
    for one, result in zip(jobs, sandbox.render(jobs), strict=True):
        wanted = None
        with suppress(Exception):
            wanted = outside.from_string(one.messages[0].content).render(one.variables)
        if wanted is not None:
            assert not isinstance(result, RenderFailure), (one, result)
            assert result[0].content == wanted, one
        else:
            assert isinstance(result, RenderFailure), (one, result)
            assert "open files" not in result.message
    accents = "{{ t.encode('ascii', 'ignore').decode() }}{{ t|striptags }}"
    assert rendered(sandbox, accents, t="<i>é</i>x") == "<i></i>xéx"


@pytest.mark.parametrize("template", ["{% for a in t %}{% for b in t %}{% endfor %}{% endfor %}", "{{ 9**9999999 }}"])
def test_all_jobs_together_are_bounded_in_time(template):
    bounds = Bounds(seconds=1.0, seconds_per_job=0.0, characters=2**20, nice=19)
    with SandboxedRenderer(fill_in, bounds=bounds, deadline_s=30) as renderer:
        results = renderer.render([job(template + str(n), t="x" * 2000) for n in range(3000)])
        assert "longer than 1 s" in results[-1].message
        assert results[-1].gone
        assert "longer than 1 s" in renderer.render([job("x"), job("x", dialect=Dialect.GITHUB)])[1].message


@pytest.mark.parametrize("dialect", [Dialect.JINJA, Dialect.BRACES])
def test_all_jobs_together_are_bounded_in_length(dialect):
    bounds = Bounds(seconds=60.0, seconds_per_job=0.0, characters=1000, nice=0)
    text = "{{ t }}" if dialect is Dialect.JINJA else "{t}"
    with SandboxedRenderer(fill_in, bounds=bounds) as renderer:
        results = renderer.render([job(text, dialect=dialect, t="x" * 300)] * 1000)
    assert [isinstance(one, RenderFailure) for one in results[:5]] == [False, False, False, True, True]
    assert all("of all cases are longer than" in one.message for one in results[3:])


# --- Handlebars ---


def handlebars(template, partials=None, dialect=Dialect.HANDLEBARS, **variables):
    return RenderJob(
        dialect=dialect,
        messages=(Message(role=Role.USER, content=template),),
        variables=variables,
        partials=partials or {},
    )


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ("{{a}} {{{a}}} {{#if b}}x{{else}}y{{/if}}", "<&> <&> y"),
        ("{{#each c}}{{@index}}{{this}};{{/each}}", "01;12;"),
        ("{{>p}}", "in <&>"),
        ("{{lookup c 1}}", "2"),
    ],
)
def test_handlebars_is_filled_in_without_escapes(sandbox, template, sent):
    job = handlebars(template, {"p": "in {{a}}"}, a="<&>", b=0, c=[1, 2])
    (result,) = sandbox.render([job])
    assert result[0].content == sent


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{missing}}", "the variable missing has no value (the case has: a)"),
        ("{{#if a}}", "unclosed"),
        ("{{>p}}", "nested too deeply"),
        ("{{log a}}", 'Missing helper: "log"'),
        ("{{role a}}", 'Missing helper: "role"'),  # dotprompt's alone
    ],
)
def test_what_goes_wrong_in_handlebars_is_a_failure(sandbox, template, said):
    (result,) = sandbox.render([handlebars(template, {"p": "{{>p}}"}, a=1)])
    assert said in result.message


def test_a_bomb_in_handlebars_is_stopped_and_others_are_not():
    bomb = "{{#each a}}" * 12 + "{{#each @root.a}}x{{/each}}" + "{{/each}}" * 12
    nested = "{{#each @root.a}}" * 12 + "x" + "{{/each}}" * 12
    with SandboxedRenderer(fill_in, deadline_s=0.5) as renderer:
        results = renderer.render([handlebars(text, a=list(range(50))) for text in ("fine", nested, bomb, "fine")])
    assert results[0][0].content == results[3][0].content == "fine"
    assert results[1].gone
