"""A command in a comment: acknowledged, allowed or refused, done, and answered exactly once.

A delivery may come twice, a worker may die anywhere and GitHub's answers may get lost, so that everything here may be
repeated: what was decided is noted in the audit log under the comment's id before it has an effect, a run is asked for
under that id, and the answer is found again by its marker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, assert_never

from bot.approvals.accepted_verdict import shown_since
from bot.approvals.permissions import Action, Origin, Refused, at_least, may
from bot.commands.case_files import Fetching, explanation, ready_patch
from bot.commands.grammar import AddCase, Approve, ApproveRun, Command, Explain, Help, Protect, Rerun, read_command
from bot.commands.rate_limit import CommandRateLimit
from bot.commands.replies import ENOUGH, answer_body, approved, help_text, marker, said
from bot.store.values import AuditAction, AuditEntry, KeptVerdict, RepositoryRef, Run
from bot.webhooks.intents import CommandPosted
from engine.authorship import contributors
from engine.clearing import moment, not_overridable
from engine.readers.bounded import did_you_mean
from schemas.errors import NotFound
from schemas.host import Authorship, Comment, HostedPullRequest, Role, Sha

if TYPE_CHECKING:
    from bot.store.records import Records

STANDS = timedelta(days=7)
"""How long an override counts."""
EYES = "eyes"
MOST_ANSWERS = 10
"""So many answers gets a person who may not write below one pull request: anybody can make comments without end."""

_ACTIONS: dict[type[Command] | type[Help], tuple[Action, AuditAction]] = {
    Rerun: (Action.RERUN, AuditAction.RERUN),
    Approve: (Action.APPROVE, AuditAction.APPROVE),
    ApproveRun: (Action.APPROVE_RUN, AuditAction.APPROVE_RUN),
    Protect: (Action.PROTECT, AuditAction.PROTECT),
    AddCase: (Action.ADD_CASE, AuditAction.ADD_CASE),
    Explain: (Action.EXPLAIN, AuditAction.EXPLAIN),
    Help: (Action.HELP, AuditAction.HELP),
}


class Host(Protocol):
    """What is asked of GitHub (``adapters.github.host.GitHubHost``)."""

    def pull_request(self, number: int) -> HostedPullRequest:
        """The pull request as it is now."""
        ...

    def role(self, login: str) -> Role:
        """What this person may do here, now. Any doubt is ``none``."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Who opened, committed to and pushed to this pull request."""
        ...

    def react(self, comment_id: int, reaction: str) -> None:
        """Adds a reaction to a comment, once. Raises NotFound where the comment is gone."""
        ...

    def comment(self, number: int, body: str, marker: str) -> Comment:
        """A comment whose first line starts with ``marker``: the one that is there, else a new one."""
        ...


class Reconciler(Protocol):
    """Where runs are asked for and verdicts are published (``bot.runs.reconciler.Reconciler``)."""

    async def retry(self, repo: RepositoryRef, number: int, *, why: str, approved_sha: Sha | None = None) -> Run | None:
        """A new attempt for the head as it is now, once for each ``why``; ``None``: there is nothing to run."""
        ...

    async def republish(self, repo: RepositoryRef, number: int) -> None:
        """Writes the check and the comment of the head anew, from what is kept and who accepts it now."""
        ...


@dataclass(frozen=True)
class _Asked:
    """A permitted command with what it is about."""

    posted: CommandPosted
    pull: HostedPullRequest
    entry: AuditEntry
    """What will be noted."""
    before: AuditEntry | None
    """What was noted when this command was cut short the last time."""


@dataclass(frozen=True)
class CommandContext:
    """What one command is handled with."""

    records: Records
    host: Host
    reconciler: Reconciler
    read: Callable[[Callable[[Fetching], str]], str]
    """What a function finds in the repository (blocking); it may be called twice."""
    now: Callable[[], datetime]
    allowance: CommandRateLimit = field(default_factory=CommandRateLimit)
    """For people who may not write."""


async def answer(posted: CommandPosted, context: CommandContext) -> str:
    """Does what the comment commands and answers it; what happened, for the log. May be repeated. After the last answer
    that a person gets nothing is done.

    Raises HostError, SourceError and StoreError: then nothing was answered yet, and the delivery is tried again.
    """
    command = read_command(posted.body)
    if command is None:
        return "no command"
    if posted.author.endswith("[bot]"):
        return "bots give no commands"
    return await _answer(posted, command, context)


async def _answer(posted: CommandPosted, command: Command | Help, context: CommandContext) -> str:
    repository = posted.repo.repository_id
    of = (posted.repo.installation_id, repository, posted.author)
    if context.allowance.refuses(*of, context.now()):
        return "too many commands of people who may not write"
    await asyncio.to_thread(context.records.repository, posted.repo, context.now())
    seen = await asyncio.to_thread(context.records.begin_command, repository, posted.comment_id, context.now())
    if seen.answer_id is not None:
        return "answered before"
    pull = await asyncio.to_thread(context.host.pull_request, posted.number)
    role = await asyncio.to_thread(context.host.role, posted.author)
    if seen.first and not at_least(role, Role.WRITE) and not context.allowance.take(*of, context.now()):
        return "too many commands of people who may not write"
    try:
        await asyncio.to_thread(context.host.react, posted.comment_id, EYES)
    except NotFound:
        return "the comment was deleted"
    text = await _done(posted, command, pull, role, context)
    if text is None:
        return "answered often enough"
    body = answer_body(posted.comment_id, posted.author, posted.url, text)
    made = await asyncio.to_thread(context.host.comment, posted.number, body, marker(posted.comment_id))
    await asyncio.to_thread(context.records.end_command, posted.comment_id, made.id, context.now())
    return f"answered {type(command).__name__}"


async def _done(
    posted: CommandPosted, command: Command | Help, pull: HostedPullRequest, role: Role, context: CommandContext
) -> str | None:
    """What is answered; ``None``: nothing any more."""
    before = await asyncio.to_thread(context.records.audited, posted.comment_id)
    _, noted = _ACTIONS[type(command)]
    entry = AuditEntry(
        repository_id=posted.repo.repository_id,
        number=posted.number,
        by=posted.author,
        role=role.value,
        action=noted,
        at=context.now(),
        url=posted.url,
        comment_id=posted.comment_id,
        head_sha=pull.head_sha,
    )
    earlier = 0 if at_least(role, Role.WRITE) else await asyncio.to_thread(_earlier, posted, context)
    if earlier >= MOST_ANSWERS and before is None:
        return None
    asked = _Asked(posted, pull, entry, before)
    if isinstance(command, Help):
        await _note(context, entry)
        text = help_text(command)
    else:
        text = await _effect(asked, command, context)
    return f"{text}\n\n{ENOUGH}" if earlier == MOST_ANSWERS - 1 else text


def _earlier(posted: CommandPosted, context: CommandContext) -> int:
    """How many other commands of this person were answered below this pull request."""
    log = context.records.audit_log(posted.repo.repository_id, posted.number)
    return sum(1 for one in log if one.by == posted.author and one.comment_id != posted.comment_id)


async def _effect(asked: _Asked, command: Command, context: CommandContext) -> str:
    posted, pull, entry, before = asked.posted, asked.pull, asked.entry, asked.before
    action, _ = _ACTIONS[type(command)]
    origin = Origin.SAME_REPOSITORY if pull.head_repository == posted.repo.full_name else Origin.FORK
    if before is None:
        took_part = action is Action.APPROVE and await _took_part(asked, context)
        allowed = may(action, Role(entry.role), origin, author=took_part)
        if isinstance(allowed, Refused):
            before = entry.model_copy(update={"permitted": False, "reason": allowed.sentence})
            await _note(context, before)
    if before is not None and not before.permitted:  # what was decided stays decided when it comes again
        return said(before.reason, "Nothing was done.")
    asked = replace(asked, before=before)
    match command:
        case Approve():
            return await _approve(command, asked, context)
        case ApproveRun():
            return await _approve_run(command, asked, context)
        case Rerun():
            return await _rerun(command, asked, context)
        case Explain() | Protect() | AddCase():
            await _note(context, entry)
            shown = await _shown(asked, context)
            kept = _current(shown, pull) or (shown[-1] if shown else None)
            if isinstance(command, Explain):
                return await asyncio.to_thread(explanation, command, kept, context.records.experiments)
            patch = partial(ready_patch, command, kept, pull.head_sha)
            return await asyncio.to_thread(context.read, patch)
        case _:
            assert_never(command)


async def _took_part(asked: _Asked, context: CommandContext) -> bool:
    """Whether the person opened, committed to or pushed to the pull request. GitHub is asked only if they may write."""
    if asked.posted.author == asked.pull.author or not at_least(Role(asked.entry.role), Role.WRITE):
        return asked.posted.author == asked.pull.author
    work = await asyncio.to_thread(context.host.authorship, asked.pull.number)
    return contributors(work, asked.pull.head_sha).include(asked.posted.author)


async def _shown(asked: _Asked, context: CommandContext) -> list[KeptVerdict]:
    repo, number = asked.posted.repo, asked.posted.number
    return await asyncio.to_thread(context.records.verdicts_shown, repo.repository_id, number)


async def _note(context: CommandContext, entry: AuditEntry) -> None:
    await asyncio.to_thread(context.records.audit, entry)


async def _approve(command: Approve, asked: _Asked, context: CommandContext) -> str:
    """Bound to the content of the verdict that the head showed when the comment was written."""
    noted = asked.before
    if noted is None:
        shown = await _shown(asked, context)
        kept = _current(shown, asked.pull)
        refused = _not_approvable(asked, shown, kept)
        if refused is not None or kept is None:
            return said(refused or "", "Nothing was accepted.")
        until = asked.entry.at + STANDS
        change = {"reason": command.reason, "content_digest": kept.content_digest, "expires_at": until}
        noted = asked.entry.model_copy(update=change)
        await _note(context, noted)
    await context.reconciler.republish(asked.posted.repo, asked.posted.number)
    work = await asyncio.to_thread(context.host.authorship, asked.posted.number)
    hidden = contributors(work, noted.head_sha).hidden
    return approved(noted.reason, noted.head_sha or "", noted.expires_at or noted.at, second=hidden)


def _current(shown: Sequence[KeptVerdict], pull: HostedPullRequest) -> KeptVerdict | None:
    """The newest verdict that the pull request shows as it is now."""
    here = [kept for kept in shown if (kept.run.head_sha, kept.run.base_ref) == (pull.head_sha, pull.base_ref)]
    return here[-1] if here else None


def _not_approvable(asked: _Asked, shown: Sequence[KeptVerdict], kept: KeptVerdict | None) -> str | None:
    """Why the verdict can't be accepted, in a sentence."""
    if not asked.pull.is_open:
        return "The pull request is closed."
    if kept is None:
        return f"`{asked.pull.head_sha[:12]}` shows no verdict yet: look at it when it is there, then accept it."
    why = not_overridable(kept.scorecard)
    if why is not None:
        return why
    since = shown_since(shown, kept.scorecard, kept.content_digest)
    if since is None or moment(asked.posted.posted_at) < since:
        return "This was written before that verdict was shown, so it can't mean it: look at it, then say it again."
    return None


async def _approve_run(command: ApproveRun, asked: _Asked, context: CommandContext) -> str:
    posted, head = asked.posted, asked.pull.head_sha
    if asked.before is None:
        if not asked.pull.is_open:
            return said("The pull request is closed. Nothing is run.")
        if command.sha != head:
            return said(f"The head isn't `{command.sha}`: it is `{head}`. Look at that one, then approve it.")
        await _note(context, asked.entry)
    run = await context.reconciler.retry(posted.repo, posted.number, why=_why(posted), approved_sha=command.sha)
    if run is None or run.head_sha != command.sha:
        return said(f"The head moved on: `{command.sha[:12]}` isn't measured any more. Look at the new one.")
    return said(f"`{command.sha[:12]}` is measured, as approved: exactly this commit, for a quarter of the budget.")


async def _rerun(command: Rerun, asked: _Asked, context: CommandContext) -> str:
    posted = asked.posted
    if not asked.pull.is_open:
        return said("The pull request is closed. Nothing is run.")
    kept = _current(await _shown(asked, context), asked.pull)
    names = {card.lineage for card in kept.scorecard.lineages} if kept else set()
    if kept is not None and command.lineage is not None and command.lineage not in names:
        hint = did_you_mean(command.lineage, names) if names else "it concerns none"
        return said(f"This pull request's verdict has no lineage `{command.lineage}` ({hint}).")
    await _note(context, asked.entry)
    run = await context.reconciler.retry(posted.repo, posted.number, why=_why(posted))
    if run is None:
        return said("There is nothing to run.")
    whole = "a verdict is never made of one lineage alone, so all are looked at; " if command.lineage else ""
    return said(f"`{run.head_sha[:12]}` is evaluated once more: {whole}what is stored isn't paid again.")


def _why(posted: CommandPosted) -> str:
    """Once for each comment, however often it is handled."""
    return f"command:{posted.comment_id}"
