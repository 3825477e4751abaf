"""Handles a command in a comment: acknowledged, permitted or refused, executed, and answered exactly once.

A delivery may come twice, a worker may die anywhere and GitHub's answers may get lost, so everything here may be
repeated. A decision is noted in the audit log under the comment's id before its first effect. A run is started under
that id, and an answer that was already written is found again by its marker.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.approvals.permissions import Origin, Refused, at_least, may
from bot.commands.catalog import COMMANDS
from bot.commands.command import AskedCommand, AsyncCommandHost, Command, CommandContext
from bot.commands.grammar import read_command
from bot.commands.replies import ENOUGH, answer_body, marker, said
from bot.store.async_records import AsyncRecords
from bot.store.values import AuditEntry
from bot.webhooks.intents import CommandPosted
from engine.approvals.contributors import contributors
from schemas.errors import NotFound
from schemas.host import Role

EYES = "eyes"
MOST_ANSWERS = 10
"""Answers for one person without write access on one pull request: anyone can write comments without end."""
RATE_LIMITED = "too many commands by people without write access"


async def answer(posted: CommandPosted, context: CommandContext, commands: Sequence[type[Command]] = COMMANDS) -> str:
    """Executes the command in a comment and answers it. May be repeated. Returns what happened, for the log.

    Raises HostError, SourceError and StoreError: then nothing was answered, and the delivery is handled again later.
    """
    command = read_command(posted.body, commands)
    if command is None:
        return "no command"
    if posted.author.endswith("[bot]"):
        return "bots give no commands"
    return await _answer(command, posted, context, commands)


async def _answer(
    command: Command, posted: CommandPosted, context: CommandContext, commands: Sequence[type[Command]]
) -> str:
    records, host = AsyncRecords(context.records), AsyncCommandHost(context.host)
    repository = posted.repo.repository_id
    who = (posted.repo.installation_id, repository, posted.author)
    # Before anything is read or written: a flood must cost neither requests nor rows.
    if context.rate_limit.refuses(*who, context.now()):
        return RATE_LIMITED
    await records.repository(posted.repo, context.now())
    seen = await records.begin_command(repository, posted.comment_id, context.now())
    if seen.answer_id is not None:
        return "answered before"
    pull = await host.pull_request(posted.number)
    role = await host.role(posted.author)
    # Only new comments count: a repeated delivery is not another command.
    if seen.first and not at_least(role, Role.WRITE) and not context.rate_limit.take(*who, context.now()):
        return RATE_LIMITED
    try:
        await host.react(posted.comment_id, EYES)
    # A deleted comment needs no answer.
    except NotFound:
        return "the comment was deleted"
    before = await records.audited(posted.comment_id)
    entry = AuditEntry(
        repository_id=repository,
        number=posted.number,
        by=posted.author,
        role=role.value,
        action=command.audit_action(),
        at=context.now(),
        url=posted.url,
        comment_id=posted.comment_id,
        head_sha=pull.head_sha,
    )
    text = await _executed(command, AskedCommand(posted, pull, entry, before, context, commands))
    if text is None:
        return "answered often enough"
    body = answer_body(posted.comment_id, posted.author, posted.url, text)
    made = await host.comment(posted.number, body, marker(posted.comment_id))
    await records.end_command(posted.comment_id, made.id, context.now())
    return f"answered {type(command).__name__}"


async def _executed(command: Command, asked: AskedCommand) -> str | None:
    """Returns the answer; ``None`` if this person has had enough answers."""
    entry, earlier = asked.entry, 0
    if not at_least(Role(entry.role), Role.WRITE):
        # Counted from the log, so that neither a restart nor another worker resets the number.
        log = await asked.records.audit_log(entry.repository_id, entry.number)
        earlier = sum(1 for one in log if one.by == entry.by and one.comment_id != entry.comment_id)
    if earlier >= MOST_ANSWERS and asked.before is None:
        return None
    refused = await _refusal(command, asked)
    text = await command.execute(asked) if refused is None else said(refused, "Nothing was done.")
    return f"{text}\n\n{ENOUGH}" if earlier == MOST_ANSWERS - 1 else text


async def _refusal(command: Command, asked: AskedCommand) -> str | None:
    """Returns why the command is not permitted, as a sentence. Notes a refusal."""
    if asked.before is not None:
        # The first decision counts: a role that was granted since must not execute a command that was refused, and a
        # command that was cut short must be finished.
        return None if asked.before.permitted else asked.before.reason
    origin = Origin.SAME_REPOSITORY if asked.pull.head_repository == asked.posted.repo.full_name else Origin.FORK
    # Only some commands depend on it, and finding out takes several requests.
    took_part = not command.rule.author and await _took_part(asked)
    allowed = may(command.verb, command.rule, Role(asked.entry.role), origin, author=took_part)
    if not isinstance(allowed, Refused):
        return None
    await asked.note(asked.entry.model_copy(update={"permitted": False, "reason": allowed.sentence}))
    return allowed.sentence


async def _took_part(asked: AskedCommand) -> bool:
    """Returns whether the person opened, committed to or pushed to the pull request. GitHub is asked only if they may
    write."""
    if asked.posted.author == asked.pull.author or not at_least(Role(asked.entry.role), Role.WRITE):
        return asked.posted.author == asked.pull.author
    work = await asked.host.authorship(asked.pull.number)
    return contributors(work, asked.pull.head_sha).include(asked.posted.author)
