"""Reads promptfoo's assertions that give an expectation: ``equals: billing``, ``not-contains: HACKED``.

An assertion that runs code, or that a case's expectation can't express, is an error. It never becomes a text:
``similar(0.8): Paris`` is no label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from engine.readers.bounded import Source, shown

_CODE = frozenset({"javascript", "python", "fn", "eval", "webhook", "ruby", "file", "exec"})
_EXPECTED = frozenset({"equals", "exact", "contains", "icontains"})
_FORBIDDEN = frozenset({"not-contains", "not-icontains"})
_RUBRIC = frozenset({"llm-rubric", "grade"})
_OTHERS = frozenset(
    {
        "answer-relevance", "bleu", "classifier", "context-faithfulness", "context-recall", "context-relevance", "cost",
        "contains-all", "contains-any", "contains-html", "contains-json", "contains-sql", "contains-xml", "factuality",
        "finish-reason", "g-eval", "gleu", "guardrails", "icontains-all", "icontains-any", "is-html", "is-json",
        "is-refusal", "is-sql", "is-valid-function-call", "is-valid-openai-function-call", "is-valid-openai-tools-call",
        "is-xml", "latency", "levenshtein", "meteor", "model-graded-closedqa", "model-graded-factuality", "moderation",
        "perplexity", "perplexity-score", "pi", "regex", "rouge-n", "search-rubric", "select-best", "similar",
        "starts-with", "trajectory", "word-count",
    }
)  # fmt: skip


def assertions(source: Source, given: Iterable[tuple[str, JsonValue]], line: int | None) -> dict[str, JsonValue]:
    """Returns the keys of a case for pairs of kind and value: ``expected``, ``must_not`` and ``rubric``.

    Raises ``source.failure`` at ``line`` for an unsupported kind, and for two different expectations.
    """
    case: dict[str, JsonValue] = {}
    forbidden: list[JsonValue] = []
    for kind, value in given:
        if kind in _FORBIDDEN:
            forbidden.append(value)
            continue
        key = "expected" if kind in _EXPECTED else "rubric" if kind in _RUBRIC else None
        if key is None:
            raise _not_read(source, kind, line)
        if case.setdefault(key, value) != value:
            hint = "keep one; texts that must all be there are checks of the lineage"
            raise source.error(f"two assertions of one case say different things ({shown(kind)})", line, hint=hint)
    return {**case, "must_not": forbidden} if forbidden else case


def in_cell(source: Source, text: str, line: int) -> tuple[str, JsonValue]:
    """Returns kind and value of an assertion in one cell. A cell without a kind is an expected text.

    Raises ``source.failure`` for an unsupported kind.
    """
    kind, colon, rest = text.partition(":")
    kind = kind.strip().lower()
    name = kind.partition("(")[0].removeprefix("not-")
    if colon and kind in _EXPECTED | _FORBIDDEN | _RUBRIC:
        return kind, rest.strip()
    if name in _OTHERS or (colon and kind in _CODE) or (colon and kind.startswith("not-") and name in _EXPECTED):
        raise _not_read(source, kind, line)
    return "equals", text


def in_list(source: Source, value: JsonValue, line: int | None) -> list[tuple[str, JsonValue]]:
    """Returns kinds and values of an ``assert`` list. Raises ``source.failure`` for anything but maps with a type."""
    found: list[tuple[str, JsonValue]] = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, Mapping) or not isinstance(one.get("type"), str):
            raise source.error("an assertion is no map with a type", line, hint="write {type: equals, value: …}")
        if one.keys() - {"type", "value", "metric"}:
            strange = shown(", ".join(sorted(one.keys() - {"type", "value", "metric"})))
            raise source.error(f"{strange} of an assertion is not read", line, hint="remove it, or the assertion")
        found.append((str(one["type"]), one.get("value")))
    return found


def _not_read(source: Source, kind: str, line: int | None) -> Exception:
    if kind.removeprefix("not-") in _CODE:
        what, hint = f"the assertion {shown(kind)} runs code, which is never done", "say what is expected as text"
    else:
        what, hint = f"the assertion {shown(kind)} is not read from a test set", "write a check of the lineage: checks:"
    return source.error(what, line, hint=hint)
