"""Builds the Action from its real parts and runs one job. The only module that knows all of them."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from action.environment import Environment, read_environment, secrets
from action.exits import error_line, exit_of_error
from action.outputs import Runner
from action.reports import reports
from adapters.masking import masked
from schemas.errors import PromptVerdictError

BUG, INTERRUPTED = 3, 130


def run_action(variables: Mapping[str, str], stream: TextIO) -> int:
    """Runs one job of the Action; returns the exit code.

    Never raises: a mistake is one line, a bug of ours a traceback.
    """
    runner = Runner(stream, variables.get("GITHUB_OUTPUT"), variables.get("GITHUB_STEP_SUMMARY"))
    # First, so that no later line of any library shows a secret.
    runner.mask(secrets(variables))
    try:
        return _run(read_environment(variables), variables, runner)
    except (PromptVerdictError, OSError) as error:
        runner.fail(error_line(error))
        runner.outputs({"verdict": "error"})
        return int(exit_of_error(error))
    except KeyboardInterrupt:
        runner.say("Stopped. Paid answers are kept, and the next run continues from there.")
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - the last resort: encoded, so that the runner finds no command in it
        runner.fail("this is a bug in Prompt Verdict; please report the lines below")
        for line in masked(traceback.format_exc(), secrets(variables)).splitlines():
            runner.say(line)
        return BUG


def _run(environment: Environment, variables: Mapping[str, str], runner: Runner) -> int:
    from action.job import Job
    from action.pipeline import LivePipeline
    from action.watch import SCHEDULE, Watch
    from adapters.git.remote import RemoteRepository
    from adapters.github.host import GitHubHost

    host = GitHubHost.with_token(
        environment.repository,
        environment.token,
        api_url=environment.api_url,
        proxy=environment.proxy,
        ca_bundle=environment.ca_bundle,
    )
    # Outside the workspace: nothing of the checked-out files is read or written.
    with tempfile.TemporaryDirectory(prefix="prompt-verdict-") as folder:
        tree = RemoteRepository(
            Path(folder, "source.git"),
            f"{environment.server_url}/{environment.repository}.git",
            environment.token,
            proxy=environment.proxy,
            ca_bundle=environment.ca_bundle,
        )
        if environment.event_name == SCHEDULE:
            return Watch(environment, runner, host, tree, variables).run()
        pipeline = LivePipeline(tree, environment.store, variables)
        return Job(environment, runner, host, tree, pipeline, reports).run()
