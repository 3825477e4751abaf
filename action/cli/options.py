"""Options and formats that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """The output format of the scorecard."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


class ListFormat(StrEnum):
    """The output format of lists."""

    TERMINAL = "terminal"
    JSON = "json"


class WorkflowForm(StrEnum):
    """Which workflow ``init`` writes."""

    SHORT = "short"
    LONG = "long"
    ENTERPRISE = "enterprise"


class SchemaName(StrEnum):
    """The files with a JSON Schema."""

    CONFIG = "config"
    TESTS = "tests"
    RUBRIC = "rubric"
    SCORECARD = "scorecard"


Repo = Annotated[Path, typer.Option("--repo", help="The repository (default: the one around this folder).")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="REF", help="Compare with this branch (default: the default branch).")
]
Head = Annotated[str, typer.Option("--head", metavar="REF", help="The branch or commit to merge.")]
Lineages = Annotated[
    list[str] | None, typer.Option("--lineage", metavar="NAME", help="Only this lineage; may be repeated.")
]
JudgedLineage = Annotated[
    str, typer.Argument(metavar="LINEAGE", help="Its name in promptverdict.yaml, as your working copy has it.")
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
    str | None, typer.Option("--budget", metavar="USD", help="Spend at most this; only lowers the configured cap.")
]
Printed = Annotated[ListFormat, typer.Option("--format", help="The output format.")]
Color = Annotated[bool | None, typer.Option("--color/--no-color", help="Colors (default: on a terminal).")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before spending money.")]
