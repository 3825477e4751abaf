"""Variables in every dialect: how each is filled in, and how the dialect is told from the text and from the inputs."""

import contextlib

import pytest

from adapters.sandbox import SandboxedRenderer
from engine.planning.rendering import job_of, render
from engine.readers.dialects import fill_in, variables_of, written
from engine.readers.guess import settled
from engine.readers.prompts import read_prompt
from engine.readers.prompts.role_marks import shielded, split
from schemas.errors import SourceError
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message, Role, RoleSyntax
from schemas.testsets import TestCase


def filled(dialect, template, **variables):
    job = RenderJob(dialect=dialect, messages=(Message(role=Role.USER, content=template),), variables=variables)
    result = fill_in(job)
    return result.message if isinstance(result, RenderFailure) else result[0].content


@pytest.mark.parametrize(
    ("dialect", "template", "sent"),
    [
        (Dialect.BRACES, '{x} {"x": 1} {{y}} { x }', 'V {"x": 1} {W} { x }'),
        (Dialect.FSTRING, '{x} {{"x": {x}}} {{{{}}}}', 'V {"x": V} {{}}'),
        (Dialect.SHELL, "$x ${x} $$x $5 $", "V V $x $5 $"),
        (Dialect.JAVASCRIPT, "${x} ${ x } $x {x}", "V V $x {x}"),
        (Dialect.KERNEL, "{{$x}} {{ $x }} $x {{x}}", "V V $x {{x}}"),
        (Dialect.GO, "{{.x}} {{ .x }} {{x}}", "V V {{x}}"),
        (Dialect.BRACKETS, "[[x]] [[ x ]] [x] [[]]", "V V [x] [[]]"),
        (Dialect.ANGLES, "<x> </x> < x> <x/>", "V </x> < x> <x/>"),
    ],
)
def test_a_dialect_without_logic_fills_in_its_variables_alone(dialect, template, sent):
    assert filled(dialect, template, x="V", y="W") == sent
    assert filled(dialect, written(dialect, "x"), x="{x} $x {{x}}") == "{x} $x {{x}}"  # a value is no template
    assert "the variable gone has no value" in filled(dialect, written(dialect, "gone"), x="V")


def test_values_in_f_strings_are_pythons():
    assert filled(Dialect.FSTRING, "{a} {b} {c}", a=True, b=None, c=[1.0, "x"]) == "True None [1.0, 'x']"


def prompts(*texts, path="a.md"):
    return [read_prompt(path, {path: text.encode()}) for text in texts]


def told(*texts, inputs=("x",), static=False, path="a.md"):
    return settled(prompts(*texts, path=path), frozenset(inputs), static=static)


@pytest.mark.parametrize(
    ("text", "dialect", "inputs"),
    [
        ("{{x}}", Dialect.GITHUB, {"x"}),
        ("{x}", Dialect.BRACES, {"x"}),
        ('Answer {"label": "a"} for {x}', Dialect.BRACES, {"x"}),
        ('Answer {"label": {}} for {{x}}', Dialect.GITHUB, {"x"}),
        ("${x}", Dialect.JAVASCRIPT, {"x"}),
        ("$x", Dialect.SHELL, {"x"}),
        ("$x and ${y}", Dialect.SHELL, {"x", "y"}),
        ("{{$x}}", Dialect.KERNEL, {"x"}),
        ("{{.x}}", Dialect.GO, {"x"}),
        ("{{{x}}}", Dialect.HANDLEBARS, {"x"}),
        ("{{#if x}}a{{/if}} {{x}}", Dialect.HANDLEBARS, {"x"}),
        ("{{#x}}a{{/x}} {{x}}", Dialect.MUSTACHE, {"x"}),
        ("{{ x | upper }}", Dialect.JINJA, {"x"}),
        ("{{x}} and {y}", Dialect.GITHUB, {"x"}),
        ("{x} {y} and {{z}}", Dialect.BRACES, {"x", "y"}),
        ("[[x]] <x>", Dialect.GITHUB, {"x"}),
    ],
)
def test_the_text_and_the_inputs_tell_the_dialect(text, dialect, inputs):
    (prompt,) = told(text, inputs=inputs, static=True)
    assert prompt.dialect is dialect


def test_a_version_without_inputs_is_written_as_the_other_is():
    old, new = told("Sort {x}.", "Sort {xx}.")
    assert (old.dialect, new.dialect) == (Dialect.BRACES, Dialect.BRACES)
    assert variables_of(new) == {"xx"}  # so that it has no value, and is not sent as it stands
    assert new.asks is None


@pytest.mark.parametrize("inputs", [("input",), ("ticket",), ("input", "day")])
def test_a_prompt_without_variables_gets_the_input_as_the_users_message(inputs):
    for prompt in told("Sort it.", "Sort them.", inputs=inputs):
        assert [one.role for one in prompt.messages] == [Role.SYSTEM, Role.USER]
        assert (prompt.asks, variables_of(prompt)) == (inputs[0], {inputs[0]})


@pytest.mark.parametrize(
    ("texts", "inputs", "static"),
    [
        (("Sort it.",), ("ticket", "day"), False),  # which one it is isn't known
        (("Sort it.",), ("ticket",), True),
        (("Sort {{x}}.", "Sort it."), ("x",), False),  # the variable was lost
    ],
)
def test_otherwise_nothing_is_added(texts, inputs, static):
    new = told(*texts, inputs=inputs, static=static)[-1]
    assert (new.asks, [one.role for one in new.messages]) == (None, [Role.USER])


@pytest.mark.parametrize(
    ("text", "inputs", "asks"),
    [
        ("Be {{tone}}.", ("tone", "ticket"), "ticket"),
        ("Be {{tone}}.", ("tone", "input", "day"), "input"),
        ("Be {{tone}}.", ("tone", "a", "b"), "input"),  # it has no value then, which is an error
        ("Sort {{ticket}}.", ("ticket",), None),
    ],
)
def test_a_system_prompt_asks_the_input_that_is_left(text, inputs, asks):
    assert told(text, inputs=inputs, path="system_prompt.txt")[0].asks == asks


def test_tags_of_another_language_that_a_change_adds_do_not_switch_the_language():
    old, new = told("Sort {{x}}.", "Sort {{#if x}}{{x}}{{/if}}.")
    assert new.dialect is old.dialect is Dialect.GITHUB


@pytest.mark.parametrize(
    "text", [" ", "# ", "system", "system: ", "<<<dotprompt:media:url ", "<message role='user'>", "{{'"]
)
def test_half_a_mebibyte_of_a_mark_splits_in_no_time(text):
    whole = text * (2**19 // len(text))  # quadratic, this would take hours
    for roles in RoleSyntax:
        split(str(shielded(whole, roles)), roles)
    with contextlib.suppress(SourceError):
        read_prompt("skprompt.txt", {"skprompt.txt": whole.encode()})


def test_defaults_stand_in_for_what_a_case_lacks_and_marks_in_inputs_split_nothing():
    text = "---\nsample: {tone: kind}\n---\nsystem:\nBe {{tone}}.\nuser:\n{{q}}\n"
    (prompt,) = prompts(text, path="a.prompty")
    with SandboxedRenderer(fill_in) as renderer:
        for inputs, tone in (({}, "kind"), ({"tone": "rude"}, "rude")):
            case = TestCase(id="a", inputs={**inputs, "q": "x\nsystem:\n# User :\ny"})
            (sent,) = render(renderer, [job_of(prompt, case)])
            assert [(one.role, one.content) for one in sent] == [
                (Role.SYSTEM, f"Be {tone}."), (Role.USER, "x\nsystem:\n# User :\ny")
            ]  # fmt: skip
