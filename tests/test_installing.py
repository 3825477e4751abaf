"""What a plain install has: the command line works without the extras, and names the extra that is missing."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.end_to_end.conftest import CONFIG, FILES, PROMPT
from tests.repositories import Repository

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = ("schemas", "evaluators", "engine", "adapters", "demo", "action", "bot")
SERVICE = ("bot", "adapters/github", "adapters/store/postgres.py", "action/start.py", "action/publish.py")
"""Code that only the Action and the bot run."""
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
import importlib.util
from importlib.machinery import PathFinder
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in {blocked!r} else real(name, *more)
from action.cli.main import main
main()
"""


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def closure(requirements):
    """Everything that pip would install, by name."""
    found, waiting = set(), [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        for text in requires(name) or ():
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in requirement.extras | {""}):
                waiting.append(inner)
    return found


PLAIN = closure(PROJECT["dependencies"])
MODULES = {
    module: {canonicalize_name(name) for name in distributions}
    for module, distributions in packages_distributions().items()
}
EXTRA_MODULES = {
    module
    for module, distributions in MODULES.items()
    if not distributions & PLAIN and module.isidentifier() and not module.startswith("_")
}


@cache
def imported(path):
    return frozenset(_imported(path))


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def run(repository, *arguments, **environment):
    """The command line of a plain install: nothing else can be imported."""
    code = BLOCKED.format(blocked=EXTRA_MODULES - set(PACKAGES))
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=repository.path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(repository.path.parent), "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    base = made.commit(FILES)
    made.commit({"prompts/triage.prompt.yml": PROMPT.replace("You sort", "You assign")}, branch="reworded", parent=base)
    return made


def test_a_plain_install_is_half_of_what_the_bot_needs():
    assert {"openai", "anthropic", "dbos", "pygithub", "sqlalchemy", "fastapi", "cryptography", "aiohttp"}.isdisjoint(
        PLAIN
    )
    everything = closure(
        [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra if "[" not in text)]
    )
    assert len(PLAIN) * 2 <= len(everything) + 2


def test_check_runs_in_a_plain_install(repository):
    ran = run(repository, "check", "--head", "reworded", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["status"] == "approved"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("bot",), "bot"),
        (("suggest", "triage"), "improve"),
        (("store", "stats", "--store", "postgresql://x/y"), "bot"),
        (("check", "--head", "reworded", "--yes"), "anthropic"),
    ],
    ids=str,
)
def test_what_is_not_installed_names_its_extra(repository, arguments, extra):
    config = yaml.safe_load(CONFIG) | {"models": {"toy": {"provider": "anthropic", "model": "claude-haiku-4-5"}}}
    base = repository.commit({"promptverdict.yaml": yaml.safe_dump(config)}, branch="main")
    repository.commit(
        {"prompts/triage.prompt.yml": PROMPT.replace("You sort", "You assign")}, branch="reworded", parent=base
    )
    ran = run(repository, *arguments, ANTHROPIC_API_KEY="sk-x")
    assert f"prompt-verdict[{extra}]" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.returncode in (2, 3)


def test_every_dependency_is_imported_somewhere():
    used = {name for path in sources() for module in imported(path) for name in MODULES.get(module, ())}
    declared = names(text for texts in (PROJECT["dependencies"], *EXTRAS.values()) for text in texts)
    assert declared - used - {"prompt-verdict"} == set()


def test_code_of_the_command_line_imports_no_extra_at_the_top():
    """What the service needs stays in its own files; SDKs and aiohttp in the process that makes calls."""
    calls = {f"adapters/providers/{name}.py" for name in ("anthropic", "openai", "sdk", "transport")}
    calls.add("adapters/loop.py")  # uvloop, where it is installed
    calls |= {"adapters/optimizer.py", "adapters/notices.py"}  # gepa and apprise, imported when used
    found = {
        (str(path.relative_to(ROOT)), module)
        for path in sources()
        for module in imported(path)
        if module in EXTRA_MODULES - set(PACKAGES)
        and not str(path.relative_to(ROOT)).startswith(SERVICE)
        and str(path.relative_to(ROOT)) not in calls
    }
    assert found == set()


def test_the_locks_have_what_is_declared():
    locked, beside = (
        set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / f"requirements/{name}.txt").read_text()))
        for name in ("runtime", "dev")
    )
    declared = names(text for texts in (PROJECT["dependencies"], *EXTRAS.values()) for text in texts)
    assert declared - {"prompt-verdict"} <= locked | beside
    assert declared - locked == {"prompt-verdict"}
    assert (
        "--extra bot --extra improve pyproject.toml" in (ROOT / "requirements/runtime.txt").read_text().splitlines()[1]
    )
    assert not re.search("https?://", "".join(path.read_text() for path in (ROOT / "requirements").glob("*.txt")))


def test_the_image_gets_every_package_but_the_examples():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert packages - sent == {"examples"}
