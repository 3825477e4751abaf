"""Finds what ``promptverdict init`` proposes for a commit. ``score`` uses it if there is no configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.commands.init_pairing import ProposedLineage, propose
from engine.commands.init_search import FoundPrompt, Search, candidates
from engine.readers.testsets import read_test_set

if TYPE_CHECKING:
    from adapters.git.clone import Clone

PROMPTFOO_HINT = "promptfoo: promptverdict import promptfoo imports its prompts, models and tests"
LISTED = 20
"""Most lines about lineages, and about reasons."""
EXAMPLES = 3
"""Most places that are named for one reason."""


class Proposal(NamedTuple):
    """The lineages that a commit could have."""

    lineages: tuple[ProposedLineage, ...]
    left: Sequence[tuple[str, str]]
    """What else was found: the reason why it wasn't taken, and its place."""
    prompts: Mapping[str, FoundPrompt]
    """The prompts by how a configuration names them."""

    def lines(self) -> Iterator[str]:
        """Yields a line for each lineage that gates, and one for each reason why something else doesn't."""
        gating = [lineage for lineage in self.lineages if lineage.gates]
        for each in gating[:LISTED]:
            yield f"gated: {each.prompt} -> {each.use_case}, {each.tests or 'its own testData'} ({each.why})"
        if len(gating) > LISTED:
            yield f"gated: {len(gating) - LISTED} more, which the configuration lists"
        if not self.lineages:
            yield "no prompt found; add yours under lineages:"
        reasons = self._grouped()
        for why, places in list(reasons.items())[:LISTED]:
            named = [place for place in places[:EXAMPLES] if place]
            more = [f"{len(places) - len(named)} more"] if len(places) > len(named) else []
            yield f"not gated: {', '.join(named + more)} ({why})"
        if len(reasons) > LISTED:
            yield f"not gated: {sum(map(len, list(reasons.values())[LISTED:]))} more, for other reasons"

    def _grouped(self) -> dict[str, list[str]]:
        """Returns the places of everything that isn't gated, by the reason."""
        reasons: dict[str, list[str]] = {}
        for lineage in self.lineages:
            if not lineage.gates:
                why = f"nothing scores its answers yet; its cases are in {lineage.tests or 'its testData'}"
                reasons.setdefault(why if lineage.cases else lineage.why, []).append(str(lineage.prompt))
        for why, place in self.left:
            reasons.setdefault(why, []).append(place)
        return reasons


def proposal_for(repository: Clone, commit: str) -> Proposal:
    """Reads the files of a commit that may be prompts or test sets, and pairs them."""
    entries = repository.entries(commit)
    named = candidates(path for path, entry in entries.items() if entry.mode.startswith("100"))
    sizes = {path: entry.size for path, entry in repository.lookup(commit, named.paths).items()}
    chosen = named.within(sizes)
    contents = repository.read([entries[path].blob for path in chosen.paths])
    blobs = {path: contents[entries[path].blob] for path in chosen.paths}
    search = Search(chosen, blobs)
    lineages = propose(
        search.prompts,
        search.tests,
        lambda path, columns: read_test_set(path, blobs[path], columns),
        search.named,
    )
    left = [(f"not read: {why}", place) for why, place in search.left]
    said = {lineage.tests for lineage in lineages if lineage.gates} | {place.split(":")[0] for _, place in search.left}
    left += [(PROMPTFOO_HINT, path) for path in dict.fromkeys(search.promptfoo) if path not in said]
    left += [("not searched: too many files or too large", "")] * chosen.left
    return Proposal(lineages, left, {str(each.written): each for each in search.prompts})
