"""``/verdict protect``: the patch that marks a case as protected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from bot.approvals.permissions import Rule
from bot.commands.arguments import CaseCommand
from bot.commands.case_files import CaseFiles, find_test_sets
from bot.commands.command import AskedCommand, FetchableTree
from bot.commands.replies import patch_text, said
from bot.store.values import KeptVerdict
from engine.test_edits import patches
from engine.test_edits.patches import NoPatch, Patch
from schemas.host import Role, Sha
from schemas.scorecard import LineageCard

MOST_FILES = 50
"""Test sets that are searched for a case if the command names no prompt."""


class Protect(CaseCommand):
    """Returns the patch that marks a case: its answer is exactly right, and must stay so."""

    verb: ClassVar[str] = "protect"
    meaning: ClassVar[str] = "get the patch that protects a case: its confirmed failure blocks by itself"
    rule: ClassVar[Rule] = Rule(Role.READ)  # only a patch in a comment: a person with write access decides

    async def execute(self, asked: AskedCommand) -> str:
        """Reads the head's test sets and edits one."""
        await asked.note()
        kept = await asked.relevant()
        return await asyncio.to_thread(asked.context.read, partial(self.patch, kept, asked.pull.head_sha))

    def patch(self, kept: KeptVerdict | None, head: Sha, source: FetchableTree) -> str:
        """Returns the answer: a patch against ``head``, or why there is none. Raises SourceError."""
        cards = kept.scorecard.lineages if kept else ()
        sets = find_test_sets(source, head, cards, self.lineage)
        if isinstance(sets, str):
            return sets
        found = [self._protected(sets, path) for path in self._candidates(sets, cards)[:MOST_FILES]]
        made = [one for one in found if isinstance(one, Patch)]
        if len(made) > 1:
            named = ", ".join(f"`{one.path}`" for one in made[:10])
            return said(f"Several test sets have a case `{self.case}` ({named}): add “ in ” and the lineage.")
        if made:
            return patch_text(made[0], f"This protects `{self.case}` in `{made[0].path}`.", head)
        return self._refusal([one for one in found if isinstance(one, NoPatch)])

    def _protected(self, sets: CaseFiles, path: str) -> Patch | NoPatch:
        data = sets.read(path)
        return sets.absent(path) if data is None else patches.protect(path, data, self.case)

    def _refusal(self, refused: Sequence[NoPatch]) -> str:
        telling = [one for one in refused if not one.missing] or (refused if len(refused) == 1 else ())
        return said(telling[0].sentence if telling else f"No test set has a case `{self.case}`.")

    def _candidates(self, sets: CaseFiles, cards: Sequence[LineageCard]) -> list[str]:
        """Returns the files that may contain the case: that of the named prompt, those whose verdict has the case, or
        all."""
        if self.lineage is not None:
            return list(sets.paths[self.lineage])
        measured = {card.lineage for card in cards if any(case.id == self.case for case in card.cases)}
        names = sorted(measured & sets.paths.keys()) or sorted(sets.paths)
        return list(dict.fromkeys(path for name in names for path in sets.paths[name]))
