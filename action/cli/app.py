"""Declares the commands of ``promptverdict``. The code of each is imported when it runs."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from action.cli.bot_process import become_bot
from action.cli.command_help import FullHelp
from action.cli.options import (
    Base,
    BudgetUsd,
    Colour,
    Format,
    Head,
    JudgedLineage,
    Lineages,
    ListFormat,
    Printed,
    Repo,
    SchemaName,
    Store,
    WorkflowForm,
    Worktree,
    Yes,
)
from action.exits import Exit

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
            said = "(not installed: it runs from its source)"
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


tests_app = typer.Typer(cls=FullHelp, no_args_is_help=True, rich_markup_mode=None, help="Look after test sets.")
app.add_typer(tests_app, name="tests")
import_app = typer.Typer(
    cls=FullHelp, no_args_is_help=True, rich_markup_mode=None, help="Take over the evaluations of another tool."
)
app.add_typer(import_app, name="import")
judge_app = typer.Typer(
    cls=FullHelp, no_args_is_help=True, rich_markup_mode=None, help="Compare a judge's grades with people's."
)
app.add_typer(judge_app, name="judge")
store_app = typer.Typer(cls=FullHelp, no_args_is_help=True, rich_markup_mode=None, help="Manage stored answers.")
app.add_typer(store_app, name="store")


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
    output_format: Annotated[Format, typer.Option("--format", help="How the scorecard is printed.")] = Format.TERMINAL,
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
    color: Colour = None,
) -> None:
    """Run baseline and candidate prompts on the committed test sets and give the verdict."""
    from adapters.call_process.process import started_for

    calling = started_for(os.environ)  # it imports what it needs while we import what we need
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
    """Show one case: its input, both prompts' answers, every run's score. Reuses the answers of check."""
    from adapters.call_process.process import started_for

    calling = started_for(os.environ)
    from action.cli.check import CheckOptions
    from action.cli.explain import explain as run

    _exit(
        run(
            case,
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format="terminal",
                budget_usd=_usd(budget),
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
    output_format: Annotated[ListFormat, typer.Option("--format", help="How the scores are printed.")] = (
        ListFormat.TERMINAL
    ),
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Score today's prompts on their test sets, without a change to compare. Needs no configuration; gates nothing."""
    from adapters.call_process.process import started_for

    calling = started_for(os.environ)
    from action.cli.check import CheckOptions
    from action.cli.score import score as run

    _exit(
        run(
            CheckOptions(
                repo=repo,
                base=head,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format=output_format.value,
                budget_usd=_usd(budget),
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it may cost, and spend nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Name the changed parts that break cases: revert them one by one, and run the broken cases again."""
    from adapters.call_process.process import started_for

    calling = None if dry_run else started_for(os.environ)
    from action.cli.blame import blame as run
    from action.cli.check import CheckOptions

    _exit(
        run(
            CheckOptions(
                repo=repo,
                base=base,
                head=head,
                lineages=tuple(lineage or ()),
                worktree=worktree,
                format="json" if json else "terminal",
                budget_usd=_usd(budget),
                yes=yes,
                store=store,
            ),
            calling,
            dry_run=dry_run,
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
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show what check would run and why, with calls, tokens and USD by arm. Spends nothing."""
    from action.cli.local import ComparisonOptions
    from action.cli.plan import plan as run

    _exit(
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

    _exit(run(repo, dry_run=dry_run, form=form.value, action=action))


@app.command()
def diff(
    lineage: Annotated[str, typer.Argument(help="Its name in promptverdict.yaml, or the path of a prompt.")],
    before: Annotated[str | None, typer.Argument(metavar="REF", help="From (default: the merge base).")] = None,
    after: Annotated[str, typer.Argument(metavar="REF", help="To.")] = "HEAD",
    *,
    repo: Repo = Path(),
    color: Colour = None,
) -> None:
    """Show two versions of a prompt side by side. Follows renames."""
    from action.cli.diff import diff as run

    _exit(run(repo, lineage, before, after, color=color))


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
    from adapters.call_process.process import started_for

    calling = None if dry_run else started_for(os.environ)
    from action.cli.backtest import BacktestOptions
    from action.cli.backtest import backtest as run

    _exit(
        run(
            BacktestOptions(
                repo=repo,
                lineage=lineage,
                last=last,
                head=head,
                format=output_format.value,
                budget_usd=_usd(budget),
                yes=yes,
                dry_run=dry_run,
                store=store,
            ),
            calling,
        )
    )


@app.command()
def power(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Test sets (default: those of the configuration).")
    ] = None,
    *,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show what a test set can detect, without a run: drops it can rule out, drops it would block."""
    from action.cli.power import power as run

    _exit(run(repo, tuple(paths or ()), output_format=output_format.value))


@app.command()
def decide(
    record: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded experiment, from check --output.")],
    *,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Decide a recorded experiment again, offline, with the same result byte for byte."""
    from action.cli.decide import decide as run

    _exit(run(record, output_format=output_format.value))


@store_app.command("stats")
def store_stats(
    *,
    store: Store = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Show statistics of the stored answers."""
    from action.cli.store import stats as run

    _exit(run(store, output_format=output_format.value))


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

    _exit(run(store, older_than_days=older_than_days, max_mib=max_mib))


@store_app.command("export")
def store_export(
    *,
    outcomes: Annotated[bool, typer.Option("--outcomes", help="Scores only, as CSV: no text of any answer.")] = False,
    store: Store = None,
) -> None:
    """Print every answer as a line of JSON, or every score as a row of CSV."""
    from action.cli.store import export, export_outcomes

    _exit(export_outcomes(store) if outcomes else export(store))


@app.command()
def demo(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Where to write everything (default: a new folder).")
    ] = None,
    color: Colour = None,
) -> None:
    """Build six pull requests in a real repository and give each its verdict. No API key, no network."""
    from action.cli.demo import demo as run

    _exit(run(output, color=color))


@app.command()
def schema(name: Annotated[SchemaName, typer.Argument(help="The file: config, tests, rubric or scorecard.")]) -> None:
    """Print a JSON Schema for editors and other programs."""
    from action.cli.schema import schema as run

    _exit(run(name.value))


ALL_ELSE = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Declares a command of another process, which has its own options and help."""


@app.command(context_settings=ALL_ELSE, add_help_option=False)
def bot(context: typer.Context) -> None:
    """Serve a whole organization as a GitHub App: webhooks, durable runs, commands in pull requests."""
    become_bot(context.args)


@app.command(context_settings=ALL_ELSE, add_help_option=False)
def doctor(context: typer.Context) -> None:
    """Check an installation of the bot, and say how to fix what is wrong."""
    become_bot(["doctor", *context.args])


@app.command(context_settings=ALL_ELSE, add_help_option=False)
def pages(context: typer.Context) -> None:
    """Write runs as pages for the browser: prompts over time, runs case by case, comparisons."""
    become_bot(["pages", *context.args])


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

    _exit(run(repo, tuple(paths or ()), output_format=output_format.value))


@judge_app.command(
    "calibrate",
    epilog="Exit codes: 0 the judge gates; 1 it doesn't; 2 wrong usage or configuration; 3 could not be measured.",
)
def judge_calibrate(
    lineage: JudgedLineage,
    *,
    repo: Repo = Path(),
    output_format: Printed = ListFormat.TERMINAL,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Let the judge grade the answers that people graded: its agreement and bias, and what it lacks to gate."""
    from adapters.call_process.process import started_for

    calling = started_for(os.environ)
    from action.cli.judge_calibrate import calibrate as run
    from action.cli.judged import JudgeOptions

    _exit(
        run(
            JudgeOptions(
                repo=repo,
                lineage=lineage,
                budget_usd=_usd(budget),
                yes=yes,
                store=store,
            ),
            calling,
            output_format=output_format.value,
        )
    )


@judge_app.command(
    "label", epilog="Exit codes: 0 done, or to be continued; 2 wrong usage or configuration; 3 no answers could be had."
)
def judge_label(
    lineage: JudgedLineage,
    *,
    repo: Repo = Path(),
    base: Base = None,
    number: Annotated[
        int | None, typer.Option("--number", min=1, max=1_000, help="How many answers (default: until 40 are graded).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random order.")] = 1,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a form for a browser instead of asking here.")
    ] = None,
    imported: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add the grades that a form gave.")
    ] = None,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Grade answers of both versions of a prompt, blind and in random order, key by key. Resumable."""
    from adapters.call_process.process import started_for

    calling = None if imported else started_for(os.environ)
    from action.cli.judge_label import LabelOptions
    from action.cli.judge_label import label as run

    _exit(
        run(
            LabelOptions(
                repo=repo,
                lineage=lineage,
                budget_usd=_usd(budget),
                yes=yes,
                store=store,
                base=base,
                number=number,
                seed=seed,
                html=html,
                imported=imported,
            ),
            calling,
        )
    )


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

    _exit(run(repo, path, dry_run=dry_run, action=action))


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
