"""Declares the command ``promptverdict`` and its groups, and what all commands need."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from action.cli.command_help import FullHelp
from action.exits import Exit

if TYPE_CHECKING:
    from adapters.call_process.process import CallingProcess

RELEASED_AT = "https://github.com/prompt-verdict/prompt-verdict"

app = typer.Typer(
    name="promptverdict",
    cls=FullHelp,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Measures how a pull request changes your prompts, and decides whether it may be merged.",
    epilog="Start with: promptverdict score (writes nothing), then promptverdict init, plan and check.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            said = version("prompt-verdict")
        except PackageNotFoundError:
            said = "(not installed, running from source)"
        typer.echo(f"promptverdict {said}")
        raise typer.Exit


@app.callback()
def promptverdict(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Measures what a pull request does to your prompts, and says whether it may be merged."""


def _group(name: str, what: str) -> typer.Typer:
    group = typer.Typer(cls=FullHelp, no_args_is_help=True, rich_markup_mode=None, help=what)
    app.add_typer(group, name=name)
    return group


tests_app = _group("tests", "Check test sets, add and confirm cases, and sort them into slices.")
import_app = _group("import", "Import the configuration of another tool.")
judge_app = _group("judge", "Grade answers, and compare a judge's grades with yours.")
tokens_app = _group("tokens", "Make and revoke the tokens with which applications read tags.")
store_app = _group("store", "Manage stored answers.")


def usd(text: str | None) -> Decimal | None:
    """Returns the amount of an option ``--budget``. Raises BadParameter for anything else."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise typer.BadParameter(f"{text!r} is not an amount in USD, such as 2.50", param_hint="--budget")
    return value


def exit_with(code: Exit) -> NoReturn:
    """Ends the command."""
    raise typer.Exit(int(code))


def calling_process() -> CallingProcess | None:
    """Starts the process that calls the models: it imports what it needs while we import what we need."""
    from adapters.call_process.process import started_for

    return started_for(os.environ)
