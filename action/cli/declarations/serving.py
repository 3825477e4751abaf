"""Declares the bot's commands, which another process runs."""

from __future__ import annotations

import typer

from action.cli.bot_process import become_bot
from action.cli.declarations.root import app

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
    """Write the Action's runs as web pages: prompts over time, runs case by case, comparisons."""
    become_bot(["pages", *context.args])
