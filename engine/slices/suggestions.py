"""Suggests a slice for every case that has none, and measures on the labeled cases how often each source is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.readers.bounded import shown
from engine.slices.injection_signs import injection_sign
from engine.slices.neighbors import neighbor_votes
from engine.slices.unusual_inputs import Usual, unusual, usual_inputs
from evaluators.class_figures import wilson
from schemas.testsets import TestCase, TestSet

ADVERSARIAL, EDGE = "adversarial", "edge"
RULES, NEIGHBORS, MODEL = "rules", "neighbors", "model"
SURE = 0.8
"""Precision from which a suggestion of the rules or the neighbors needs no model."""
HALF = 0.5
"""Precision below which a source doesn't suggest a slice: most of its suggestions would have to be undone."""


@dataclass(frozen=True)
class Measured:
    """How often a source's suggestion of one slice was right among the labeled cases."""

    right: int = 0
    of: int = 0
    share: float = 0
    """Share of the labeled cases that have the slice: what suggesting it for every case would reach."""

    @property
    def rate(self) -> float | None:
        """The share that was right; ``None`` if nothing was measured."""
        return self.right / self.of if self.of else None

    @property
    def useless(self) -> bool:
        """Whether it was mostly wrong."""
        return self.rate is not None and self.rate < HALF

    @property
    def proven(self) -> bool:
        """Whether its whole interval is above one half and above suggesting the slice for every case."""
        return self.interval is not None and self.interval[0] > max(HALF, self.share)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the share (Wilson 1927)."""
        return wilson(self.right, self.of)


@dataclass(frozen=True)
class Suggestion:
    """A slice for one case."""

    case: TestCase
    slice: str
    source: str
    why: str
    measured: Measured


@dataclass(frozen=True)
class Candidate:
    """What one source says about one case."""

    slice: str
    why: str


@dataclass(frozen=True)
class Source:
    """What one source says about the cases without a slice, by case id, and how often it was right elsewhere."""

    name: str
    candidates: Mapping[str, Candidate]
    measured: Mapping[str, Measured] = field(default_factory=dict)
    """By slice."""
    learned: bool = False
    """Whether it knows nothing but the labeled cases. Then they must prove that it is right."""

    def left_out(self, slice_: str) -> bool:
        """Returns whether it doesn't suggest a slice because of what was measured."""
        measured = self.measured.get(slice_, Measured())
        return not measured.proven if self.learned else measured.useless

    def suggestion(self, case: TestCase) -> Suggestion | None:
        """Returns what it suggests for a case; ``None`` without an opinion, or where it is left out."""
        found = self.candidates.get(case.id)
        if found is None or self.left_out(found.slice):
            return None
        return Suggestion(case, found.slice, self.name, found.why, self.measured.get(found.slice, Measured()))


@dataclass(frozen=True)
class FreeSources:
    """The rules and the neighbors, and what they leave open."""

    labeled: tuple[TestCase, ...]
    unlabeled: tuple[TestCase, ...]
    rules: Source
    neighbors: Source
    open: tuple[TestCase, ...]
    """Cases without a slice whose suggestion is missing or was wrong too often: those to ask a model about."""
    open_labeled: tuple[TestCase, ...]
    """The labeled cases for which the same holds. Only such cases tell how good a model is on the others."""


def free_sources(test_set: TestSet) -> FreeSources:
    """Returns what rules and neighbors say. Cases of a set are judged by all of the set's inputs.

    The neighbors of a labeled case don't include itself. They are measured only on cases that the rules leave open.
    """
    labeled = tuple(case for case in test_set.cases if case.slices)
    unlabeled = tuple(case for case in test_set.cases if not case.slices)
    usual = usual_inputs(test_set.cases)
    by_rule = {case.id: found for case in test_set.cases if (found := _ruled(case, usual))}
    rules = Source(RULES, by_rule, _measured(labeled, by_rule))
    useful = {case.id for case in test_set.cases if rules.suggestion(case)}
    votes, own = neighbor_votes(labeled, unlabeled)
    said = {name: Candidate(vote.slice, f"most like {shown(vote.nearest, 40)}") for name, vote in (votes | own).items()}
    left = [case for case in labeled if case.id not in useful]
    neighbors = Source(NEIGHBORS, said, _measured(left, said), learned=True)

    def is_open(case: TestCase) -> bool:
        best = best_suggestion(case, (rules, neighbors))
        return best is None or best.measured.rate is None or best.measured.rate < SURE

    return FreeSources(
        labeled,
        unlabeled,
        rules,
        neighbors,
        tuple(filter(is_open, unlabeled)),
        tuple(filter(is_open, labeled)),
    )


def model_source(replies: Mapping[str, tuple[str, str]], labeled: Sequence[TestCase], nothing: str) -> Source:
    """Returns the model's opinions from its replies by case id. ``nothing`` stands for no slice."""
    said = {name: Candidate(slice_, why) for name, (slice_, why) in replies.items() if slice_ != nothing}
    return Source(MODEL, said, _measured(labeled, said))


def suggestions(cases: Sequence[TestCase], sources: Sequence[Source]) -> tuple[Suggestion, ...]:
    """Returns the best suggestion for each case that has one."""
    return tuple(found for case in cases if (found := best_suggestion(case, sources)))


def best_suggestion(case: TestCase, sources: Sequence[Source]) -> Suggestion | None:
    """Returns the suggestion whose source was right more often on labeled cases. The first one wins a tie."""
    found = [one for source in sources if (one := source.suggestion(case))]
    return max(found, key=lambda one: one.measured.rate or 0, default=None)


def _measured(labeled: Sequence[TestCase], said: Mapping[str, Candidate]) -> dict[str, Measured]:
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for case in labeled:
        if (found := said.get(case.id)) is not None:
            of[found.slice] += 1
            right[found.slice] += found.slice in case.slices
    held = Counter(name for case in labeled for name in case.slices)
    return {name: Measured(right[name], of[name], held[name] / len(labeled)) for name in of}


def _ruled(case: TestCase, usual: Mapping[str, Usual]) -> Candidate | None:
    for text in _texts(case):
        if sign := injection_sign(text):
            return Candidate(ADVERSARIAL, f"addresses the model: “{shown(sign, 60)}”")
    said = unusual(case, usual)
    return Candidate(EDGE, said) if said else None


def _texts(case: TestCase) -> Iterator[str]:
    """Yields every text of the inputs, also those in lists and maps."""
    left = list(reversed([*case.inputs.values()]))
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            left += reversed([*value.values()])
        elif isinstance(value, list):
            left += reversed(value)
