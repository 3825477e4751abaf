"""What is asked about a case: why it counts as it does, and the patch that protects or adds one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bot.commands.grammar import AddCase, Explain, Protect
from bot.commands.patches import INLINE, NoPatch, Patch, add, protect
from bot.commands.replies import explained, patch_text, said
from bot.store.values import KeptVerdict
from engine.detection.configurations import NAME, folder_for
from engine.detection.files import Files, below
from engine.readers.bounded import did_you_mean
from engine.readers.config import read_config
from schemas.errors import ConfigError
from schemas.experiments import Experiment
from schemas.host import Sha
from schemas.ports import SourceTree
from schemas.scorecard import LineageCard

MOST_FILES = 50
"""Test sets that are searched for a case whose lineage isn't named."""


def explanation(command: Explain, kept: KeptVerdict | None, records: Callable[[str], list[Experiment]]) -> str:
    """What both arms said to the case in the verdict that is kept. ``records``: a run's stored experiments."""
    if kept is None:
        return said("There is no verdict yet: nothing to explain.")
    cards = [card for card in kept.scorecard.lineages if command.lineage in (None, card.lineage)]
    found = [(card, case) for card in cards for case in card.cases if case.id == command.case]
    if not found:
        known = {case.id for card in cards for case in card.cases}
        hint = did_you_mean(command.case, known) if known else "no case was measured"
        return said(f"The verdict on `{kept.run.head_sha[:12]}` has no case `{command.case}` ({hint}).")
    return explained(found, records(kept.run.id), kept.run.head_sha)


class Fetching(SourceTree, Protocol):
    """Commits of a repository that may have to be fetched first."""

    def fetch(self, commits: Sequence[Sha]) -> None:
        """Brings commits and their trees."""
        ...


def ready_patch(command: Protect | AddCase, kept: KeptVerdict | None, head: Sha, source: Fetching) -> str:
    """The answer with a patch against the head, or why there is none. Raises SourceError when it can't be fetched."""
    source.fetch([head])
    files = Files(source, head)
    cards = kept.scorecard.lineages if kept else ()
    try:
        sets = case_files(source, head, cards)
    except ConfigError as error:
        return said(f"The head's configuration can't be read: {error}.")
    if command.lineage is not None and command.lineage not in sets:
        return said(f"There is no lineage `{command.lineage}` with test cases ({did_you_mean(command.lineage, sets)}).")
    if isinstance(command, AddCase):
        path = sets[command.lineage]
        made = add(path, files[path], command.case) if path in files else _absent(path)
        what = f"This adds the case `{made.case}` to `{path}`." if isinstance(made, Patch) else ""
        return patch_text(made, what, head) if isinstance(made, Patch) else said(made.sentence)
    return _protected(command, files, _where(command, sets, cards))


def _where(command: Protect, sets: dict[str, str], cards: Sequence[LineageCard]) -> list[str]:
    """The files in which the case may be: of the named lineage, of those whose verdict has it, else all."""
    if command.lineage is not None:
        return [sets[command.lineage]]
    measured = {card.lineage for card in cards if any(case.id == command.case for case in card.cases)}
    return list(dict.fromkeys(sets[name] for name in sorted(measured & sets.keys()) or sorted(sets)))


def _protected(command: Protect, files: Files, paths: Sequence[str]) -> str:
    made = [protect(path, files[path], command.case) if path in files else _absent(path) for path in paths[:MOST_FILES]]
    patches = [one for one in made if isinstance(one, Patch)]
    if len(patches) > 1:
        named = ", ".join(f"`{one.path}`" for one in patches[:10])
        return said(f"Several test sets have a case `{command.case}` ({named}): add « in » and the lineage.")
    if patches:
        return patch_text(patches[0], f"This protects `{command.case}` in `{patches[0].path}`.", files.commit)
    refused = [one for one in made if isinstance(one, NoPatch)]
    telling = [one for one in refused if not one.missing] or (refused if len(refused) == 1 else [])
    return said(telling[0].sentence if telling else f"No test set has a case `{command.case}`.")


def _absent(path: str) -> NoPatch:
    return NoPatch(sentence=f"The head has no regular file `{path}`.", missing=True)


def case_files(tree: SourceTree, commit: Sha, cards: Sequence[LineageCard]) -> dict[str, str]:
    """The path of every lineage's cases in this commit, by the name that the verdict gives it.

    ``cards`` are lineages of a verdict: those without a configuration are prompts with their own cases. Raises
    ConfigError for a configuration that can't be read.
    """
    files = Files(tree, commit)
    paths = sorted(entry.path for entry in tree.find(commit, [f"**/{NAME}"]))
    files.fetch(paths)
    found = [
        (folder_for(path), name, lineage.tests or lineage.prompt)
        for path in paths
        if path in files
        for name, lineage in read_config(path, files[path]).lineages.items()
    ]
    counts = Counter(name for _, name, _ in found)
    configured = {
        f"{root}/{name}" if counts[name] > 1 and root else name: below(root, path) for root, name, path in found
    }
    return {card.lineage: card.prompt for card in cards if card.prompt.endswith(INLINE)} | configured
