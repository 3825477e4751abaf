"""Reads promptfoo's assertions: ``{type: contains, value: Paris}``, or ``contains: Paris`` in a cell of CSV.

evaluators/assertions.py evaluates them. What it can't evaluate, such as code and other models' scores, is left out by
name and place. It never becomes a text: ``similar(0.8): Paris`` is no label.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from engine.readers.bounded import MAX_DEPTH, Source, did_you_mean, shown
from engine.readers.nodes import plain
from engine.readers.yaml_nodes import read_yaml
from evaluators import javascript
from evaluators.assertions import KINDS, SET, comma_separated, test_of
from schemas.errors import ConfigError, PromptVerdictError
from schemas.testsets import Assertion

CODE = frozenset({"javascript", "python", "ruby", "webhook"})
_CODE_FILES = re.compile(r"\.(?:[cm]?[jt]s|py|rb|go)(?::\w+)?$")
_GRADED = {
    "llm-rubric": "{}",
    "g-eval": "{}",
    "model-graded-closedqa": "{}",
    "factuality": "It must agree with these facts: {}",
    "model-graded-factuality": "It must agree with these facts: {}",
}
"""Assertions that ask a judge, and what the judge is told of the case."""
_ELSEWHERE = {
    "latency": "latency is compared by the gate, not for single cases",
    "cost": "cost is compared by the gate, not for single cases",
}
_OTHERS = frozenset(
    {
        "agent-rubric", "answer-relevance", "bleu", "classifier", "contains-html", "contains-sql", "contains-xml",
        "context-faithfulness", "context-recall", "context-relevance", "conversation-relevance", "finish-reason",
        "gleu", "guardrails", "human", "is-html", "is-refusal", "is-sql", "is-valid-function-call",
        "is-valid-openai-function-call", "is-valid-openai-tools-call", "is-xml", "max-score", "meteor", "moderation",
        "perplexity", "perplexity-score", "pi", "rouge-n", "search-rubric", "select-best", "similar", "similar:cosine",
        "similar:dot", "similar:euclidean", "skill-used", "tool-call-f1", "trace-error-spans", "trace-span-count",
        "trace-span-duration", "trajectory:goal-success", "trajectory:step-count", "trajectory:tool-args-match",
        "trajectory:tool-sequence", "trajectory:tool-used",
    }
)  # fmt: skip
_ALL = frozenset({SET, *KINDS, *CODE, *_GRADED, *_ELSEWHERE, *_OTHERS})
_READ = frozenset({"type", "value", "threshold", "weight", "metric", "assert", "description"})
_CELL = re.compile(
    rf"(not-)?({'|'.join(sorted(map(re.escape, _ALL - {SET}), key=len, reverse=True))})"
    r"(?:\((\d+(?:\.\d+)?)\))?(?::(.*))?",
    re.DOTALL,
)
_OTHER_STARTS = {"fn:": "javascript", "eval:": "javascript", "grade:": "llm-rubric"}
_LISTS = frozenset({"contains-all", "contains-any", "icontains-all", "icontains-any"})
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}", re.ASCII)
_LOGIC = ("{{", "{%", "{#")
_CELL_THRESHOLD = 0.75
"""The threshold that promptfoo gives to ``levenshtein`` in a cell without one."""

_COST = 512
"""The characters for which an assertion counts, however short it is."""

Load = Callable[[str], JsonValue]
"""Returns the content of a file that a value names, or raises SourceError."""


class LeftOut(NamedTuple):
    """Something that isn't evaluated."""

    what: str
    why: str
    where: str


class Given(NamedTuple):
    """An assertion as written, and its place."""

    raw: JsonValue
    source: Source
    line: int | None = None


class Asserted(NamedTuple):
    """The assertions of one case."""

    assertions: tuple[Assertion, ...] = ()
    rubric: str | None = None
    """What a judge should know of the case."""
    left_out: tuple[LeftOut, ...] = ()


class NotReadError(Exception):
    """Raised for an assertion that isn't evaluated, with the reason."""


def read_assertions(
    source: Source, given: Iterable[Given], inputs: Mapping[str, JsonValue], load: Load | None = None
) -> Asserted:
    """Returns the assertions among ``given``; ``inputs`` fill in ``{{name}}``.

    ``source`` is the file of the test set, and ``load`` reads files that values name. Raises SourceError for anything
    but maps with a known type, and for too many characters that are filled in.
    """
    reading = _Reading(source, inputs, load)
    assertions = [one for each in given if (one := reading.one(each)) is not None]
    notes = list(dict.fromkeys(reading.notes))
    rubric = notes[0] if len(notes) == 1 else "\n".join(f"- {note}" for note in notes)
    return Asserted(tuple(assertions), rubric or None, tuple(reading.left_out))


class _Reading:
    def __init__(self, source: Source, inputs: Mapping[str, JsonValue], load: Load | None) -> None:
        self._source = source
        self._inputs = inputs
        self._load = load
        self.notes: list[str] = []
        self.left_out: list[LeftOut] = []

    def one(self, given: Given, depth: int = 0) -> Assertion | None:
        """Returns an assertion, or ``None`` if it is a note for the judge or left out."""
        raw, source, line = given
        self._source.charge(_COST)
        if not isinstance(raw, Mapping) or not isinstance(raw.get("type"), str):
            raise source.error("an assertion is not a map with a type", line, hint="write {type: equals, value: …}")
        written = str(raw["type"])
        kind = written.removeprefix("not-")
        if kind not in _ALL and not kind.startswith("promptfoo:"):
            raise source.error(f"unknown assertion {shown(written)}", line, hint=did_you_mean(kind, _ALL))
        try:
            if depth > MAX_DEPTH:
                raise NotReadError("it is nested too deeply")
            return self._read(raw, kind, given, depth)
        except NotReadError as reason:
            self.left_out.append(LeftOut(f"the assertion {shown(written)}", str(reason), source.where(line)))
        return None

    def _read(self, raw: Mapping[str, JsonValue], kind: str, given: Given, depth: int) -> Assertion | None:
        unread = [shown(key) for key in sorted(raw.keys() - _READ)]
        negated = str(raw["type"]).startswith("not-")
        if kind in _GRADED:
            self._note(raw, kind, negated=negated)
            why = "the lineage's judge is asked"
            where = given.source.where(given.line)
            self.left_out += [LeftOut(f"{key} of {kind}", why, where) for key in unread]
            return None
        if kind not in (*KINDS, SET):
            runs_code = "it runs code, which is never done"
            raise NotReadError(runs_code if kind in CODE else _ELSEWHERE.get(kind, "it isn't evaluated here"))
        if unread:
            raise NotReadError(f"its {unread[0]} isn't read")
        weight = _number(raw, "weight")
        one = Assertion(
            type=kind,
            negated=negated,
            value=None if kind == SET else self._value(raw, kind),
            threshold=_number(raw, "threshold"),
            weight=1 if weight is None else weight,
            members=self._members(raw, given, depth) if kind == SET else (),
        )
        if kind != SET:
            self._check(one)
        return one

    def _members(self, raw: Mapping[str, JsonValue], given: Given, depth: int) -> tuple[Assertion, ...]:
        if raw["type"] != SET:
            raise NotReadError("a set can't be negated")
        items = raw.get("assert")
        each = [given._replace(raw=item) for item in (items if isinstance(items, list) else [])]
        found = [self.one(item, depth + 1) for item in each]
        members = tuple(one for one in found if one is not None)
        if not members:
            raise NotReadError("it has no assertion that is evaluated")
        return members

    def _check(self, one: Assertion) -> None:
        try:
            test_of(one)
        except ConfigError as error:
            raise NotReadError(error.what) from None

    def _note(self, raw: Mapping[str, JsonValue], kind: str, *, negated: bool) -> None:
        if negated:
            raise NotReadError("a judge grades how well an answer fits, not that it doesn't")
        value = self._value(raw, kind)
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise NotReadError("its value is not text")
        self.notes += [_GRADED[kind].format(text.strip()) for text in texts if isinstance(text, str)]

    def _value(self, raw: Mapping[str, JsonValue], kind: str) -> JsonValue:
        if kind == "equals" and "value" not in raw:
            raise NotReadError("it has no value")
        value = raw.get("value")
        if isinstance(value, str) and value.startswith("file://"):
            value = self._loaded(value.removeprefix("file://"))
        elif isinstance(value, str):
            value = filled(self._source, value, self._inputs)
        elif isinstance(value, list):
            value = [filled(self._source, item, self._inputs) if isinstance(item, str) else item for item in value]
        if kind in ("is-json", "contains-json") and isinstance(value, str) and value:
            value = self._schema(value)
        return value

    def _loaded(self, path: str) -> JsonValue:
        if _CODE_FILES.search(path):
            raise NotReadError("it runs code, which is never done")
        if self._load is None:
            raise NotReadError("it names a file, which only a promptfoo configuration can")
        try:
            return self._load(path)
        except PromptVerdictError as error:
            raise NotReadError(str(error)) from None

    def _schema(self, text: str) -> JsonValue:
        try:
            return plain(read_yaml(Source(self._source.path, text)))
        except PromptVerdictError:
            raise NotReadError("its schema isn't valid YAML") from None


def _number(raw: Mapping[str, JsonValue], key: str) -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotReadError(f"its {key} is not a number")
    return float(value)


def filled(source: Source, text: str, inputs: Mapping[str, JsonValue]) -> str:
    """Returns ``text`` with the case's inputs for ``{{name}}``.

    Raises NotReadError for any other template syntax, and ``source.failure`` if all texts become too long together.
    """
    if "{" not in text:
        return text
    if any(sign in _VARIABLE.sub("", text) for sign in _LOGIC):
        raise NotReadError("it has template logic")
    names = Counter(variables_in(text))
    source.charge(sum(len(value_of(name, inputs)) * count for name, count in names.items()))
    return _VARIABLE.sub(lambda found: value_of(found[1], inputs), text)


def variables_in(text: str) -> list[str]:
    """Returns the names in ``{{name}}``, each as often as it occurs."""
    return [found[1] for found in _VARIABLE.finditer(text)]


def value_of(name: str, inputs: Mapping[str, JsonValue]) -> str:
    """Returns an input as a text. Raises NotReadError for one that is missing or no text."""
    value: JsonValue = dict(inputs)
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            raise NotReadError(f"it uses {{{{{name}}}}}, which the case doesn't have")
        value = value[step]
    if isinstance(value, dict | list):
        raise NotReadError(f"it uses {{{{{name}}}}}, which is not text")
    return "" if value is None else javascript.text_of(value)


def in_cell(source: Source, text: str, line: int) -> dict[str, JsonValue]:
    """Returns the assertion in a cell. A cell without a kind is an expected text. Raises ``source.failure``."""
    for start, kind in _OTHER_STARTS.items():
        if text.startswith(start):
            return {"type": kind, "value": text.removeprefix(start).strip()}
    if text.startswith("file://") and _CODE_FILES.search(text):
        return {"type": "python" if ".py" in text else "javascript", "value": text}
    found = _CELL.fullmatch(text)
    if found is None:
        return {"type": "equals", "value": text}
    negation, kind, number, value = found.groups()
    one: dict[str, JsonValue] = {"type": f"{negation or ''}{kind}"}
    if value is not None:
        one["value"] = value.strip()
    if value and kind in _LISTS:
        try:
            one["value"] = list[JsonValue](comma_separated(value, f"the assertion {kind}"))
        except ConfigError as error:
            raise source.error(error.what, line, hint=error.hint) from None
    if number is not None or kind == "levenshtein":
        one["threshold"] = _CELL_THRESHOLD if number is None else float(number)
    return one
