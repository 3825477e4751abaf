"""The command line: ``promptverdict``. Commands are declared here; what they do is imported when they run."""

from __future__ import annotations

import sys
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from action.exits import Exit, exit_of_error
from schemas.errors import PromptVerdictError

app = typer.Typer(
    name="promptverdict",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Measures what a pull request does to your prompts, and says whether it may be merged.",
    epilog="Start with: promptverdict init, then promptverdict plan (spends nothing), then promptverdict check.",
)


class Format(StrEnum):
    """How the scorecard is printed."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


class ListFormat(StrEnum):
    """How lists are printed."""

    TERMINAL = "terminal"
    JSON = "json"


Repo = Annotated[Path, typer.Option("--repo", help="The repository (default: the one around this folder).")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="REF", help="Compare with this branch (default: the default branch).")
]
Head = Annotated[str, typer.Option("--head", metavar="REF", help="What is to be merged.")]
Lineages = Annotated[
    list[str] | None, typer.Option("--lineage", metavar="NAME", help="Only this lineage; may be repeated.")
]
Worktree = Annotated[
    bool, typer.Option("--worktree", help="Evaluate uncommitted prompt edits (on your own machine only).")
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        envvar="PROMPTVERDICT_STORE",
        help="Where answers are kept, so that nothing is paid twice (default: your cache folder).",
    ),
]
BudgetUsd = Annotated[
    str | None, typer.Option("--budget", metavar="USD", help="Spend at most this; can only lower the configured cap.")
]
Colour = Annotated[bool | None, typer.Option("--color/--no-color", help="Colours (default: on a terminal).")]


@app.command(
    epilog="Exit codes: 0 may be merged (approved, nothing to evaluate, or inconclusive that passes); 1 blocked; "
    "2 wrong usage or configuration; 3 could not be measured; 4 inconclusive that doesn't pass; 5 needs approval.",
)
def check(
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    output_format: Annotated[Format, typer.Option("--format", help="How the scorecard is printed.")] = Format.TERMINAL,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Also write scorecard.json, scorecard.md and report.html here."),
    ] = None,
    budget: BudgetUsd = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before money is spent.")] = False,
    store: Store = None,
    color: Colour = None,
) -> None:
    """Run baseline and candidate prompts on the committed test sets and give the verdict."""
    from action.cli.check import CheckOptions
    from action.cli.check import check as run

    _exit(
        run(
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
                output=output,
                budget_usd=_usd(budget),
                yes=yes,
                store=store,
                color=color,
            )
        )
    )


@app.command()
def plan(
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    output_format: Annotated[ListFormat, typer.Option("--format", help="How the plan is printed.")] = (
        ListFormat.TERMINAL
    ),
) -> None:
    """Show what check would run and why, with calls, tokens and USD by arm. Spends nothing."""
    from action.cli.plan import PlanOptions
    from action.cli.plan import plan as run

    _exit(
        run(
            PlanOptions(
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
def init(
    *,
    repo: Repo = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, write nothing.")] = False,
) -> None:
    """Find the prompts and test sets of this repository; write promptverdict.yaml and the workflow."""
    from action.cli.init import init as run

    _exit(run(repo, dry_run=dry_run))


@app.command()
def diff(
    lineage: Annotated[str, typer.Argument(help="Its name in promptverdict.yaml, or the path of a prompt.")],
    before: Annotated[str | None, typer.Argument(metavar="[REF]", help="From (default: the merge base).")] = None,
    after: Annotated[str, typer.Argument(metavar="[REF]", help="To.")] = "HEAD",
    *,
    repo: Repo = Path(),
    color: Colour = None,
) -> None:
    """Show two versions of a lineage side by side; renames are followed."""
    from action.cli.diff import diff as run

    _exit(run(repo, lineage, before, after, color=color))


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise typer.BadParameter(f"{text!r} is not an amount in USD, such as 2.50", param_hint="--budget")
    return value


def _exit(code: Exit) -> NoReturn:
    raise typer.Exit(int(code))


def main() -> None:
    """The console script: a mistake of the user is one line on stderr; only our own bugs print a traceback."""
    try:
        app()
    except PromptVerdictError as error:
        sys.stderr.write(f"promptverdict: {error}\n")
        sys.exit(exit_of_error(error))
    except KeyboardInterrupt:
        sys.stderr.write("\npromptverdict: interrupted\n")
        sys.exit(Exit.INTERRUPTED)
