"""Runs the git program with a time limit, and without the caller's settings that could influence it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from schemas.errors import SourceError

PATIENCE_S = 120
"""Seconds for one git command: a partial clone may have to fetch a blob."""
PASSED_ON = ("PATH", "TMPDIR", "TZ", "SSH_AUTH_SOCK")
"""The only variables of the caller that git gets: no keys, proxies or git settings. A partial clone on a laptop needs
the agent's socket to fetch blobs over ssh."""
HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "diff.external": "",
    # The owner of a folder decides what git runs on its behalf; with the keys above, reading runs nothing.
    "safe.directory": "*",
}


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables for git: those in ``PASSED_ON``, and ``settings`` as the command's configuration."""
    env = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    env |= {
        # No home folder: it may hold credentials, and configuration that runs programs.
        "HOME": os.devnull,
        # No settings from the machine, the user or the repository's owner may influence what git reads.
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        # A question for a password would wait forever without a terminal.
        "GIT_TERMINAL_PROMPT": "0",
        # Replacement refs would show other contents than a commit's id promises.
        "GIT_NO_REPLACE_OBJECTS": "1",
        # Reading must not write to the index of a clone in which a person works.
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        # Messages are matched by their English words.
        "LC_ALL": "C",
    }
    for index, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


def run_git(
    *command: str,
    env: Mapping[str, str],
    where: str,
    stdin: bytes = b"",
    cwd: str | None = None,
    held: Sequence[int] = (),
    patience_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[bytes]:
    """Runs one command and returns its result with any exit code. ``where``: the repository that errors name.

    ``held``: descriptors of open files that git inherits. A lock on one of them lasts until git ends, even if this
    process is killed. Raises SourceError when git is missing or takes too long."""
    try:
        return subprocess.run(  # noqa: S603 - a fixed program; ids are checked, paths follow “--”
            ["git", "--no-pager", *command],  # noqa: S607 - the caller's PATH decides which git
            input=stdin,
            capture_output=True,
            env=env,
            cwd=cwd,
            timeout=patience_s,
            check=False,
            pass_fds=held,
        )
    except FileNotFoundError as error:
        raise SourceError("the git program is missing", hint="install git 2.31 or later") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"git did not answer within {patience_s:g} s", where=where) from error


def text(raw: bytes) -> str:
    """Returns a path as text. Escapes bytes that aren't UTF-8, so messages can name such a file."""
    return raw.decode(errors="backslashreplace")
