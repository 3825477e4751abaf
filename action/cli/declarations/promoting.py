"""Declares the commands of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from action.cli.declarations.root import app, exit_with, tokens_app
from action.cli.options import ListFormat, Printed, Repo
from schemas.errors import UsageError

HubUrl = Annotated[
    str | None,
    typer.Option("--hub", metavar="URL", envvar="PROMPTVERDICT_HUB", help="The address of your organization's bot."),
]
Repository = Annotated[
    str | None,
    typer.Option("--repository", metavar="OWNER/NAME", help="The repository on GitHub (default: this clone's origin)."),
]
Lineage = Annotated[str, typer.Argument(metavar="LINEAGE", help="The prompt's name in promptverdict.yaml.")]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="The tag, such as production or staging.")]


@app.command()
def promote(
    lineage: Lineage,
    tag: Tag,
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="TAG|VERSION", help="What to promote (default: the default branch's version)."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the verdict.")] = True,
    anyway: Annotated[
        int | None, typer.Option("--anyway", metavar="NUMBER", help="Move the tag of this blocked promotion.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why. The tag's history keeps it.")] = "",
    hub: HubUrl = None,
    repository: Repository = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Move a tag to a new version, if it is no worse than what the tag has now.

    The bot measures both versions on today's test set and policy. You need the role maintain, and your own GitHub
    token in GITHUB_TOKEN. Exit codes: 0 moved, 1 blocked, 3 no verdict.
    """
    from action.cli.hub import HubOptions, promote_anyway
    from action.cli.hub import promote as run

    options = HubOptions(hub, repository, output_format.value)
    if anyway is not None:
        if not reason.strip():
            raise UsageError("--anyway needs a reason", where="--reason", hint="say in a few words why")
        exit_with(promote_anyway(options, lineage, tag, anyway, reason))
    exit_with(run(options, lineage, tag, source=source, wait=wait))


@app.command()
def rollback(
    lineage: Lineage,
    tag: Tag,
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="First digits of a version (default: the one before).")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why. The tag's history keeps it.")] = "",
    hub: HubUrl = None,
    repository: Repository = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Move a tag back to a version that it had. Takes effect at once, without a measurement."""
    from action.cli.hub import HubOptions
    from action.cli.hub import rollback as run

    exit_with(run(HubOptions(hub, repository, output_format.value), lineage, tag, to=to, reason=reason))


@app.command()
def tags(
    lineage: Annotated[str | None, typer.Argument(metavar="LINEAGE", help="The prompt (default: all).")] = None,
    *,
    history: Annotated[bool, typer.Option("--history", help="List every move, newest first.")] = False,
    hub: HubUrl = None,
    repository: Repository = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """List the tags and the versions that they have."""
    from action.cli.hub import HubOptions
    from action.cli.hub import tags as run

    exit_with(run(HubOptions(hub, repository, output_format.value), lineage, history=history))


@app.command()
def pull(
    *,
    tag: Annotated[str, typer.Option("--tag", help="The tag of the prompts.")] = "production",
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")] = Path(
        "prompts.lock.json"
    ),
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REF", help="Read the prompts from this commit of the clone, without a hub."),
    ] = None,
    repo: Repo = Path(),
    hub: HubUrl = None,
    repository: Repository = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Write the prompts of a tag to a file, for an image or for an application that can't reach the hub.

    Needs PROMPTVERDICT_TOKEN with a read token, or --commit. The client reads the file with bundle=.
    """
    from action.cli.hub import HubOptions, pull_commit
    from action.cli.hub import pull as run

    options = HubOptions(hub, repository, output_format.value)
    exit_with(run(options, tag, output) if commit is None else pull_commit(options, repo, commit, tag, output))


@tokens_app.command("add")
def tokens_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application that uses it, such as shop-backend.")],
    *,
    ingest: Annotated[
        bool, typer.Option("--ingest", help="The token sends production traces instead of reading tags.")
    ] = False,
    hub: HubUrl = None,
    repository: Repository = None,
    output_format: Printed = ListFormat.TERMINAL,
) -> None:
    """Create a token with which an application reads a repository's tags, or sends traces. It can't move tags."""
    from action.cli.hub import HubOptions, add_token

    exit_with(add_token(HubOptions(hub, repository, output_format.value), name, ingest=ingest))


@tokens_app.command("revoke")
def tokens_revoke(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The token's number.")],
    *,
    hub: HubUrl = None,
    repository: Repository = None,
) -> None:
    """Revoke an application's token for good."""
    from action.cli.hub import HubOptions, revoke_token

    exit_with(revoke_token(HubOptions(hub, repository, ListFormat.TERMINAL.value), number))
