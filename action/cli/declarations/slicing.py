"""Declares the command that lists and suggests slices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import calling_process, exit_with, tests_app, usd
from action.cli.options import BudgetUsd, ListFormat, Printed, Repo, Store, Yes


@tests_app.command(
    "slices",
    epilog="Exit codes: 0 printed; 2 wrong usage or configuration; 3 the model could not be asked about all cases.",
)
def slices(
    lineage: Annotated[
        str, typer.Argument(metavar="LINEAGE", help="Its name in promptverdict.yaml (default: all).")
    ] = "",
    *,
    suggest: Annotated[bool, typer.Option("--suggest", help="Suggest a slice for each case that has none.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Also ask this model of promptverdict.yaml, where the rest is unsure."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the suggestions into the test sets, for you to review in the diff.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what --model would cost.")] = False,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """List the slices of test sets. With --suggest, propose a slice for each case that has none.

    Suggestions come from rules (injections, unusual inputs), from the most similar cases of the set (once 20 have a
    slice), and from a model, if you name one. The confidence says how often the same suggestion was right on your own
    labeled cases. Existing slices never change. Nothing is written without --write.
    """
    if model is not None and not suggest:
        raise typer.BadParameter("needs --suggest", param_hint="--model")
    if write and not suggest:
        raise typer.BadParameter("needs --suggest", param_hint="--write")
    if dry_run and model is None:
        raise typer.BadParameter("needs --model: the other suggestions cost nothing", param_hint="--dry-run")
    calling = calling_process() if model is not None and not dry_run else None
    from action.cli.slices import SliceOptions
    from action.cli.slices import slices as run

    options = SliceOptions(
        repo=repo,
        lineage=lineage,
        budget_usd=usd(budget),
        yes=yes,
        store=store,
        suggest=suggest,
        model=model,
        dry_run=dry_run,
        write=write,
    )
    exit_with(run(options, calling, output_format=output_format.value))
