"""A small repository with one triage prompt, and the command line run on it."""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from action.cli.main import main
from tests.action.triage import CONFIG, PROMPT
from tests.repositories import Repository

PATH = os.environ["PATH"]
NO_RELEASES = "file:///nowhere/prompt-verdict/prompt-verdict"
"""Where ``init`` finds no release of the Action, without the network."""

TICKETS = {
    "billing": ["Why was my card charged twice in {}?", "The invoice of {} shows a wrong payment.", "My payment in {} failed, card declined."],
    "refunds": ["I want my money back for {}.", "Please refund my order of {}.", "I returned the parcel in {}, where is the refund?"],
}  # fmt: skip
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]


def cases(number=60):
    rows = []
    for index in range(number):
        label = ("billing", "refunds")[index % 2]
        ticket = TICKETS[label][index // 2 % 3].format(f"{MONTHS[index // 6 % 10]} {2000 + index}")
        row = {"id": f"t-{index:03}", "inputs": {"ticket": ticket}, "expected": label, "slices": ["typical"]}
        rows.append(json.dumps(row))
    return "\n".join(rows) + "\n"


FILES = {"promptverdict.yaml": CONFIG, "prompts/triage.prompt.yml": PROMPT, "tests/triage.jsonl": cases()}


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def card(self):
        return json.loads(self.out)


@dataclass
class Project:
    repository: Repository
    home: Path
    base: str

    def branch(self, name, files):
        return self.repository.commit(files, branch=name, parent=self.base)

    def run(self, *arguments, cwd=None, **environment):
        return run_command(*arguments, cwd=cwd or self.repository.path, home=self.home, **environment)

    def check(self, head, *arguments, **environment):
        return self.run("check", "--head", head, "--format", "json", *arguments, **environment)


def run_command(*arguments, cwd, home, **environment):
    """The console script in this process: its own folder, environment and streams, as a shell would give it."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        for name in list(os.environ):
            patch.delenv(name)
        fixed = {"PATH": PATH, "HOME": str(home), "COLUMNS": "100", "PROMPTVERDICT_ACTION": NO_RELEASES}
        for name, value in (fixed | environment).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["promptverdict", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
    return Ran(int(stopped.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def project(tmp_path):
    repository = Repository(tmp_path / "repository")
    home = tmp_path / "home"
    home.mkdir()
    return Project(repository, home, repository.commit(FILES))
