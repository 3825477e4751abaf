"""The image as the runner uses it: mounted folders, a workspace that lies, events from files, our GitHub on loopback."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest

from tests.action.stage import ALL
from tests.action.test_outputs import parse_outputs
from tests.action.triage import FILES, REWORDED
from tests.fakes.github import Scene

pytestmark = [pytest.mark.container, pytest.mark.slow]
TRIAGE = "prompts/triage.prompt.yml"
TRAP = "import os\nopen('/github/workspace/SPRUNG', 'a').write(__name__ + '\\n')\nraise SystemExit('sprung')\n"
HOSTILE = {
    "action/__init__.py": TRAP, "action/__main__.py": TRAP, "bot/__init__.py": TRAP, "schemas/__init__.py": TRAP,
    "engine/__init__.py": TRAP, "github.py": TRAP, "json.py": TRAP, "sitecustomize.py": TRAP, "usercustomize.py": TRAP,
    ".env": "OPENAI_BASE_URL=http://127.0.0.1:9\nANTHROPIC_API_KEY=stolen\n",
    "pip.conf": "[global]\nindex-url = http://127.0.0.1:9\n", "promptverdict.yaml": "version: 1\nmode: inform\n",
    ".git/config": "[core]\n\tfsmonitor = touch /github/workspace/SPRUNG\n\tbare = false\n",
    "setup.cfg": "[mypy]\n", "python": "#!/bin/sh\ntouch /github/workspace/SPRUNG\n", "git": "#!/bin/sh\ntouch /github/workspace/SPRUNG\n",
}  # fmt: skip


@dataclass
class Ran:
    code: int
    log: str
    outputs: dict
    first_line_s: float
    """From the start of the interpreter to the first line that says something."""
    home: object
    workspace: object


@pytest.fixture
def scene(github):
    repository = github.repository("acme/shop", mia="maintain", ada="write")
    repository.git.commit("main", FILES)
    return Scene(github, repository)


@pytest.fixture
def act(image, github, scene, tmp_path):
    def run(name, payload):
        folders = {n: tmp_path / n for n in ("workspace", "home", "workflow", "file_commands")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        for path, text in HOSTILE.items():
            file = folders["workspace"] / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        (folders["workflow"] / "event.json").write_text(json.dumps(payload))
        token = github.actions_token(scene.repository, **ALL)
        variables = {
            "HOME": "/github/home", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": "/github/workflow/event.json", "GITHUB_WORKSPACE": "/github/workspace",
            "GITHUB_API_URL": github.api_url, "GITHUB_SERVER_URL": github.server_url, "GITHUB_RUN_ID": "7",
            "GITHUB_OUTPUT": "/github/file_commands/output", "GITHUB_STEP_SUMMARY": "/github/file_commands/summary",
            "GITHUB_STATE": "/github/file_commands/state", "GITHUB_ENV": "/github/file_commands/env",
            "GITHUB_PATH": "/github/file_commands/path", "RUNNER_TEMP": "/home/runner/work/_temp", "CI": "true",
            "INPUT_GITHUB-TOKEN": token, "INPUT_STATUS": "true", "INPUT_ANNOTATIONS": "true", "INPUT_SUMMARY": "true",
            "PYTHONPATH": "/github/workspace", "OPENAI_BASE_URL": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9",
        }  # fmt: skip
        command = [image.engine.docker, "run", "--rm", "--network", "host", "--workdir", "/github/workspace"]
        for variable, value in variables.items():
            command += ["--env", f"{variable}={value}"]
        for folder, path in folders.items():
            command += ["--volume", f"{path}:/github/{folder}"]
        # A first interpreter says that the container is up; the second one is the entrypoint, and the clock is on it.
        # (A shell would drop variables with a dash in their name, which is what the runner's inputs have.)
        hand_over = (
            "import os; print('started', flush=True); os.execvp('python', ['python', '-I', '-u', '-m', 'action'])"
        )
        command += ["--entrypoint", "python", image.tag, "-I", "-c", hand_over]
        environment = {**os.environ, **({"DOCKER_HOST": image.engine.host} if image.engine.host else {})}
        started = useful = 0.0
        lines = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process:
            guard = threading.Timer(180, process.kill)
            guard.start()
            for line in process.stdout:
                lines.append(line)
                if line == "started\n":
                    started = time.monotonic()
                elif not useful and line.startswith("Prompt Verdict on "):
                    useful = time.monotonic()
            code = process.wait()
            guard.cancel()
        output = folders["file_commands"] / "output"
        outputs = parse_outputs(output.read_text()) if output.exists() else {}
        return Ran(code, "".join(lines), outputs, useful - started, folders["home"], folders["workspace"])

    return run


def test_a_pull_request_in_a_hostile_workspace(act, scene, capsys):
    pull, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request", event)
    assert ran.code == 0, ran.log
    assert [s["state"] for s in reversed(scene.repository.statuses_of(pull.head_sha))] == ["pending", "success"]
    assert not (ran.workspace / "SPRUNG").exists()
    assert ran.outputs["verdict"] == "approved"
    assert ran.outputs["report-html"] == "/home/runner/work/_temp/_github_home/prompt-verdict/report.html"
    assert (ran.home / "prompt-verdict/report.html").stat().st_size > 10_000
    assert (ran.home / "prompt-verdict/outcomes.sqlite3").exists()
    with capsys.disabled():
        print(f"\ncold start inside the image until the first useful line: {ran.first_line_s:.2f} s")  # noqa: T201


def test_a_second_event_pays_nothing(act, scene):
    _, event = scene.open_pull({TRIAGE: REWORDED})
    act("pull_request", event)
    assert act("pull_request", event).outputs["calls"] == "0"


def test_a_refused_event_is_one_line(act, scene):
    _, event = scene.open_pull({TRIAGE: REWORDED})
    ran = act("pull_request_target", event)
    assert ran.code == 2
    assert "refusing to run" in ran.log.splitlines()[-1]


def test_the_same_image_is_the_command_line(image):
    assert "Usage" in image.engine.run("run", "--rm", "--network", "none", image.tag, "--help")


def test_what_is_in_the_image(image, capsys):
    configuration = json.loads(image.engine.run("image", "inspect", image.tag))[0]["Config"]
    assert configuration["Entrypoint"] == ["python", "-I", "-u", "-m", "action"]
    assert (configuration["User"], configuration["WorkingDir"]) == ("", "")
    look = "ls /opt/prompt-verdict/bin; ls -d /opt/prompt-verdict/lib/python*/site-packages/*; find /opt -name tests -type d"
    found = image.engine.run("run", "--rm", "--network", "none", "--entrypoint", "sh", image.tag, "-c", look).split()
    names = {path.rpartition("/")[2] for path in found}
    assert not names & {"pip", "uv", "setuptools", "pytest", "tests", "wheel"}
    assert {"action", "adapters", "engine", "evaluators", "schemas"} <= names
    sizes = image.engine.run("history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", image.tag).splitlines()
    with capsys.disabled():
        print(  # noqa: T201
            f"\nour layers: {', '.join(line.split()[0] for line in sizes if 'COPY' in line and not line.startswith('0B'))}"
        )
