"""Finds the files with the cases of a head's prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.commands.command import FetchableTree
from bot.commands.replies import said
from engine.detection.configurations import NAME, folder_for
from engine.detection.files import Files, below
from engine.readers.bounded import did_you_mean
from engine.readers.config import read_config
from engine.readers.file_patterns import is_pattern
from engine.test_edits.formats import INLINE
from engine.test_edits.patches import NoPatch
from schemas.errors import ConfigError
from schemas.host import Sha
from schemas.ports import SourceTree
from schemas.scorecard import LineageCard


@dataclass(frozen=True)
class CaseFiles:
    """The test sets of one commit."""

    files: Files
    paths: dict[str, tuple[str, ...]]
    """By the name of the prompt."""

    def read(self, path: str) -> bytes | None:
        """Returns a file's content; ``None`` if the commit has no regular file there."""
        return self.files.get(path)

    @staticmethod
    def absent(path: str) -> NoPatch:
        """Returns why there is no patch of a file that ``read`` does not find."""
        return NoPatch(sentence=f"The head has no regular file `{path}`.", missing=True)


def find_test_sets(
    source: FetchableTree, head: Sha, cards: Sequence[LineageCard], lineage: str | None
) -> CaseFiles | str:
    """Fetches ``head`` and finds its test sets. Returns an answer if there are none, or none of ``lineage``.

    ``cards`` are the prompts of a verdict. Raises SourceError.
    """
    source.fetch([head])
    try:
        paths = case_files(source, head, cards)
    except ConfigError as error:
        return said(f"The head's configuration can't be read: {error}.")
    if lineage is not None and lineage not in paths:
        return said(f"There is no lineage `{lineage}` with test cases ({did_you_mean(lineage, paths)}).")
    return CaseFiles(Files(source, head), paths)


def case_files(tree: SourceTree, commit: Sha, cards: Sequence[LineageCard]) -> dict[str, tuple[str, ...]]:
    """Returns the paths of each prompt's cases in this commit, by the prompt's name in the verdict.

    A prompt in ``cards`` that no configuration names contains its own cases. Raises ConfigError for an unreadable
    configuration.
    """
    files = Files(tree, commit)
    paths = sorted(entry.path for entry in tree.find(commit, [f"**/{NAME}"]))
    files.fetch(paths)
    found = [
        (folder_for(path), name, lineage.test_paths or (str(lineage.prompt),))
        for path in paths
        if path in files
        for name, lineage in read_config(path, files[path]).lineages.items()
    ]
    counts = Counter(name for _, name, _ in found)
    configured = {
        f"{root}/{name}" if counts[name] > 1 and root else name: tuple(
            _files([below(root, one) for one in paths], files)
        )
        for root, name, paths in found
    }
    inline = {card.lineage: (card.prompt,) for card in cards if card.prompt.endswith(INLINE)}
    return {name: paths for name, paths in (inline | configured).items() if paths}


def _files(written: Sequence[str], files: Files) -> Iterator[str]:
    """Yields the files that paths and patterns stand for. A path that has no file stays, to be named in the answer."""
    for one in written:
        yield from files.matching(one) if is_pattern(one) else (one,)
