"""Declares the command that proposes checks and cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import app, calling_process, exit_with, usd
from action.cli.options import BudgetUsd, ListFormat, Printed, Repo, Store, Yes


@app.command(
    "suggest-checks",
    epilog="Exit codes: 0 printed or written, whatever was found; 2 wrong usage; 3 dimensions not measured.",
)
def suggest_checks(
    lineage: Annotated[str, typer.Argument(metavar="LINEAGE", help="Its name in promptverdict.yaml.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Also let this model of promptverdict.yaml propose rubric dimensions."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what --model would cost.")] = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="Change the configuration and the test set. By default, patches are printed."),
    ] = False,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Propose checks, rubric dimensions and cases that would have caught bad answers.

    Bad answers are those that people graded 1 or 2, and stored answers that fail. The command runs each check on the
    bad and the good answers, and reports what it catches and what it would wrongly catch. Only rubric dimensions need
    a model: --model proposes them, and the prompt's judge grades the answers by them.
    """
    if dry_run and model is None:
        raise typer.BadParameter("needs --model: everything else costs nothing", param_hint="--dry-run")
    calling = calling_process() if model is not None and not dry_run else None
    from action.cli.suggest_checks import SuggestChecksOptions
    from action.cli.suggest_checks import suggest_checks as run

    options = SuggestChecksOptions(
        repo=repo,
        lineage=lineage,
        budget_usd=usd(budget),
        yes=yes,
        store=store,
        model=model,
        dry_run=dry_run,
        write=write,
        format=output_format.value,
    )
    exit_with(run(options, calling))
