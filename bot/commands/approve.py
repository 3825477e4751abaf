"""``/verdict approve``: the override of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Self

from bot.approvals.approved_verdict import shown_since
from bot.approvals.permissions import Rule
from bot.commands.command import AskedCommand, Command, CommandSyntaxError
from bot.commands.replies import said
from bot.store.values import KeptVerdict
from engine.approvals.acceptance import moment, not_overridable
from engine.approvals.contributors import contributors
from schemas.host import Role

LONGEST_REASON = 500
VALID_FOR = timedelta(days=7)
"""How long an override counts."""


class Approve(Command):
    """Approves the verdict that is shown, for a reason."""

    verb: ClassVar[str] = "approve"
    arguments: ClassVar[str] = "<reason>"
    meaning: ClassVar[str] = (
        "approve the verdict that is shown, for 7 days or until something relevant changes (write access, and no part "
        "in the pull request); an error can't be approved"
    )
    rule: ClassVar[Rule] = Rule(Role.WRITE, author=False)

    reason: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the reason."""
        if not any(character.isalnum() for character in text):
            raise CommandSyntaxError("“approve” needs a reason, in words, on the same line")
        if len(text) > LONGEST_REASON:
            raise CommandSyntaxError(f"a reason has at most {LONGEST_REASON} characters")
        return cls(reason=text)

    async def execute(self, asked: AskedCommand) -> str:
        """Records the override and shows it. It covers the content that the head showed at the time of the comment."""
        # Decided at the first try: a repetition after a crash must not approve what the head shows by then.
        noted = asked.before
        if noted is None:
            shown = await asked.shown()
            kept = asked.current(shown)
            refused = _not_approvable(asked, shown, kept)
            if refused is not None or kept is None:
                return said(refused or "", "Nothing was approved.")
            change = {
                "reason": self.reason,
                "content_digest": kept.content_digest,
                "expires_at": asked.entry.at + VALID_FOR,
            }
            noted = asked.entry.model_copy(update=change)
            # In the log before any effect, so that no approval is shown without its entry.
            await asked.note(noted)
        await asked.context.reconciler.republish(asked.posted.repo, asked.posted.number)
        work = await asked.host.authorship(asked.posted.number)
        hidden = contributors(work, noted.head_sha).hidden
        return approved(noted.reason, noted.head_sha or "", noted.expires_at or noted.at, second=hidden)


def _not_approvable(asked: AskedCommand, shown: Sequence[KeptVerdict], kept: KeptVerdict | None) -> str | None:
    """Returns why the verdict can't be approved, as a sentence."""
    if not asked.pull.is_open:
        return "The pull request is closed."
    if kept is None:
        return f"`{asked.pull.head_sha[:12]}` shows no verdict yet. Approve it once it is shown."
    why = not_overridable(kept.scorecard)
    if why is not None:
        return why
    since = shown_since(shown, kept.scorecard, kept.content_digest)
    if since is None or moment(asked.posted.posted_at) < since:
        return "This comment was written before that verdict was shown. Look at the verdict, then approve it again."
    return None


def approved(reason: str, sha: str, until: datetime, *, second: bool = False) -> str:
    """Returns the answer to an override. ``second``: another person has to approve as well."""
    more = "A bot may hide one of the people behind this pull request, so a second person has to approve it too."
    return said(
        *([more] if second else []),
        f"Approved for `{sha[:12]}` until {until:%Y-%m-%d %H:%M} UTC, as long as nothing relevant changes. "
        f"The check shows the approval, and the audit log keeps who, when and why. Reason: {reason}",
    )
