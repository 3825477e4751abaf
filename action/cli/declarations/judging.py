"""Declares the commands that compare a judge with people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import calling_process, exit_with, judge_app, usd
from action.cli.options import Base, BudgetUsd, JudgedLineage, ListFormat, Printed, Repo, Store, Yes


@judge_app.command(
    "calibrate",
    epilog="Exit codes: 0 the judge gates; 1 it doesn't gate; 2 wrong usage or configuration; 3 could not be measured.",
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
    """Compare the judge's grades with people's: agreement, bias, and what keeps the judge from gating."""
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
    "label",
    epilog="Exit codes: 0 grades saved, complete or not; 2 wrong usage or configuration; 3 no answers to grade.",
)
def judge_label(
    lineage: JudgedLineage,
    *,
    repo: Repo = Path(),
    base: Base = None,
    number: Annotated[
        int | None, typer.Option("--number", min=1, max=1_000, help="Answers to grade (default: until 40 are graded).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random order.")] = 1,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an HTML form instead of asking on the terminal."),
    ] = None,
    imported: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add the grades that the HTML form returned.")
    ] = None,
    budget: BudgetUsd = None,
    yes: Yes = False,
    store: Store = None,
) -> None:
    """Grade answers of both versions of a prompt, blind and in random order. Continues where you stopped."""
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
