"""What is asked about a case: its answers, its runs, and the patch that protects or adds one."""

import base64
import html
import json
import re
import subprocess
from fnmatch import fnmatch

import pytest
from hypothesis import given

from bot.commands.add_case import AddCase
from bot.commands.approve import approved
from bot.commands.blame import Blame
from bot.commands.catalog import COMMANDS
from bot.commands.explain import Explain
from bot.commands.help import Help, help_text
from bot.commands.protect import Protect
from bot.commands.replies import answer_body, patch_text, said
from bot.store.values import KeptVerdict, Run, RunKind, RunState
from engine.test_edits.patches import Patch
from schemas.blame import Blame as Found
from schemas.blame import BlameResult, Culprit, Unit, UnitKind
from schemas.experiments import CellOutcome, ExperimentCase, ExperimentRecord
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.trees import TreeEntry
from schemas.verdicts import VerdictStatus
from tests.bot.hosting import START
from tests.render import scorecards
from tests.render.surfaces import GFM, hostile_texts, page

HEAD = "a" * 40
CONFIG = b"""\
version: 1
lineages:
  triage: {use_case: classification, prompt: prompts/triage.md, tests: tests/triage.jsonl, labels: [a, b]}
  other: {use_case: classification, prompt: prompts/other.md, tests: tests/other.csv, labels: [a, b]}
  gone: {use_case: classification, prompt: prompts/gone.md, tests: tests/gone.jsonl, labels: [a, b]}
"""
FILES = {
    "promptverdict.yaml": CONFIG,
    "tests/triage.jsonl": b'{"id": "one", "input": "x", "expected": "a"}\n{"id": "both", "input": "y"}\n',
    "tests/other.csv": b"id,input,expected,protected\ntwo,x,a,\nboth,y,b,\n",
    "apps/shop/promptverdict.yaml": CONFIG.split(b"  other")[0],
    "apps/shop/tests/triage.jsonl": b'{"id": "far", "input": "x"}\n',
    "crlf.jsonl": b'{"id": "one", "input": "x"}\r\n',
}


class Tree:
    """Files of one commit."""

    def __init__(self, files):
        self.files = files

    def fetch(self, commits):
        assert commits == [HEAD]

    def lookup(self, commit, paths):
        return {
            path: TreeEntry(path=path, mode="100644", blob=path, size=len(self.files[path]))
            for path in paths
            if path in self.files
        }

    def find(self, commit, globs):
        found = [p for p in self.files if any(fnmatch("/" + p, ("/" + glob).replace("/**/", "*/")) for glob in globs)]
        return tuple(self.lookup(commit, found).values())

    def read(self, blobs):
        return {blob: self.files[blob] for blob in blobs}


def asked(command, files=FILES, kept=None):
    return command.patch(kept, HEAD, Tree(files))


def patch_in(text):
    """The patch as a reader would copy it from the page."""
    return html.unescape(re.search(r'<pre lang="diff">(.*?)</pre>', GFM.render(text), re.DOTALL)[1])


def test_a_case_is_protected_where_it_is_found(tmp_path):
    text = asked(Protect(case="one"))
    assert "tests&#47;triage&#46;jsonl" in text
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/triage.jsonl").write_bytes(FILES["tests/triage.jsonl"])
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch_in(text).encode(), check=True)
    assert b'"a", "protected": true}\n{"id": "both"' in (tmp_path / "tests/triage.jsonl").read_bytes()


def test_a_case_of_several_test_sets_needs_its_lineage():
    assert "Several test sets" in asked(Protect(case="both"))
    assert "+both,y,b,true" in patch_in(asked(Protect(case="both", lineage="other")))


def test_a_lineage_that_two_folders_have_is_named_with_its_folder():
    assert '"far"' in patch_in(asked(Protect(case="far")))
    assert '"far"' in patch_in(asked(Protect(case="far", lineage="apps/shop/triage")))
    assert "no case" in asked(Protect(case="far", lineage="triage"))


def test_a_case_is_added_to_its_lineage():
    text = asked(AddCase(lineage="triage", case={"input": "z", "expected": "b"}))
    assert "adds the case" in text
    assert '"input": "z", "expected": "b"}' in patch_in(text)


SEVERAL = {
    "promptverdict.yaml": CONFIG.replace(b"tests/triage.jsonl", b'["tests/*.jsonl", new.jsonl]'),
    "tests/a.jsonl": b'{"id": "one", "input": "x"}\n',
    "tests/b.jsonl": b'{"id": "two", "input": "y"}\n',
    "new.jsonl": b'{"id": "three", "input": "z"}\n',
}


def test_a_case_is_found_in_any_file_of_its_test_set_and_added_to_the_last():
    assert "+++ b/tests/b.jsonl" in patch_in(asked(Protect(case="two", lineage="triage"), SEVERAL))
    added = patch_in(asked(AddCase(lineage="triage", case={"id": "four", "input": "w"}), SEVERAL))
    assert "+++ b/new.jsonl" in added
    theirs = {
        "promptverdict.yaml": CONFIG.replace(b"tests/triage.jsonl", b"promptfooconfig.yaml"),
        "promptfooconfig.yaml": b"tests: [{vars: {input: x}}]\n",
    }
    for command in (Protect(case="two", lineage="triage"), AddCase(lineage="triage", case={"input": "w"})):
        assert "Edit it by hand" in html.unescape(asked(command, theirs))
    none = {"promptverdict.yaml": CONFIG.replace(b"tests/triage.jsonl", b"none/*.jsonl")}
    assert "no lineage" in asked(Protect(case="two", lineage="triage"), none)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Protect(case="nowhere"), "No test set has a case"),
        (Protect(case="x", lineage="triag"), "did you mean triage"),
        (Protect(case="x", lineage="gone"), "no regular file"),
        (AddCase(lineage="gone", case={"input": "x"}), "no regular file"),
        (AddCase(lineage="trage", case={"input": "x"}), "did you mean triage"),
        (AddCase(lineage="triage", case={"id": "one", "input": "x"}), "has a case"),
    ],
)
def test_what_gives_no_patch_says_why(command, said):
    assert said in html.unescape(asked(command))


def test_a_head_whose_configuration_cant_be_read_says_so():
    assert "configuration can" in asked(Protect(case="one"), {"promptverdict.yaml": b"version: 7"})


def test_a_prompt_with_its_own_cases_is_found_by_its_verdict():
    inline = b"messages: [{role: user, content: '{{input}}'}]\ntestData:\n  - id: mine\n    input: x\nevaluators: []\n"
    card = scorecards.lineage(lineage="solo", prompt="solo.prompt.yml")
    kept = kept_verdict(scorecards.scorecard(lineages=(card,)))
    assert "+    protected: true" in patch_in(asked(Protect(case="mine"), {"solo.prompt.yml": inline}, kept))


def test_what_a_comment_cant_carry_comes_as_a_command(tmp_path):
    data = FILES["crlf.jsonl"]
    config = b"version: 1\nlineages: {l: {use_case: classification, prompt: p.md, tests: crlf.jsonl, labels: [a, b]}}\n"
    text = asked(Protect(case="one"), {"promptverdict.yaml": config, "crlf.jsonl": data})
    command = html.unescape(re.search(r"<pre>(.*?)</pre>", GFM.render(text), re.DOTALL)[1])
    (tmp_path / "crlf.jsonl").write_bytes(data)
    patch = base64.b64decode(re.fullmatch(r"echo (\S+) \| base64 -d \| git apply", command)[1])
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    assert (tmp_path / "crlf.jsonl").read_bytes() == b'{"id": "one", "input": "x", "protected": true}\r\n'


EVIL = 'x"</pre></details><img src=http://evil.test/a.png> @everyone ``` <!-- prompt-verdict --> [a](b) \u202e'


def test_a_hostile_file_is_only_ever_text():
    data = b'{"id": "one", "input": ' + json.dumps(EVIL, ensure_ascii=False).encode() + b"}\n"
    text = asked(Protect(case="one"), {**FILES, "tests/triage.jsonl": data})
    assert_harmless(text)
    assert_harmless(
        patch_text(Patch(path=EVIL, case=EVIL, text=EVIL + "\n+" + EVIL, content=b""), f"This protects `{EVIL}`.", HEAD)
    )
    assert_harmless(help_text(Help(why=EVIL), COMMANDS))


TAGS = {"p", "ul", "li", "h3", "table", "thead", "tbody", "tr", "th", "td", "strong", "br", "b", "details", "summary"}


def assert_harmless(text):
    """Nothing of what was quoted is markup, a link, a mention or invisible."""
    seen = page(text)
    assert {tag.removeprefix("/") for tag in seen.structure} <= TAGS
    assert seen.extras == []
    assert set(seen.attributes) <= {"pre lang=diff"}
    assert not set(text) & set("\u202e\u200b\ufeff\x1b")


@given(hostile_texts)
def test_no_reply_is_anything_but_text(text):
    assert_harmless(help_text(Help(why=text), COMMANDS))
    assert_harmless(approved(text, HEAD, START))
    assert_harmless(said(f"`{text}` {text}"))
    assert_harmless(patch_text(Patch(path=text, case=text, text=text, content=b""), f"This protects `{text}`.", HEAD))
    body = answer_body(1, "mia", "https://github.com/o/r/pull/1#issuecomment-1", approved(text, HEAD, START))
    assert page(body).attributes == ["a href=https://github.com/o/r/pull/1#issuecomment-1"]
    assert body.count("<!--") == 1


# -- explain


def kept_verdict(card):
    run = Run(
        id="exp:42:1:a:b:1", sequence=1, installation_id=7, repository_id=42, repository="acme/shop",
        kind=RunKind.PULL_REQUEST, number=1, head_sha=HEAD, base_ref="main", attempt=1, why="", approved_sha=None,
        state=RunState.DONE, check_run_id=None, base_sha=None, content_digest="d", opened_at=START,
        started_at=None, ended_at=None, shown_at=START,
    )  # fmt: skip
    return KeptVerdict(run=run, scorecard=card, content_digest="d", kept_at=START)


def test_a_case_is_explained_by_both_answers_and_every_run():
    card = scorecards.blocked()
    lineage = next(one for one in card.lineages if one.cases)
    case = lineage.cases[0]
    record = ExperimentRecord(
        lineage=lineage.lineage, model=lineage.model, content_digest="d", gate=GateConfig(),
        metrics=(MetricSpec(name="correct"),), cases=(ExperimentCase(id=case.id),),
        outcomes=tuple(
            CellOutcome(case=0, arm=arm, repetition=n, scores=None if n == 2 else (1.0 - arm,))
            for arm in (0, 1)
            for n in range(3)
        ),
    )  # fmt: skip
    text = Explain(case=case.id).explanation(kept_verdict(card), lambda run: [record])
    assert_harmless(text)
    plain = html.unescape(text)
    assert "baseline said" in plain
    assert case.inputs[0][1] in plain
    assert "run by run (points): baseline 100.0, 100.0, –; candidate 0.0, 0.0, –" in plain
    assert lineage.lineage in plain


def test_an_unknown_case_and_no_verdict_are_said():
    assert "nothing to explain" in Explain(case="x").explanation(None, lambda run: [])
    assert "has no case" in Explain(case="x" * 90).explanation(kept_verdict(scorecards.blocked()), lambda run: [])
    assert "has no case" in Explain(case="x", lineage="none-such").explanation(
        kept_verdict(scorecards.blocked()), lambda run: []
    )


def test_the_guilty_lines_are_named_or_why_there_are_none():
    unit = Unit(kind=UnitKind.TEXT, before="Never guess.\n", after=f"Trust {EVIL}\n", file="prompts/p.md", lines=(9, 9))
    culprit = Culprit(units=(0,), back=8, of=8, candidate=0.1, reverted=1.0, p=0.001)
    found = Found(
        result=BlameResult.NAMED, sentence="Reverting line 9 brings back 8 of 8.", units=(unit,), culprits=(culprit,)
    )
    base = scorecards.blocked()
    cards = [one.model_copy(update={"status": VerdictStatus.BLOCKED}) for one in base.lineages]
    blamed = base.model_copy(update={"lineages": (cards[0].model_copy(update={"blame": found}),)})
    text = Blame().answer(kept_verdict(blamed))
    assert "Reverting line 9 brings back 8 of 8." in html.unescape(text)
    assert_harmless(text)
    name = cards[0].lineage
    assert Blame(lineage=name).answer(kept_verdict(blamed)) == text
    plain = base.model_copy(update={"lineages": tuple(cards)})
    assert "No search was run" in Blame().answer(kept_verdict(plain))
    assert "does not cover" in Blame(lineage="none-such").answer(kept_verdict(plain))
    assert "no line is to blame" in Blame().answer(kept_verdict(scorecards.approved()))
    assert "nothing to explain" in Blame().answer(None)


def test_a_hostile_case_is_explained_harmlessly():
    base = scorecards.blocked()
    lineage = next(one for one in base.lineages if one.cases)
    case = lineage.cases[0].model_copy(
        update={"id": EVIL, "expected": EVIL, "slices": (EVIL,), "reason": EVIL, "inputs": ((EVIL, EVIL),)}
    )
    card = base.model_copy(update={"lineages": (lineage.model_copy(update={"lineage": EVIL, "cases": (case,)}),)})
    assert_harmless(Explain(case=EVIL).explanation(kept_verdict(card), lambda run: []))
