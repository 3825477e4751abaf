"""Declares the commands that add test cases and confirm them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import calling_process, exit_with, tests_app, usd
from action.cli.options import BudgetUsd, Repo, Store, Yes

LineageName = Annotated[str, typer.Argument(metavar="LINEAGE", help="Its name in promptverdict.yaml.")]
Write = Annotated[bool, typer.Option("--write", help="Change the test set. By default, a patch is printed.")]


@tests_app.command("add", epilog="Exit codes: 0 added or printed; 2 wrong usage, or the case repeats another one.")
def add(
    lineage: LineageName,
    *,
    given: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE", help="A file with the input, or - for stdin; several inputs as JSON."),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One input; may be repeated.")
    ] = None,
    trace: Annotated[
        str | None, typer.Option("--trace", metavar="FILE", help="A trace with content, exported as OTLP/JSON.")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--span", metavar="ID", help="Which request of --trace, if it has several.")
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option("--expected", metavar="TEXT", help="What the answer should have been; JSON for fields."),
    ] = None,
    slice_: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="NAME", help="Its slice (default: suggested); may be repeated."),
    ] = None,
    same_as: Annotated[
        str | None, typer.Option("--same-as", metavar="ID", help="The id of the case that it repeats on purpose.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep-personal-data", help="Don't mask e-mail addresses, IBANs, phone and card numbers.")
    ] = False,
    write: Write = False,
    repo: Repo = Path(),
) -> None:
    """Add a case to the test set: an input that failed in production, and what the answer should have been.

    The patch has the test set's own format, and the case records source: production. The command refuses
    near-duplicates of existing cases. It masks e-mail addresses, phone numbers, IBANs and card numbers, but no names.
    """
    from action.cli.new_case import NewCaseOptions, new_case

    if [given is not None, bool(values), trace is not None].count(True) != 1:
        raise typer.BadParameter("give exactly one of --input, --set and --trace", param_hint="--input")
    if span is not None and trace is None:
        raise typer.BadParameter("needs --trace", param_hint="--span")
    from engine.new_cases.draft import MAX_INPUT_BYTES
    from engine.production.otlp_json import MAX_EXPORT_BYTES

    exit_with(
        new_case(
            NewCaseOptions(
                repo=repo,
                lineage=lineage,
                given=None if given is None else _content(given, "--input", MAX_INPUT_BYTES),
                sets=dict(map(_pair, values or ())),
                trace=None if trace is None else (trace, _content(trace, "--trace", MAX_EXPORT_BYTES)),
                span=span,
                expected=expected,
                slices=slice_ or (),
                same_as=same_as,
                mask=not keep,
                write=write,
            )
        )
    )


def _content(name: str, option: str, most: int) -> str:
    """Returns the text of a file or of stdin, at most ``most`` bytes. Raises BadParameter if there is none, or more."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(most + 1)
        text = data.decode()
    except OSError as error:
        raise typer.BadParameter(f"{name}: {error.strerror}", param_hint=option) from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{name} is not UTF-8 text", param_hint=option) from error
    if len(data) > most or not text.strip():
        what = "is empty" if not text.strip() else f"has more than {most:,} bytes"
        raise typer.BadParameter(f"{name} {what}", param_hint=option)
    return text.removesuffix("\n")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    return name, value


@tests_app.command("confirm", epilog="Exit codes: 0 listed, printed or written; 2 wrong usage or configuration.")
def confirm(
    lineage: LineageName,
    cases: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The cases to confirm.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Confirm every unverified case.")] = False,
    write: Write = False,
    repo: Repo = Path(),
) -> None:
    """List unverified cases, or confirm some. Check their expectations first: runs then measure them."""
    from action.cli.confirm import ConfirmOptions
    from action.cli.confirm import confirm as run

    exit_with(run(ConfirmOptions(repo=repo, lineage=lineage, cases=cases or (), every=every, write=write)))


@tests_app.command("generate", epilog="Exit codes: 0 all cases generated; 2 wrong usage; 3 fewer cases than asked for.")
def generate(
    lineage: LineageName,
    *,
    slice_: Annotated[str, typer.Option("--slice", metavar="NAME", help="The slice of the new cases.")],
    number: Annotated[int, typer.Option("--n", min=1, max=200, help="How many cases to generate.")] = 20,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="A model of promptverdict.yaml (default: the lineage's first)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would cost, make no call.")] = False,
    write: Write = False,
    repo: Repo = Path(),
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Have a model write new cases, with existing ones as examples. Runs skip them until you confirm them.

    Each new case differs from all others in the test set: the command drops near-duplicates and asks the model again.
    The cases are marked source: synthetic and verified: false. The same command continues an interrupted run, and
    doesn't pay for a call twice.
    """
    calling = None if dry_run else calling_process()
    from action.cli.generate import GenerateOptions
    from action.cli.generate import generate as run

    options = GenerateOptions(
        repo=repo,
        lineage=lineage,
        budget_usd=usd(budget),
        yes=yes,
        store=store,
        slice=slice_,
        number=number,
        model=model,
        dry_run=dry_run,
        write=write,
    )
    exit_with(run(options, calling))
