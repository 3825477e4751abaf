"""Puts the Action together from the real parts and runs one job. The only place that knows them all."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from action.environment import Environment, read_environment, secrets
from action.exits import exit_of_error, told
from action.outputs import Runner
from adapters.masking import masked
from schemas.errors import PromptVerdictError

if TYPE_CHECKING:
    from engine.render.markdown import Links
    from schemas.scorecard import Scorecard

BUG, INTERRUPTED = 3, 130


def run_action(variables: Mapping[str, str], stream: TextIO) -> int:
    """One job of the Action; the exit code. Nothing is raised: a mistake is one line, a bug of ours a traceback."""
    runner = Runner(stream, variables.get("GITHUB_OUTPUT"), variables.get("GITHUB_STEP_SUMMARY"))
    runner.mask(secrets(variables))
    try:
        return _run(read_environment(variables), variables, runner)
    except (PromptVerdictError, OSError) as error:
        runner.fail(told(error))
        runner.outputs({"verdict": "error"})
        return int(exit_of_error(error))
    except KeyboardInterrupt:
        runner.say("Stopped: what was paid for is kept, the next run goes on from there.")
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - the last resort: shown encoded, so that nothing in it is taken for a command
        runner.fail("a bug in Prompt Verdict; please report the lines below")
        for line in masked(traceback.format_exc(), secrets(variables)).splitlines():
            runner.say(line)
        return BUG


def _run(environment: Environment, variables: Mapping[str, str], runner: Runner) -> int:
    from action.job import Job
    from action.pipeline import LivePipeline
    from adapters.github import GitHubHost
    from adapters.remote import RemoteRepository

    host = GitHubHost.with_token(
        environment.repository,
        environment.token,
        api_url=environment.api_url,
        proxy=environment.proxy,
        ca_bundle=environment.ca_bundle,
    )
    with tempfile.TemporaryDirectory(prefix="prompt-verdict-") as folder:
        tree = RemoteRepository(
            Path(folder, "source.git"),
            f"{environment.server_url}/{environment.repository}.git",
            environment.token,
            proxy=environment.proxy,
            ca_bundle=environment.ca_bundle,
        )
        pipeline = LivePipeline(tree, environment.store, variables)
        return Job(environment, runner, host, tree, pipeline, reports).run()


def reports(scorecard: Scorecard, links: Links) -> dict[str, str]:
    """The files that later steps may read."""
    from engine.render.html import html_report
    from engine.render.json import scorecard_json
    from engine.render.limits import JOB_SUMMARY
    from engine.render.markdown import markdown

    return {
        "scorecard.json": scorecard_json(scorecard),
        "scorecard.md": markdown(scorecard, JOB_SUMMARY, links),
        "report.html": html_report(scorecard, links=links),
    }
