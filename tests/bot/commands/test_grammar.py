"""The language of commands: what is one, what only looks like one, what gets the help."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.commands.add_case import AddCase
from bot.commands.approve import Approve
from bot.commands.approve_run import ApproveRun
from bot.commands.blame import Blame
from bot.commands.catalog import COMMANDS
from bot.commands.explain import Explain
from bot.commands.grammar import LONGEST_LINE, read_command
from bot.commands.help import Help
from bot.commands.protect import Protect
from bot.commands.rerun import Rerun

VERBS = [command.verb for command in COMMANDS]
SHA = "0123456789abcdef0123456789abcdef01234567"
NO_BREAK, ZERO_WIDTH, CYRILLIC_E = "\u00a0", "\u200b", "\u0435"


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/verdict rerun", Rerun()),
        ("/verdict rerun support-triage", Rerun(lineage="support-triage")),
        ("/verdict rerun apps/one/support-triage", Rerun(lineage="apps/one/support-triage")),
        ("/verdict approve known flake, see #12", Approve(reason="known flake, see #12")),
        ("/verdict approve   seltsam, aber gewollt  ", Approve(reason="seltsam, aber gewollt")),
        ("/verdict approve 承認", Approve(reason="承認")),
        (f"/verdict approve-run {SHA}", ApproveRun(sha=SHA)),
        ("/verdict protect inject-07", Protect(case="inject-07")),
        ("/verdict protect `two words` in support-triage", Protect(case="two words", lineage="support-triage")),
        ("/verdict explain inject-07 in support-triage", Explain(case="inject-07", lineage="support-triage")),
        ("/verdict  explain   7", Explain(case="7")),
        ("/verdict blame", Blame()),
        ("/verdict blame apps/one/support-triage", Blame(lineage="apps/one/support-triage")),
        ("/verdict help", Help()),
        ("/verdict", Help()),
        ("/verdict rerun\r\n\r\nThanks!", Rerun()),
        ("/verdict rerun\nsupport-triage", Rerun()),
    ],
)
def test_a_command(body, command):
    assert read_command(body) == command


@pytest.mark.parametrize(
    ("fields", "case"),
    [
        ("input=hello expected=refunds", {"input": "hello", "expected": "refunds"}),
        (
            'input="I was \\"charged\\" twice" slice=edge',
            {"input": 'I was "charged" twice', "slice": "edge"},
        ),
        (
            "input.cv=x input.job=y expected.score=80 expected.skills=[\"a\",\"b\"]",
            {"inputs": {"cv": "x", "job": "y"}, "expected": {"score": 80, "skills": ["a", "b"]}},
        ),
        ('inputs={"a": 1} protected=true id=007', {"inputs": {"a": 1}, "protected": True, "id": "007"}),
    ],
)  # fmt: skip
def test_a_case_to_be_added(fields, case):
    assert read_command(f"/verdict add-case support-triage {fields}") == AddCase(lineage="support-triage", case=case)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Looks good to me",
        " /verdict rerun",
        "\n/verdict rerun",
        "> /verdict approve fine",
        "```\n/verdict approve fine\n```",
        "    /verdict approve fine",
        "\t/verdict approve fine",
        "- /verdict rerun",
        "`/verdict rerun`",
        "**/verdict rerun**",
        "<!-- /verdict rerun -->",
        "<!-- prompt-verdict -->\n/verdict rerun",
        "please /verdict rerun",
        "/Verdict rerun",
        "/verdicts rerun",
        "/verdict-rerun",
        "/verdict/rerun",
        "\ufeff/verdict rerun",
        f"{ZERO_WIDTH}/verdict rerun",
        f"/v{CYRILLIC_E}rdict rerun",
        f"/ver{ZERO_WIDTH}dict rerun",
        "\uff0fverdict rerun",
    ],
)
def test_what_is_no_command_at_all(body):
    assert read_command(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "/verdict approve",
        "/verdict approve …",
        f"/verdict approve {ZERO_WIDTH}{ZERO_WIDTH}",
        "/verdict approve\nthe reason is on the next line",
        "/verdict approve " + "x" * 501,
        "/verdict Approve fine",
        f"/verdict appr{ZERO_WIDTH}ove fine",
        "/verdict аpprove fine",  # a Cyrillic letter
        f"/verdict{NO_BREAK}approve fine",
        f"/verdict {NO_BREAK}approve fine",
        f"/verdict approve{NO_BREAK}fine",
        "/verdict\tapprove fine",
        "/verdict rerun one two",
        "/verdict rerun --force",
        "/verdict rerun ../../etc",
        "/verdict help me",
        "/verdict approve-run",
        f"/verdict approve-run {SHA[:7]}",
        f"/verdict approve-run {SHA.upper()}",
        f"/verdict approve-run {SHA} {SHA}",
        f"/verdict approve-run {SHA}0",
        f"/verdict approve-run {SHA[:-1]}０",
        "/verdict approve-run HEAD",
        "/verdict protect",
        "/verdict protect two words",
        "/verdict protect `open",
        "/verdict explain case in",
        "/verdict blame two words",
        "/verdict add-case support-triage",
        "/verdict add-case support-triage hello",
        "/verdict add-case support-triage expected=refunds",
        "/verdict add-case support-triage input=a input=b",
        "/verdict add-case support-triage input=a input.b=c",
        "/verdict add-case support-triage expected=a expected.b=c input=d",
        "/verdict add-case support-triage input=a protcted=true",
        "/verdict add-case support-triage input=a color=red",
        "/verdict add-case support-triage input=a slice.b=red",
        "/verdict add-case support-triage input=",
        "/verdict add-case support-triage input. =a",
        '/verdict add-case support-triage input="open',
        '/verdict add-case support-triage input="a"expected=b',
        '/verdict add-case support-triage input={"a": 1, "a": 2}',
        "/verdict add-case support-triage inputs=[NaN]",
        '/verdict add-case support-triage input="\\ud800"',
        "/verdict add-case support-triage input=" + "[" * 2_000,
        "/verdict add-case support-triage input=" + "x" * LONGEST_LINE,
        "/verdict frobnicate",
        "/verdict: rerun",
        "/verdict.",
    ],
)
def test_wrong_grammar_gets_the_help_with_what_was_wrong(body):
    found = read_command(body)
    assert isinstance(found, Help)
    assert found.why


def test_every_command_of_the_help_is_one():
    for verb in VERBS:
        assert read_command(f"/verdict {verb} {'?' * 5}") is not None
        found = read_command(f"/verdict {verb} ? ? ?")
        assert not isinstance(found, Help) or "there is no command" not in found.why


words = st.sampled_from(
    ["/verdict", *VERBS, SHA, "`", '"', "in", "input=", "expected.x=", "{", "}", "[", "=", "\\u", " ", "\n", "> ", "1"]
)


@given(st.lists(words | st.text(max_size=6), max_size=12).map("".join))
@example("/verdict approve \ud800x")
def test_no_text_makes_it_fail(body):
    """Lone surrogates cannot come through a webhook's JSON bytes, but nothing here may depend on it."""
    found = read_command(body)
    if found is not None:
        assert body.startswith("/verdict")
        assert read_command(body.split("\n")[0]) == found, "only the first line counts"


@given(st.text(max_size=40), st.text(max_size=200))
def test_nothing_before_the_slash_and_nothing_after_the_line_matters(before, after):
    if before and not before.startswith("/verdict"):
        assert read_command(f"{before}/verdict rerun") is None
    assert read_command(f"/verdict rerun\n{after}") == Rerun()
