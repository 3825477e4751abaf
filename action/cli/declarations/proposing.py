"""Declares the command that proposes checks and cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import app, exit_with
from action.cli.options import ListFormat, Printed, Repo, Store


@app.command("suggest-checks", epilog="Exit codes: 0 printed or written, whatever was found; 2 wrong usage.")
def suggest_checks(
    lineage: Annotated[str, typer.Argument(metavar="LINEAGE", help="Its name in promptverdict.yaml.")],
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Change the configuration and the test set. By default, patches are printed."),
    ] = False,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
    store: Store = None,
) -> None:
    """Propose checks and cases that would have caught bad answers. Needs no model.

    Bad answers are those that people graded with 1 or 2, and stored answers that fail. Each check was run on all of
    them, and on the good ones: the output says what it catches, and what it would wrongly catch.
    """
    from action.cli.suggest_checks import SuggestChecksOptions
    from action.cli.suggest_checks import suggest_checks as run

    options = SuggestChecksOptions(repo=repo, lineage=lineage, write=write, format=output_format.value, store=store)
    exit_with(run(options))
