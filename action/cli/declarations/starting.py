"""Declares the commands with which people begin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import RELEASED_AT, app, exit_with, import_app
from action.cli.options import Color, Repo, WorkflowForm


@app.command()
def init(
    *,
    repo: Repo = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, write nothing.")] = False,
    form: Annotated[
        WorkflowForm,
        typer.Option(
            "--workflow",
            help="The workflow to write: short calls a shared one, long has every step, enterprise has no artifacts.",
        ),
    ] = WorkflowForm.SHORT,
    action: Annotated[
        str,
        typer.Option("--action", metavar="URL", envvar="PROMPTVERDICT_ACTION", help="Where the Action is released."),
    ] = RELEASED_AT,
) -> None:
    """Find the prompts and test sets of this repository; write promptverdict.yaml and the workflow."""
    from action.cli.init import init as run

    exit_with(run(repo, dry_run=dry_run, form=form.value, action=action))


@import_app.command(
    "promptfoo",
    epilog="Example: promptverdict import promptfoo evals/promptfooconfig.yaml --dry-run. To keep promptfoo's file as "
    "the source of the tests instead, write tests: evals/promptfooconfig.yaml in promptverdict.yaml.",
)
def import_promptfoo(
    path: Annotated[
        str | None,
        typer.Argument(metavar="PATH", help="Configuration of promptfoo (default: promptfooconfig.yaml)."),
    ] = None,
    *,
    repo: Repo = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, write nothing.")] = False,
    action: Annotated[
        str,
        typer.Option("--action", metavar="URL", envvar="PROMPTVERDICT_ACTION", help="Where the Action is released."),
    ] = RELEASED_AT,
) -> None:
    """Write promptverdict.yaml, the test set and the workflow from promptfoo's configuration; list what is left out."""
    from action.cli.import_promptfoo import import_promptfoo as run

    exit_with(run(repo, path, dry_run=dry_run, action=action))


@app.command()
def demo(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Where to write everything (default: a new folder).")
    ] = None,
    color: Color = None,
) -> None:
    """Build seven pull requests in a real repository and give each its verdict. No API key, no network."""
    from action.cli.demo import demo as run

    exit_with(run(output, color=color))
