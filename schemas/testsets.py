"""Test sets as committed."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from schemas.check_config import CheckRule
from schemas.conversations import ScriptedResult
from schemas.prompts import Finding
from schemas.values import Value

CHANGED_REQUESTS = "changed requests"
"""The slice of the cases that a change affects, if it affects only some. Planning adds it."""


NO_CASE = ""
"""The key of what belongs to no case, among values by case."""


class Source(StrEnum):
    """The origin of a case."""

    PRODUCTION = "production"
    SYNTHETIC = "synthetic"
    TEAM = "team"


class Assertion(Value):
    """One of promptfoo's assertions about the output of a case."""

    type: str
    """Its name there, without ``not-``; ``assert-set`` for several with a result of their own."""
    negated: bool = False
    value: JsonValue = None
    threshold: float | None = None
    """``levenshtein``: the largest distance; ``assert-set``: the weighted score from which it passes."""
    weight: float = 1
    """Its share in the score of the case. With 0 it can't fail."""
    members: tuple[Assertion, ...] = ()
    """The assertions of a set."""

    @property
    def forbids(self) -> bool:
        """Whether it says that something must not occur."""
        return self.negated or any(member.forbids for member in self.members)


class TestCase(Value):
    """One committed case."""

    __test__: ClassVar[bool] = False  # keeps pytest from collecting it

    id: str = Field(min_length=1)
    inputs: dict[str, JsonValue]
    expected: JsonValue = None
    """A label, a map of fields or a text; ``None`` without an expectation."""
    slices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    source: Source | None = None
    verified: bool = True
    """``false``: a model proposed the expectation, and no person has confirmed it. The case is not measured."""
    protected: bool = False
    cluster: str | None = None
    """Cases of one cluster may depend on each other. The statistics treat them as one draw."""
    notes: str | None = None
    rubric: str | None = None
    must: tuple[CheckRule, ...] = ()
    """Checks that the output must pass."""
    must_not: tuple[str | CheckRule, ...] = ()
    """Texts that must not occur in the output, because they would show a successful injection, and checks that it must
    not pass."""
    assertions: tuple[Assertion, ...] = ()
    """promptfoo's ``assert``."""
    threshold: float | None = None
    """The weighted score from which the assertions pass together; ``None``: each must."""
    same_as: str | None = None
    """The id of the case that this one repeats with some noise. The answer must be the same."""
    turns: tuple[str, ...] = ()
    """An agent's case: what the user says after each of its answers."""
    tool_results: tuple[ScriptedResult, ...] = ()
    """An agent's case: what its tools return. The first that fits a call counts."""
    path: str | None = Field(default=None, exclude=True)
    """Its file."""
    line: int | None = Field(default=None, exclude=True)
    """Where the case starts in its file (1-based)."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Omits the newer keys that a case lacks, so that it keeps the digest from before they existed."""
        written: dict[str, object] = write(self)
        for name in ("assertions", "must", "turns", "tool_results"):
            if not written.get(name):
                written.pop(name, None)
        for name in ("threshold", "same_as"):
            if written.get(name) is None:
                written.pop(name, None)
        if written.get("verified"):
            written.pop("verified")
        return written

    @property
    def forbids(self) -> bool:
        """Whether it says that something must not occur in the output."""
        return bool(self.must_not) or any(assertion.forbids for assertion in self.assertions)

    @property
    def where(self) -> str | None:
        """Its place, ``path:line``, or as much of it as is known."""
        return self.path if self.path is None or self.line is None else f"{self.path}:{self.line}"


class Columns(Value):
    """The meaning of a test set's keys or columns, if their names differ from ours.

    A name may be a path into maps: ``outputs.answer``.
    """

    inputs: dict[str, str] = {}
    """By variable: the key that holds its value. Without it, every key without another meaning is an input."""
    expected: str | None = None
    """The key of the expectation."""
    id: str | None = None
    """The key of the case's id."""
    slices: str | None = None
    """The key of the slices."""
    cluster: str | None = None
    """The key of the cluster, which cases of one source share."""


class TestSet(Value):
    """The cases of a prompt, in the order of their files, with unique ids."""

    __test__: ClassVar[bool] = False

    path: str
    """Its file, or what the configuration writes for several."""
    files: tuple[str, ...] = ()
    """Of several files: all that were read."""
    cases: tuple[TestCase, ...]
    unverified: tuple[TestCase, ...] = ()
    """Cases that no person has confirmed. They are not among ``cases`` once the whole test set is read."""
    mapping: dict[str, tuple[str, ...]] = {}
    """By the key of a case: the files' own names for it. Empty if they use ours."""
    unread: dict[str, dict[str, JsonValue]] = {}
    """By case: values of keys that the reader ignores."""
    warnings: tuple[Finding, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of cases in each of several files."""
        counts = Counter(case.path for case in self.cases)
        return {path: counts[path] for path in self.files}
