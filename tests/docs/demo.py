"""One pull request of the demo, checked as the demo does it."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from action.cli.main import main
from demo.staging import stage


def checked(branch, folder):
    """The scorecard as JSON."""
    stage(folder / "repository")
    command = [
        "check",
        "--repo",
        folder / "repository",
        "--base",
        "main",
        "--head",
        branch,
        "--format",
        "json",
        "--yes",
    ]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(io.StringIO()):
        patch.setattr(sys, "argv", ["promptverdict", *map(str, [*command, "--store", folder / "store"])])
        with pytest.raises(SystemExit):
            main()
    return out.getvalue()
