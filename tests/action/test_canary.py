"""The canary, a fake key, on what the Action shows: whatever goes to GitHub, the summary, the outputs, the files, the log."""

import asyncio
import io

import pytest

from action.start import run_action
from tests.action.stage import ALL
from tests.action.triage import CONFIG, FILES, PROMPT
from tests.fakes.github import Scene
from tests.fakes.llm import FakeLlm
from tests.providers.conftest import KEY
from tests.providers.test_canary import leaks

pytestmark = pytest.mark.slow

TRIAGE = "prompts/triage.prompt.yml"
MODEL = "{{provider: openai, model: m, base_url: '{url}/v1', api_key_env: HOUSE_KEY, price: {{input: 1, output: 4}}}}"


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [("[[echo-key]] You", "Incorrect API key"), ("[[say-key]] You", "blocked")],
    ids=["in a refusal", "in every answer"],
)
async def test_a_whole_run_of_the_action_shows_the_key_nowhere(github, stage, monkeypatch, prompt, shown):
    monkeypatch.setenv("OPENAI_LOG", "debug")
    repository = github.repository("acme/shop", ada="write")
    async with FakeLlm() as fake:
        toy = CONFIG.partition("toy: ")[2].partition("\n")[0]
        config = CONFIG.replace(toy, MODEL.format(url=fake.url)) + "comment: always\n"
        repository.git.commit("main", {**FILES, "promptverdict.yaml": config})
        scene = stage.scene = Scene(github, repository)
        _, event = scene.open_pull({TRIAGE: PROMPT.replace("You", prompt)})
        token = github.actions_token(repository, **ALL)
        variables = stage.variables("pull_request", event, **{"INPUT_GITHUB-TOKEN": token, "HOUSE_KEY": KEY})
        stream = io.StringIO()
        await asyncio.to_thread(run_action, {**variables, "PATH": "/usr/bin:/bin"}, stream)
        assert any(KEY in value for _, headers in fake.heads for value in headers.values())  # it was really in use
    lines = stream.getvalue().splitlines()
    log = "\n".join(line for line in lines if not line.startswith("::add-mask::"))
    assert shown in stage.comments[-1]
    sent = repr([(asked.path, asked.body) for asked in github.asked])
    assert "comments" in sent
    assert not leaks(sent.encode())
    assert not leaks(log.encode())
    written = [path for path in (*stage.home.rglob("*"), *stage.folder.glob("run-*/*")) if path.is_file()]
    assert {"report.html", "scorecard.json", "outcomes.sqlite3", "summary", "output"} <= {path.name for path in written}
    assert any("•••".encode() in path.read_bytes() for path in written)
    assert not [path for path in written if leaks(path.read_bytes())]
