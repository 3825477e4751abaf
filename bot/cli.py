"""The bot's command line. Commands are declared here; their code is imported when they run."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from schemas.errors import ConfigError, PromptVerdictError, UsageError

WRONG, BROKEN, INTERRUPTED = 2, 3, 130
"""Exit codes: wrong settings or usage; could not continue; Ctrl-C."""

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Start with: promptverdict bot setup, which registers the GitHub App. Then set PROMPTVERDICT_APP_ID, "
    "PROMPTVERDICT_PRIVATE_KEY_FILE and PROMPTVERDICT_WEBHOOK_SECRET_FILE and run: promptverdict bot. "
    "promptverdict doctor says whether everything is in place. "
    "Exit codes: 0 stopped on request; 2 wrong settings; 3 could not continue (restart it: nothing is lost).",
)


@app.callback()
def everything(
    context: typer.Context,
    *,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Only show the pages of local records, on the loopback interface, without sign-in."
        ),
    ] = False,
) -> None:
    """Gate the prompts of a whole organization: a GitHub App that measures every pull request.

    Without a command it starts everything in one process: webhooks, runs, an SQLite file. It resumes where it
    stopped, and ends within ten seconds when asked to (SIGTERM, Ctrl-C).
    """
    if local:
        if context.invoked_subcommand is not None:
            raise UsageError("--local takes no command", hint="run promptverdict bot --local")
        _show_pages()
    if context.invoked_subcommand is None:
        _serve(web=True, worker=True)


@app.command()
def web() -> None:
    """Receive webhooks only. Workers on the same database execute the runs, so this needs no provider key."""
    _serve(web=True, worker=False)


@app.command()
def worker() -> None:
    """Execute runs only. Any number may share one Postgres, each with its own PROMPTVERDICT_SLOT."""
    _serve(web=False, worker=True)


@app.command()
def migrate() -> None:
    """Migrate the database to this version, and exit.

    Use it if your deployment migrates in a separate job. Without it, each process migrates when it starts.
    """
    from bot.settings import read_settings

    read = read_settings(os.environ)
    from bot.store.records import Records

    records = Records(read.database_url)
    try:
        records.migrate()
    finally:
        records.close()
    sys.stdout.write("The database is at this version.\n")


@app.command()
def setup(
    *,
    webhook_url: Annotated[
        str,
        typer.Option("--webhook-url", metavar="URL", help="Where GitHub reaches the bot: https://HOST/webhook."),
    ],
    organization: Annotated[
        str | None, typer.Option("--organization", metavar="NAME", help="The App's owner (default: you).")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The App's name, unique on GitHub.")] = "Prompt Verdict",
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder for the key, the secrets and the ruleset.")
    ] = Path("prompt-verdict-app"),
    github: Annotated[
        str, typer.Option("--github", metavar="URL", help="The URL of your GitHub.")
    ] = "https://github.com",
    port: Annotated[
        int, typer.Option("--port", help="The port of the local page (default: any).", show_default=False)
    ] = 0,
    pull_requests: Annotated[
        bool,
        typer.Option(
            "--pull-requests",
            help="Let people open pull requests from the pages, in their own name: the App asks for contents: write.",
        ),
    ] = False,
    deployments: Annotated[
        bool,
        typer.Option("--deployments", help="Show moves of tags as deployments: the App asks for deployments: write."),
    ] = False,
    issues: Annotated[
        bool,
        typer.Option("--issues", help="Open an issue for each alert about production: the App asks for issues: write."),
    ] = False,
) -> None:
    """Register the GitHub App. One page with one button sets its permissions, events and webhook.

    It writes the key and the secrets to files that only your user can read, and overwrites no file.
    """
    from adapters.providers.open_provider import CA_BUNDLE, PROXY
    from bot.operations.setup import AppSetup
    from bot.operations.setup import setup as run

    run(
        AppSetup(
            webhook_url=webhook_url,
            name=name,
            organization=organization,
            folder=output,
            server_url=github.rstrip("/"),
            port=port,
            opens_pull_requests=pull_requests,
            deploys=deployments,
            opens_issues=issues,
            proxy=os.environ.get(PROXY) or None,
            ca_bundle=os.environ.get(CA_BUNDLE) or None,
        ),
        sys.stdout,
    )


class DoctorFormat(StrEnum):
    """The output format."""

    TEXT = "text"
    JSON = "json"


@app.command(epilog="Exit codes: 0 no problem (there may be warnings); 1 problems; 2 wrong settings.")
def doctor(
    *,
    output_format: Annotated[DoctorFormat, typer.Option("--format", help="The output format.")] = DoctorFormat.TEXT,
    repository: Annotated[
        str | None, typer.Option("--repository", metavar="OWNER/NAME", help="Examine only this repository's rulesets.")
    ] = None,
) -> None:
    """Check an installation of the bot.

    It looks at permissions, events, webhooks, rulesets, keys (one token each), the database and workers.

    It reads the same settings as the bot, changes nothing, and shows no secret. For the Action alone, without a bot:
    --repository, and a token that can read the repository in GITHUB_TOKEN.
    """
    from bot.operations.doctor.action_rules import TOKEN, action_doctor
    from bot.operations.doctor.examine import doctor as run
    from bot.variables import APP_ID

    as_document = output_format is DoctorFormat.JSON
    if repository is not None and not os.environ.get(APP_ID.name):
        if not os.environ.get(TOKEN):
            raise UsageError(
                f"neither {TOKEN} nor {APP_ID.name} is set",
                hint=f"without a bot: export {TOKEN}=$(gh auth token); with a bot: set its own settings",
            )
        raise typer.Exit(action_doctor(os.environ, sys.stdout, repository, as_document=as_document))
    code = run(os.environ, sys.stdout, now=datetime.now(UTC), as_document=as_document, only=repository)
    raise typer.Exit(code)


@app.command()
def settings() -> None:
    """List every setting with its default. Reads nothing."""
    from bot.variables import VARIABLES

    for variable in VARIABLES:
        also = f" (or the path of a file in {variable.name}_FILE)" if variable.secret else ""
        sys.stdout.write(
            f"{variable.name}{also}\n    {_plain(variable.meaning)}. Default: {_plain(variable.default)}\n"
        )


@app.command("restore-tags")
def restore_tags(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")],
) -> None:
    """Restore a repository's tags from its deployments on GitHub.

    For use after the database was lost. Tags that have a version stay as they are. Finds only moves that the App
    recorded as deployments, with the permission deployments: write.
    """
    from bot.restoring import restore_tags as run

    run(os.environ, sys.stdout, repository)


@app.command()
def rollback(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")],
    lineage: Annotated[str, typer.Argument(metavar="LINEAGE", help="The prompt's name.")],
    tag: Annotated[str, typer.Argument(metavar="TAG", help="The tag, such as production.")],
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="VERSION", help="The first digits of the version. Default: the one before."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.")] = "",
) -> None:
    """Move a tag back on this machine, while GitHub is down.

    For the operator: it checks no role. Other people use `promptverdict rollback`.
    """
    from bot.operator_rollback import rollback as run

    run(os.environ, sys.stdout, repository, lineage, tag, to=to, reason=reason)


@app.command()
def pages(
    scorecards: Annotated[
        list[Path],
        typer.Argument(metavar="SCORECARD", help="The scorecard.json of a run, or a folder with any number of them."),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The folder for the pages.")],
    repository: Annotated[
        str, typer.Option("--repository", metavar="OWNER/NAME", help="The repository of these runs.")
    ] = "this/repository",
    github: Annotated[
        str, typer.Option("--github", metavar="URL", help="The URL of your GitHub.")
    ] = "https://github.com",
) -> None:
    """Write the Action's runs as web pages in a folder.

    Open them as files, or publish the folder: they need no App and no server. The runs are ordered by the modification
    times of their files.
    """
    from bot.site import export

    export(scorecards, output, repository, github.rstrip("/"), sys.stdout)


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _show_pages() -> NoReturn:
    from bot.settings import read_local_settings

    read = read_local_settings(os.environ)
    from bot.site import serve_local

    raise typer.Exit(0 if serve_local(read, sys.stdout) else BROKEN)


def _serve(*, web: bool, worker: bool) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until the service listens there is nothing to clean up
    from bot.settings import read_settings

    read = read_settings(os.environ)  # first: loading the rest takes a second
    from bot.service import serve

    raise typer.Exit(0 if serve(read, sys.stdout, web=web, worker=worker) else BROKEN)


def main() -> None:
    """Runs the command line. An operator's mistake is one line on stderr; only our own bugs print a traceback."""
    sys.exit(_code())


def _code() -> int:
    try:
        app(prog_name="promptverdict bot")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except PromptVerdictError as error:
        sys.stderr.write(f"promptverdict: {error}\n")
        return WRONG if isinstance(error, UsageError | ConfigError) else BROKEN
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - Python's own exit code, 1, would mean: blocked
        traceback.print_exc()
        return BROKEN
    return 0
