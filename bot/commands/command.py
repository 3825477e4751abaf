"""The base class of commands, and the context in which they are executed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from bot.approvals.permissions import Rule
from bot.blocking import Threaded, in_thread
from bot.commands.rate_limit import CommandRateLimit
from bot.store.async_records import AsyncRecords
from bot.store.values import AuditEntry, KeptVerdict, RepositoryRef, Run
from bot.webhooks.intents import CommandPosted
from schemas.host import Authorship, Comment, HostedPullRequest, Role, Sha
from schemas.ports import SourceTree
from schemas.values import Value

if TYPE_CHECKING:
    from bot.hub.hub_service import HubService
    from bot.improve.suggesting import Suggesting
    from bot.store.records import Records


class CommandSyntaxError(Exception):
    """The text is not a command. The message tells its author why."""


class Command(Value):
    """The base of all commands. The fields of a subclass are the command's arguments."""

    verb: ClassVar[str]
    arguments: ClassVar[str] = ""
    """How the arguments are written."""
    meaning: ClassVar[str]
    """A line for the help."""
    rule: ClassVar[Rule]
    """Who may use it."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Reads the arguments: the rest of the line after the verb. Raises CommandSyntaxError."""

    @abstractmethod
    async def execute(self, asked: AskedCommand) -> str:
        """Executes the command and returns the answer as Markdown.

        May be called again for the same comment after a crash. So it records its decision before the first effect, and
        each effect may be repeated. Raises HostError, SourceError and StoreError.
        """

    @classmethod
    def usage(cls) -> str:
        """Returns the syntax of the command, after ``/verdict``."""
        return f"{cls.verb} {cls.arguments}".rstrip()

    @classmethod
    def audit_action(cls) -> str:
        """Returns the name of the command in the audit log."""
        return cls.verb.replace("-", "_")

    @classmethod
    def wrong_usage(cls) -> CommandSyntaxError:
        """Returns the error for arguments that don't fit ``usage``."""
        return CommandSyntaxError(f"“{cls.verb}” is written: /verdict {cls.usage()}")


class CommandHost(Protocol):
    """The part of GitHub that commands need (``adapters.github.host.GitHubHost``)."""

    def pull_request(self, number: int) -> HostedPullRequest:
        """Reads the pull request."""
        ...

    def role(self, login: str) -> Role:
        """Reads this person's role in the repository. ``none`` in doubt."""
        ...

    def authorship(self, number: int) -> Authorship:
        """Reads who opened, committed to and pushed to this pull request."""
        ...

    def react(self, comment_id: int, reaction: str) -> None:
        """Adds a reaction to a comment, once. Raises NotFound if the comment was deleted."""
        ...

    def comment(self, number: int, body: str, marker: str) -> Comment:
        """Returns the comment whose first line starts with ``marker``; writes it if there is none."""
        ...


class AsyncCommandHost(Threaded[CommandHost]):
    """``CommandHost`` for code that runs in the event loop."""

    authorship = in_thread(CommandHost.authorship)
    comment = in_thread(CommandHost.comment)
    pull_request = in_thread(CommandHost.pull_request)
    react = in_thread(CommandHost.react)
    role = in_thread(CommandHost.role)


class CommandReconciler(Protocol):
    """The part of ``bot.runs.reconciler.Reconciler`` that commands need."""

    async def retry(self, repo: RepositoryRef, number: int, *, why: str, approved_sha: Sha | None = None) -> Run | None:
        """Starts a new attempt at the present head, once for each ``why``; ``None`` if there is nothing to run."""
        ...

    async def republish(self, repo: RepositoryRef, number: int) -> None:
        """Shows the verdict of the present head again, with the approvals that count now."""
        ...


class FetchableTree(SourceTree, Protocol):
    """Commits of a repository that may have to be fetched first."""

    def fetch(self, commits: Sequence[Sha]) -> None:
        """Fetches commits and their trees."""
        ...


@dataclass(frozen=True)
class CommandContext:
    """What every command is handled with."""

    records: Records
    host: CommandHost
    reconciler: CommandReconciler
    read: Callable[[Callable[[FetchableTree], str]], str]
    """Returns the result of a function that reads the repository. Blocks; may call the function twice."""
    now: Callable[[], datetime]
    hub: HubService
    suggesting: Suggesting
    rate_limit: CommandRateLimit = field(default_factory=CommandRateLimit)
    """For people without write access."""
    page_of: Callable[[Run], str | None] = lambda _: None
    """Returns the address of a run's page, if there are pages."""


@dataclass(frozen=True)
class AskedCommand:
    """A permitted command: who asked, about what, and notes of an earlier try."""

    posted: CommandPosted
    pull: HostedPullRequest
    entry: AuditEntry
    """What will be noted in the audit log."""
    before: AuditEntry | None
    """Notes of an earlier try of this command that was cut short."""
    context: CommandContext
    commands: Sequence[type[Command]]
    """Every command that exists."""

    @property
    def records(self) -> AsyncRecords:
        """The records of the bot."""
        return AsyncRecords(self.context.records)

    @property
    def host(self) -> AsyncCommandHost:
        """The repository on GitHub."""
        return AsyncCommandHost(self.context.host)

    @property
    def why(self) -> str:
        """The reason of a requested run. It makes one attempt per comment, however often the command is executed."""
        return f"command:{self.posted.comment_id}"

    async def note(self, entry: AuditEntry | None = None) -> None:
        """Writes ``entry`` (by default the prepared one) to the audit log, once for each comment."""
        await self.records.audit(entry or self.entry)

    async def shown(self) -> list[KeptVerdict]:
        """Returns the verdicts that the pull request has shown, oldest first."""
        return await self.records.verdicts_shown(self.posted.repo.repository_id, self.posted.number)

    def current(self, shown: Sequence[KeptVerdict]) -> KeptVerdict | None:
        """Returns the newest verdict of the pull request's present head and base."""
        state = (self.pull.head_sha, self.pull.base_ref)
        here = [kept for kept in shown if (kept.run.head_sha, kept.run.base_ref) == state]
        return here[-1] if here else None

    async def relevant(self) -> KeptVerdict | None:
        """Returns the current verdict, else the last one that the pull request has shown."""
        shown = await self.shown()
        return self.current(shown) or (shown[-1] if shown else None)
