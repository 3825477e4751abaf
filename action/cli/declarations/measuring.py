"""Declares the commands that measure, which may cost money."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import app, calling_process, exit_with, usd
from action.cli.options import (
    Base,
    BudgetUsd,
    Color,
    Format,
    Head,
    Lineages,
    ListFormat,
    Printed,
    Repo,
    Store,
    Worktree,
    Yes,
)


@app.command(
    epilog="Exit codes: 0 may be merged (approved, nothing to evaluate, or inconclusive that passes); 1 blocked; "
    "2 wrong usage or configuration; 3 could not be measured; 4 inconclusive that doesn't pass; 5 needs review.",
)
def check(
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    output_format: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.TERMINAL,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Also write scorecard.json, scorecard.md and report.html here."),
    ] = None,
    budget: BudgetUsd = None,
    prices_at: Annotated[
        datetime | None,
        typer.Option("--prices-at", formats=["%Y-%m-%d"], metavar="DATE", help="Use the prices of this day."),
    ] = None,
    yes: Yes = False,
    store: Store = None,
    color: Color = None,
) -> None:
    """Run baseline and candidate prompts on the committed test sets and give the verdict."""
    calling = calling_process()
    from action.cli.check import CheckOptions
    from action.cli.check import check as run

    exit_with(
        run(
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
                output=output,
                budget_usd=usd(budget),
                yes=yes,
                store=store,
                color=color,
                prices_at=prices_at.date() if prices_at else None,
            ),
            calling,
        )
    )


@app.command()
def explain(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The id of a case.")],
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Show one case: its input, the answers of both prompts, the score of every run. Reuses the answers of check."""
    calling = calling_process()
    from action.cli.check import CheckOptions
    from action.cli.explain import explain as run

    exit_with(
        run(
            case,
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format="terminal",
                budget_usd=usd(budget),
                yes=yes,
                store=store,
            ),
            calling,
        )
    )


@app.command(epilog="Exit codes: 0 scored; 2 wrong usage or configuration; 3 a prompt could not be scored.")
def score(
    *,
    repo: Repo = Path(),
    head: Annotated[str, typer.Option("--head", metavar="REF", help="The commit whose prompts are scored.")] = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    output_format: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = (ListFormat.TERMINAL),
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Score the prompts as they are on their test sets, without a comparison or a gate. Needs no configuration."""
    calling = calling_process()
    from action.cli.check import CheckOptions
    from action.cli.score import score as run

    exit_with(
        run(
            CheckOptions(
                repo=repo,
                base=head,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
                budget_usd=usd(budget),
                yes=yes,
                store=store,
            ),
            calling,
        )
    )


@app.command(
    epilog="Exit codes: 0 searched, whatever was found; 2 wrong usage or configuration; 3 could not be finished."
)
def blame(
    *,
    repo: Repo = Path(),
    base: Base = None,
    head: Head = "HEAD",
    lineage: Lineages = None,
    worktree: Worktree = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it may cost, spend nothing.")] = False,
    output_format: Printed = ListFormat.TERMINAL,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Name the changed parts that break cases: revert them one by one, and run the broken cases again."""
    calling = None if dry_run else calling_process()
    from action.cli.blame import blame as run
    from action.cli.check import CheckOptions

    exit_with(
        run(
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
                budget_usd=usd(budget),
                yes=yes,
                store=store,
            ),
            calling,
            dry_run=dry_run,
        )
    )


@app.command(epilog="Exit codes: 0 every change was judged; 2 wrong usage or configuration; 3 a change was not.")
def backtest(
    lineage: Annotated[str, typer.Argument(help="Its name in promptverdict.yaml.")],
    *,
    repo: Repo = Path(),
    last: Annotated[int, typer.Option("--last", min=1, max=1_000, help="How many of the newest changes.")] = 20,
    head: Annotated[
        str | None, typer.Option("--head", metavar="REF", help="The branch (default: the default branch).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would cost, run nothing.")] = False,
    output_format: Printed = ListFormat.TERMINAL,
    budget: Annotated[str | None, typer.Option("--budget", metavar="USD", help="Spend at most this.")] = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Judge the earlier changes of a prompt by today's test set and policy: what would the gate have stopped?"""
    calling = None if dry_run else calling_process()
    from action.cli.backtest import BacktestOptions
    from action.cli.backtest import backtest as run

    exit_with(
        run(
            BacktestOptions(
                repo=repo,
                lineage=lineage,
                last=last,
                head=head,
                format=output_format.value,
                budget_usd=usd(budget),
                yes=yes,
                dry_run=dry_run,
                store=store,
            ),
            calling,
        )
    )


@app.command(epilog="Exit codes: 0 searched, whatever was found; 2 wrong usage or configuration; 3 unfinished.")
def suggest(
    lineage: Annotated[str, typer.Argument(help="Its name in promptverdict.yaml.")],
    *,
    repo: Repo = Path(),
    ask: Annotated[
        str | None,
        typer.Option(
            "--ask",
            metavar="SENTENCE",
            help="Edit the prompt as this sentence says, without a search. The next --ask continues.",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="With --ask: start over from the committed prompt.")
    ] = False,
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.1, max=0.9, help="Share of the cases that the optimizer never sees.")
    ] = 0.5,
    reflector: Annotated[
        str | None, typer.Option("--reflector", metavar="NAME", help="The model that edits (default: the judge).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would cost, run nothing.")] = False,
    output_format: Printed = ListFormat.TERMINAL,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="USD", help="Spend at most this. With 0, only show what stored answers tell."),
    ] = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Search for a better prompt, and propose only an edit that the gate proves on cases that the search never saw."""
    calling = None if dry_run else calling_process()
    from action.cli.improving import SuggestOptions

    options = SuggestOptions(
        repo=repo,
        lineage=lineage,
        held_out=held_out,
        reflector=reflector,
        format=output_format.value,
        budget_usd=usd(budget),
        yes=yes,
        dry_run=dry_run,
        store=store,
        restart=restart,
    )
    if ask is not None:
        from action.cli.ask import ask as one_round

        exit_with(one_round(options, ask, calling))
    if restart:
        raise typer.BadParameter("--restart is for a conversation: use it with --ask")
    from action.cli.suggest import suggest as run

    exit_with(run(options, calling))


@app.command(epilog="Exit codes: 0 as before; 1 a finding; 2 wrong usage or configuration; 3 could not be measured.")
def watch(
    *,
    repo: Repo = Path(),
    lineage: Lineages = None,
    head: Annotated[str, typer.Option("--head", metavar="REF", help="The branch or commit to watch.")] = "HEAD",
    output_format: Printed = ListFormat.TERMINAL,
    budget: BudgetUsd = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the cost of one run, and run nothing.")] = False,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Run the prompts again and compare them with their stored answers, to find a model that changed behind its name.

    The first run stores the scores, and each later one is compared with it. Run it once a day.
    """
    calling = calling_process()
    from action.cli.watch import WatchOptions
    from action.cli.watch import watch as run

    options = WatchOptions(
        repo=repo, lineages=tuple(lineage or ()), head=head, format=output_format.value, budget_usd=usd(budget),
        yes=yes, dry_run=dry_run, store=store,
    )  # fmt: skip
    exit_with(run(options, calling))
