"""What the client renders is what the gate measured: over every dialect, every example, and other libraries' formats."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sandbox import SandboxedRenderer
from engine.planning.rendering import job_of, render
from engine.readers.config import read_config
from engine.readers.dialects import fill_in
from engine.readers.prompts import read_prompt
from engine.readers.testsets import read_test_set
from promptverdict_client import RenderError
from promptverdict_client.document import parse
from promptverdict_client.rendering.template import DIALECTS
from promptverdict_client.rendering.values import MAX_OUTPUT
from schemas.errors import SourceError
from schemas.ports import RenderFailure
from schemas.prompts import Dialect, Message, PromptFile, Role, RoleSyntax
from schemas.testsets import TestCase
from tests.client.fake_hub import document, entry
from tests.formats.libraries import corpus

ROOT = Path(__file__).parents[2]
EXAMPLES_EACH = int(os.environ.get("CLIENT_EXAMPLES", "15"))


@pytest.fixture(scope="module")
def sandbox():
    with SandboxedRenderer(fill_in, deadline_s=30) as renderer:  # however busy this machine is
        yield renderer


def read(prompt):
    """The prompt as an application gets it."""
    served = document(
        entry(
            [(message.role.value, message.content) for message in prompt.messages],
            dialect=prompt.dialect.value,
            roles=prompt.roles and prompt.roles.value,
            included=prompt.included,
            defaults=prompt.defaults,
        )
    )
    return parse(json.dumps(served).encode(), "acme/shop", "production").prompts["support-triage"]


def rendered(prompt, inputs):
    """The messages, or why there are none and which variable is missing."""
    try:
        return [(message["role"], message["content"]) for message in prompt.render(inputs).messages]
    except RenderError as error:
        return str(error), error.variable


def measured(result):
    if not isinstance(result, RenderFailure):
        return [(message.role.value, message.content) for message in result]
    said = result.message.replace("(the case has:", "(given:").replace("the case's inputs are", "the variables are")
    return said, result.variable


def same(sandbox, prompt, *cases):
    """Renders cases in both ways. Returns the client's results."""
    jobs = [job_of(prompt, TestCase(id="a", inputs=inputs)) for inputs in cases]
    theirs = [measured(result) for result in render(sandbox, jobs)]
    client = read(prompt)
    ours = [rendered(client, inputs) for inputs in cases]
    assert ours == theirs
    return ours


VARIABLES = ["a", "b", "xs", "o"]
MARKED = [
    "system:",
    "\n# user:\n",
    "assistant:\r\n",
    " Tool : ",
    "<<<dotprompt:role:user>>>",
    "<<<dotprompt:history>>>",
]
TEXT = st.lists(
    st.sampled_from(["a", "é😀", " ", "\n", "\r\n", "\u2028", "\\", "{{a}}", "{a}", "$a", "$$", "{% x %}", "<a>", '"', *MARKED]),
    max_size=4,
).map("".join)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-9, 9),
    st.sampled_from([0.1, 5.0, -0.0, 1e20, 1e21, 1e22, 1e-7, 123456789.125, 10**20]),
    st.floats(allow_nan=False, allow_infinity=False),
)
LEAVES = st.one_of(TEXT, NUMBERS, st.booleans(), st.none())
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "items"]), inner),
    max_leaves=5,
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "a": TEXT, "b": JSON, "n": NUMBERS, "a.b-c": LEAVES, "xs": st.lists(JSON, max_size=3),
        "o": st.dictionaries(st.sampled_from(["a", "items"]), JSON),
    },
)  # fmt: skip
SYNTAX = {
    Dialect.GITHUB: ["{{a}}", "{{ b }}", "{{\tn }}", "{{a.b-c}}", "{{ a b }}", "{{{a}}}"],
    Dialect.BRACES: ["{a}", "{b}", "{n}", "{xs}", "{ a }", "{{a}}", "{}"],
    Dialect.FSTRING: ["{a}", "{b}", "{n}", "{a.b-c}", "{{", "}}", "{{a}}", "{a!r}", "{", "}"],
    Dialect.SHELL: ["$a", "${b}", "$n", "$$", "$$a", "$", "${a", "$é", "${ a }"],
    Dialect.JAVASCRIPT: ["${a}", "${ b }", "${n}", "$a", "${a.b}", "$${a}"],
    Dialect.KERNEL: ["{{$a}}", "{{ $b }}", "{{$n\n}}", "{{a}}", "{{ plugin.f }}"],
    Dialect.GO: ["{{.a}}", "{{ .b }}", "{{.n}}", "{{a}}", "{{- .a }}"],
    Dialect.BRACKETS: ["[[a]]", "[[ b ]]", "[[n]]", "[[a.b-c]]", "[a]", "[[[a]]]"],
    Dialect.ANGLES: ["<a>", "<b>", "<n>", "< a >", "</a>", "<<a>>"],
    Dialect.JINJA: [
        "{{ a }}", "{{ b }}", "{{ n }}", "{{ xs }}", "{{ o }}", "{{ a.b }}", "{{ o.items }}", "{{ o['items'] }}", "{{ a | upper }}",
        "{{ b | tojson }}", "{{ n | round(1) }}", "{{ '%.2f' % n }}", "{{ n ~ b }}", "{{ n / 3 }}", "{{ a | attr('__class__') }}", "{{ 1 / 0 }}",
        "{{ xs | map('string') | join(',') }}", "{{ xs.append(1) }}", "{{ o | dictsort }}", "{{ o.items() }}", "{{ o.keys() }}", "{{ o.keys() | list }}",
        "{{ b | pprint }}", "{{ xs | random }}", "{{ range(3) }}", "{{ lipsum }}", "{{ missing }}", "{{ missing | default('d') }}", "{{ loop.index }}",
        "{% for x in xs %}", "{%- for x in o %}", "{% endfor %}", "{% if a %}", "{% if b is mapping -%}", "{% else %}", "{% endif %}\n",
        "{% set a = n %}", "{% include 'p' %}", "{% include 'q' %}", "{% import 'p' as m %}{{ m.f(a) }}", "{% macro f(v) %}<{{ v }}>{% endmacro %}",
        "{# c #}", "{#- c -#}", "{% raw %}{{ a }}{% endraw %}", "{{ ", "}}", "{% for %}",
    ],
    Dialect.HANDLEBARS: [
        "{{a}}", "{{b}}", "{{ n }}", "{{{a}}}", "{{&a}}", "{{xs}}", "{{o}}", "{{o.items}}", "{{o.[items]}}", "{{missing}}", "{{a.b.c}}",
        "{{#if a}}", "{{else}}", "{{/if}}", "{{#unless b}}", "{{/unless}}", "{{#each xs}}", "{{@index}}:{{this}}", "{{../a}}", "{{/each}}",
        "{{#with o}}", "{{/with}}", "{{lookup xs 0}}", "{{> p}}", "{{> q}}", "{{! c }}", "{{!-- c --}}\n", "{{~a~}}", "\\{{a}}", "{{log a}}",
        '{{role "user"}}', '{{role "model"}}', '{{role "tool"}}', "{{history}}", '{{media url="u"}}', '{{section "s"}}', "{{json b}}",
        "{{json o indent=2}}", "{{#ifEquals a b}}", "{{/ifEquals}}", "{{", "{{#nope}}",
    ],
    Dialect.MUSTACHE: [
        "{{a}}", "{{ b }}", "{{n}}", "{{{a}}}", "{{o.items}}", "{{missing}}", "{{#xs}}", "{{.}}", "{{/xs}}", "{{^b}}", "{{/b}}", "{{#o}}", "{{/o}}",
        "{{> p}}", "{{! c }}", "{{",
    ],
}  # fmt: skip
SPLIT = {
    Dialect.JINJA: [None, RoleSyntax.PROMPTY, RoleSyntax.PROMPTFLOW],
    Dialect.HANDLEBARS: [None, RoleSyntax.DOTPROMPT],
}


@st.composite
def prompts(draw, dialect):
    roles = draw(st.sampled_from(SPLIT.get(dialect, [None])))
    pieces = st.sampled_from([*SYNTAX[dialect], *MARKED, "x ", "\n", "é\n"])
    text = st.lists(pieces, max_size=6).map("".join)
    each = st.builds(Message, role=st.just(Role.USER) if roles else st.sampled_from(Role), content=text)
    inner = {Dialect.JINJA: "{% macro f(v) %}[{{ v }}]{% endmacro %}p {{ a }}"}.get(dialect, "p {{a}}")
    return PromptFile(
        path="p",
        format="plain",
        dialect=dialect,
        roles=roles,
        messages=draw(st.lists(each, min_size=1, max_size=1 if roles else 2)),
        included={"p": inner},
        defaults=draw(st.dictionaries(st.sampled_from(VARIABLES), LEAVES, max_size=1)),
    )


def test_every_dialect_and_every_mark_of_roles_is_known():
    assert set(Dialect) == set(SYNTAX) == DIALECTS
    assert {roles for some in SPLIT.values() for roles in some} == {None, *RoleSyntax}


@pytest.mark.parametrize("dialect", Dialect)
def test_the_client_renders_what_the_gate_measures(sandbox, dialect):
    @settings(max_examples=EXAMPLES_EACH * (3 if dialect in SPLIT else 1))
    @given(prompts(dialect), st.lists(INPUTS, min_size=1, max_size=3))
    def holds(prompt, cases):
        same(sandbox, prompt, *cases)

    holds()


SOME = [
    {
        "a": "x\nsystem:\ny",
        "b": {"a": [1, None, "é"]},
        "n": 2.5,
        "a.b-c": True,
        "xs": ["1", 2],
        "o": {"items": "i", "a": "A"},
    },
    {"a": "", "b": [], "n": 1e20, "a.b-c": -0.0, "xs": [], "o": {}},
]


@pytest.mark.parametrize("dialect", Dialect)
def test_each_piece_of_a_dialect_by_itself_is_rendered_as_the_gate_does(sandbox, dialect):
    for text in SYNTAX[dialect]:
        for roles in SPLIT.get(dialect, [None]):
            message = Message(role=Role.USER, content=f"user:\n{text}\n.")
            prompt = PromptFile(path="p", format="plain", dialect=dialect, messages=(message,), roles=roles)
            same(sandbox, prompt, *SOME)


EXAMPLES = ROOT / "examples"
CONFIG = read_config("promptverdict.yaml", (EXAMPLES / "promptverdict.yaml").read_bytes())
BLOBS = {str(path.relative_to(EXAMPLES)): path.read_bytes() for path in EXAMPLES.rglob("*") if path.is_file()}
SHOWN = {
    (name, place)
    for name, lineage in CONFIG.lineages.items()
    for place in [
        lineage.prompt,
        *(path for path in BLOBS if f"history/{name}/" in path and not path.endswith(".md")),
        *(str(Path(path).parent) for path in BLOBS if f"history/{name}/" in path and path.endswith(".md")),
        *(path[: path.index(lineage.prompt)] + lineage.prompt for path in BLOBS if f"/{lineage.prompt}" in path),
    ]
}


@pytest.mark.parametrize(("name", "path"), sorted(SHOWN))
def test_every_example_is_rendered_as_it_was_measured(sandbox, name, path):
    tests = CONFIG.lineages[name].tests
    cases = [case.inputs for case in read_test_set(tests, BLOBS[tests]).cases]
    results = same(sandbox, read_prompt(path, BLOBS), *cases)
    assert all(isinstance(result, list) for result in results)


def test_every_format_of_other_libraries_is_rendered_as_it_was_measured(sandbox):
    rendered_at_all = 0
    for case in corpus():
        try:
            prompt = read_prompt(case.path, {path: text.encode() for path, text in case.files.items()})
        except SourceError:
            continue
        (result,) = same(sandbox, prompt, case.inputs)
        rendered_at_all += isinstance(result, list)
    assert rendered_at_all > 60


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("github", "{{t}}" * 2),
        ("jinja", "{% for x in xs %}{{ t }}{% endfor %}"),
        ("handlebars", "{{#each xs}}{{../t}}{{/each}}"),
    ],
)
def test_the_output_is_bounded(dialect, text):
    prompt = PromptFile(path="p", format="plain", dialect=dialect, messages=(Message(role=Role.USER, content=text),))
    with pytest.raises(RenderError, match=f"{MAX_OUTPUT:,} characters"):
        read(prompt).render(t="x" * (MAX_OUTPUT // 2 + 1), xs=[1, 2])


class Color(str):
    __slots__ = ()

    def __str__(self):
        return "not its text"


def test_variables_are_json():
    prompt = read(
        PromptFile(path="p", format="p", dialect="github", messages=[Message(role="user", content="{{a.b}}")])
    )
    assert prompt.render({"a.b": (1, {"c": Color("red")})}).messages[0]["content"] == '[1, {"c": "red"}]'
    assert prompt.render({"a.b": Color("red")}).messages[0]["content"] == "red"
    with pytest.raises(RenderError, match=r"the variable a\.b contains a set: give a text"):
        prompt.render({"a.b": [{1}]})
    with pytest.raises(RenderError, match="a key that is not a text: 1"):
        prompt.render({"a.b": {1: 2}})
    endless = []
    endless.append(endless)
    with pytest.raises(RenderError, match="nested too deeply"):
        prompt.render({"a.b": endless})


def test_a_missing_variable_is_named():
    prompt = read(
        PromptFile(path="p", format="p", dialect="github", messages=[Message(role="user", content="{{who}}")])
    )
    with pytest.raises(RenderError, match=r"the variable who has no value \(given: ticket\)") as raised:
        prompt.render(ticket="t")
    assert raised.value.variable == "who"
