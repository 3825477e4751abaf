"""The settings of a classification, and the score of a single label under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluators.label_keys import label_key
from evaluators.label_set import LabelSet
from evaluators.labels import LabelReader, label_reader
from schemas.config import LineageConfig
from schemas.errors import ConfigError


@dataclass(frozen=True)
class LabelRules:
    """The labels of a lineage and how their mistakes count. Raises ConfigError for settings that contradict."""

    labels: tuple[str, ...]
    several: bool = False
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    defer: tuple[str, ...] = ()
    """Answers that choose no label."""
    ordinal: bool = False
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ConfigError. Its ``where`` is the key of the lineage."""
        _check_labels(self.names, self.aliases)
        if self.several:
            _check_lists(self)
        elif self.ordinal and self.costs:
            raise ConfigError("costs and ordinal both say what a mistake counts", where="costs", hint="keep one")
        named = {*self.costs, *(label for row in self.costs.values() for label in row)}
        if strange := sorted(named - set(self.names)):
            raise ConfigError(f"the label “{strange[0]}” of costs is not in the set", where="costs", hint="fix it")
        if free := [label for label, row in self.costs.items() if row.get(label)]:
            raise ConfigError(f"a right “{free[0]}” can't cost anything", where="costs", hint="remove it")

    @classmethod
    def of(cls, lineage: LineageConfig) -> LabelRules:
        """Returns the settings of a lineage. Raises ConfigError."""
        return cls(lineage.labels, lineage.multi_label, lineage.aliases, lineage.defer, lineage.ordinal, lineage.costs)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that an answer may name: the labels, then the deferrals."""
        return (*self.labels, *self.defer)

    def reader(self) -> LabelReader:
        """Returns the reader of these labels."""
        return label_reader(self.names, tuple((label, tuple(others)) for label, others in self.aliases.items()))

    def cost(self, expected: str, given: str | None) -> float:
        """Returns the cost of an answer: 0 if it is right, the highest of all for no label."""
        if given == expected:
            return 0.0
        return self.dearest if given is None else self.costs.get(expected, {}).get(given, 1.0)

    @property
    def dearest(self) -> float:
        """The highest cost of a mistake."""
        return max([1.0, *(cost for row in self.costs.values() for cost in row.values())])

    def score(self, expected: str, given: str) -> float:
        """Returns the score of a single label, 0 to 1.

        Ordinal labels lose the square of their relative distance, as in quadratic weighted kappa. Costs are relative to
        the highest one.
        """
        if given == expected or not (self.ordinal or self.costs):
            return float(given == expected)
        if self.costs:
            return 1 - self.cost(expected, given) / self.dearest
        if given not in self.labels or expected not in self.labels:
            return 0.0
        steps = self.labels.index(expected) - self.labels.index(given)
        return 1 - (steps / (len(self.labels) - 1)) ** 2


def _check_labels(names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
    if len(names) < 2:
        raise ConfigError("a classification needs at least two labels", hint="list them under `labels:`")
    if strange := sorted(aliases.keys() - set(names)):
        raise ConfigError(f"the label “{strange[0]}” of aliases is not in the set", where="aliases", hint="fix it")
    spellings = [*names, *(alias for others in aliases.values() for alias in others)]
    if not all(map(label_key, spellings)):
        raise ConfigError("a label is blank", hint="give each label a name")
    same = [key for key, count in Counter(map(label_key, spellings)).items() if count > 1]
    if same:
        twins = " and ".join(f"“{label}”" for label in spellings if label_key(label) == same[0])
        raise ConfigError(
            f"the labels {twins} can't be told apart", hint="case, blanks, dashes and underscores are equal"
        )


def _check_lists(rules: LabelRules) -> None:
    if rules.ordinal or rules.costs:
        key = "ordinal" if rules.ordinal else "costs"
        what = f"{key} compares one label with one label, but a case may have several"
        raise ConfigError(what, where=key, hint="remove it, or multi_label")
    for label in rules.names:
        others = LabelSet([name for name in rules.names if name != label])
        if "," in label and others.all_labels(label):
            raise ConfigError(f"the label “{label}” reads as a list of other labels", hint="rename it")
