"""Declares the commands that compare a judge with people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import calling_process, exit_with, judge_app, usd
from action.cli.options import Base, BudgetUsd, JudgedLineage, ListFormat, Printed, Repo, Store, Yes


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
    calling = calling_process()
    from action.cli.judge_calibrate import calibrate as run
    from action.cli.judged import JudgeOptions

    exit_with(
        run(
            JudgeOptions(
                repo=repo,
                lineage=lineage,
                budget_usd=usd(budget),
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
    calling = None if imported else calling_process()
    from action.cli.judge_label import LabelOptions
    from action.cli.judge_label import label as run

    exit_with(
        run(
            LabelOptions(
                repo=repo,
                lineage=lineage,
                budget_usd=usd(budget),
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
