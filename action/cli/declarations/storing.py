"""Declares the commands of the store."""

from __future__ import annotations

from typing import Annotated

import typer

from action.cli.declarations.root import exit_with, store_app
from action.cli.options import ListFormat, Printed, Store


@store_app.command("stats")
def store_stats(
    *,
    store: Store = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show statistics of the stored answers."""
    from action.cli.store import stats as run

    exit_with(run(store, output_format=output_format.value))


@store_app.command("prune")
def store_prune(
    *,
    store: Store = None,
    older_than_days: Annotated[
        int | None, typer.Option("--older-than-days", min=0, metavar="DAYS", help="Delete older answers.")
    ] = None,
    max_mib: Annotated[int | None, typer.Option("--max-mib", min=0, metavar="MIB", help="Keep the newest.")] = None,
) -> None:
    """Delete old answers."""
    from action.cli.store import prune as run

    exit_with(run(store, older_than_days=older_than_days, max_mib=max_mib))


@store_app.command("export")
def store_export(
    *,
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Scores only, as CSV: no text of any answer.")] = False,
    store: Store = None,
) -> None:
    """Print every answer as a line of JSON, or every score as a row of CSV."""
    from action.cli.store import export, export_outcomes

    exit_with(export_outcomes(store) if outcomes else export(store))
