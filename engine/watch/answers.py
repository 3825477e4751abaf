"""The scores of one run of a watch, and which models gave the answers. It has no text of a prompt or an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from pydantic import Field

from schemas.experiments import ExperimentRecord
from schemas.values import Value


class ServedBy(Value):
    """A model as the provider reported it."""

    model: str
    fingerprint: str | None = None
    answers: int = Field(ge=1)


class WatchedAnswers(Value):
    """One run: every case once, by one version alone."""

    day: date
    record: ExperimentRecord
    served: tuple[ServedBy, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The names that the provider reported, sorted."""
        return tuple(sorted({one.model for one in self.served}))

    @property
    def fingerprints(self) -> frozenset[str]:
        """The builds that the provider reported."""
        return frozenset(one.fingerprint for one in self.served if one.fingerprint)

    @property
    def requests(self) -> str:
        """A name of the requests. Runs of other requests can't be compared."""
        return self.record.prompts[1]


def watched(day: date, record: ExperimentRecord, served: Mapping[tuple[str, str | None], int]) -> WatchedAnswers:
    """Returns a run's answers. ``served`` counts answers by model and fingerprint."""
    rows = sorted(Counter(served).items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    seen = tuple(ServedBy(model=model, fingerprint=mark, answers=count) for (model, mark), count in rows if count > 0)
    return WatchedAnswers(day=day, record=record, served=seen)
