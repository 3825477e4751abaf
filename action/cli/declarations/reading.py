"""Declares the commands that read a repository or a record, and spend nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import app, exit_with, tests_app
from action.cli.options import Base, Color, Head, Lineages, ListFormat, Printed, Repo, SchemaName, Worktree


@app.command(epilog="Exit codes: 0 planned; 2 wrong usage or configuration; 3 a prompt can't be measured.")
def plan(
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show what check would run and why, with calls, tokens and USD by version. Spends nothing."""
    from action.cli.local import ComparisonOptions
    from action.cli.plan import plan as run

    exit_with(
        run(
            ComparisonOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
            )
        )
    )


@app.command()
def diff(
    lineage: Annotated[str, typer.Argument(help="Its name in promptverdict.yaml, or the path of a prompt.")],
    before: Annotated[str | None, typer.Argument(metavar="REF", help="From (default: the merge base).")] = None,
    after: Annotated[str, typer.Argument(metavar="REF", help="To.")] = "HEAD",
    *,
    repo: Repo = Path(),
    color: Color = None,
) -> None:
    """Show two versions of a prompt side by side. Follows renames."""
    from action.cli.diff import diff as run

    exit_with(run(repo, lineage, before, after, color=color))


@app.command()
def power(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Test sets (default: those of the configuration).")
    ] = None,
    *,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show which drops a test set can rule out and which it would block, without a run."""
    from action.cli.power import power as run

    exit_with(run(repo, tuple(paths or ()), output_format=output_format.value))


@app.command()
def decide(
    record: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded experiment, from check --output.")],
    *,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Test recorded scores again, offline, with the same result. Other reasons of check are not recorded."""
    from action.cli.decide import decide as run

    exit_with(run(record, output_format=output_format.value))


@app.command()
def schema(name: Annotated[SchemaName, typer.Argument(help="The file: config, tests, rubric or scorecard.")]) -> None:
    """Print a JSON Schema for editors and other programs."""
    from action.cli.schema import schema as run

    exit_with(run(name.value))


@tests_app.command("lint")
def tests_lint(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Test sets (default: those of the configuration).")
    ] = None,
    *,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Find duplicates, slices that are too small, unknown labels, and cases without an expectation."""
    from action.cli.lint import lint as run

    exit_with(run(repo, tuple(paths or ()), output_format=output_format.value))
