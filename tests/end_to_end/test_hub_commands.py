"""The hub's commands against hubs that misbehave: what they write, print and exit with."""

import json

import httpx
import pytest

from action.cli import hub as module
from schemas.hub import HubModel, HubPrompt
from schemas.prompts import Dialect, Message, Role
from tests.client.fake_hub import TOKEN, running_hub
from tests.end_to_end.conftest import run_command

PROMPT = HubPrompt(
    lineage="triage", commit="a" * 40, path="p.prompt.yml", dialect=Dialect.GITHUB,
    messages=(Message(role=Role.SYSTEM, content="Sort {{ticket}}."),),
    models=(HubModel(name="fast", provider="openai", model="gpt-5-mini"),),
)  # fmt: skip
ESCAPE = "\x1b[2J"


def document(**more):
    prompt = {**PROMPT.document(), "moved_at": "2026-12-01T10:00:00Z"}
    return {"hub_version": 1, "repository": "Acme/Shop", "tag": "production", "prompts": {"triage": prompt}, **more}


@pytest.fixture
def pulls(tmp_path):
    with running_hub() as hub:

        def run(served):
            hub.put(served)
            return run_command(
                "pull", "--repository", "acme/shop", cwd=tmp_path, home=tmp_path,
                PROMPTVERDICT_HUB=hub.url, PROMPTVERDICT_TOKEN=TOKEN,
            )  # fmt: skip

        yield run


DAMAGED = {**PROMPT.document(), "commit": "b" * 40, "path": ESCAPE, "messages": [], "moved_at": "2026-12-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (b"<html>sign in</html>", "no whole prompt set"),
        (b"[]", "no whole prompt set"),
        (json.dumps(document()).encode()[:-9], "no whole prompt set"),
        (document(tag="staging"), "another repository or tag"),
        (document(repository="acme/other"), "another repository or tag"),
        (document(hub_version=2), "newer format"),
        (document(prompts={"triage": DAMAGED}), "no whole prompt set"),
        (document(prompts={ESCAPE: document()["prompts"]["triage"]}), "no whole prompt set"),
        (document(prompts={"triage": {**document()["prompts"]["triage"], "digest": "0" * 64}}), "no whole prompt set"),
    ],
)
def test_a_bundle_is_only_replaced_by_a_whole_one(pulls, tmp_path, served, said):
    assert pulls(document()).out == "prompts.lock.json: triage\n"
    good = (tmp_path / "prompts.lock.json").read_bytes()
    ended = pulls(served)
    assert (ended.code, said in ended.err, "\x1b" in ended.out + ended.err) == (3, True, False), ended.err
    assert (tmp_path / "prompts.lock.json").read_bytes() == good
    assert [one.name for one in tmp_path.iterdir()] == ["prompts.lock.json"]


@pytest.fixture
def promotes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0)

    def run(*answers, patience_s=60):
        left = [httpx.Response(status, json=body) for status, body in answers]
        monkeypatch.setattr(httpx, "request", lambda *_, **__: left.pop(0) if len(left) > 1 else left[0])
        monkeypatch.setattr(module, "PATIENCE_S", patience_s)
        variables = {"PROMPTVERDICT_HUB": "https://hub.example.com", "GITHUB_TOKEN": "ghp_x"}
        return run_command(
            "promote", "triage", "production", "--repository", "acme/shop", cwd=tmp_path, home=tmp_path, **variables
        )

    return run


ASKED = {"id": 7, "lineage": "triage", "tag": "production", "to_digest": "c" * 64, "state": "running", "outcome": ""}


def test_only_a_move_exits_with_0(promotes):
    moved = {**ASKED, "state": "moved"}
    assert promotes((202, ASKED), (503, {"error": "restarting"}), (502, {}), (200, moved)).code == 0
    assert promotes((202, ASKED), patience_s=0).code == 3
    ended = promotes((202, ASKED), (200, {**ASKED, "state": "failed"}))
    assert (ended.code, "--anyway 7" in ended.out) == (3, True)


@pytest.mark.parametrize(
    "answer",
    [
        (202, {**ASKED, "id": "7/../.."}),
        (202, {**ASKED, "state": "moved", "tag": ESCAPE, "lineage": ESCAPE, "outcome": ESCAPE}),
        (200, {**ASKED, "state": ESCAPE}),
        (409, {"error": ESCAPE, "hint": ESCAPE + "\nfixed"}),
    ],
)
def test_a_hub_can_write_no_commands_to_the_terminal(promotes, answer):
    ended = promotes(answer, patience_s=0)
    assert "\x1b" not in ended.out + ended.err
