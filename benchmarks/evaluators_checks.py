"""Compares JSON Schemas, formats and checks with references: the JSON-Schema-Test-Suite, autoevals and rouge-score."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import JsonValue

from evaluators.checks import rule_of
from evaluators.json_formats import FORMATS
from evaluators.json_schema import schema_check
from schemas.check_config import Check
from schemas.errors import ConfigError
from schemas.testsets import TestCase

DRAFTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
}
REASONS = (
    (r"refers to|no target|`\$schema`", "refers outside the schema, or to an identifier in it"),
    (r"format", "a format that isn't known"),
    (r"content", "`contentEncoding`, `contentMediaType`: checked nowhere"),
    (r"not a keyword|does nothing|beside|is for a value", "a keyword that checks nothing in its place"),
    (r"both", "`patternProperties` with `unevaluatedProperties`"),
    (r"can't be used|invalid|perl", "a regular expression that RE2 lacks"),
    (r"", "other"),
)
"""Why a schema is refused, by the words of the error."""
TEXTS = (
    *(
        "",
        "a",
        "the cat sat on the mat",
        "The cat sat on a mat.",
        "on the mat sat the cat",
        "kitten",
        "sitting",
        "billing",
    ),
    *("Billing", "It is billing, I think", "42", "42.0", "[1, 2]", '{"a": 1}', '{"a": "1"}', '{"a": 1.0, "b": [true]}'),
    *("{'a': 1}", "null", "The quick brown fox jumps over the lazy dog", "yes yes yes no", "no yes", "a-b c_d"),
)
SCHEMA: JsonValue = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}


def against_the_suite(folder: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Returns a row for each draft, and a row for each reason for which schemas are refused."""
    rows, why = [], Counter[str]()
    for draft, uri in DRAFTS.items():
        counts, differing = Counter[str](), Counter[str]()
        for name, schema, tests in _groups(folder / "tests" / draft):
            check = _check_of(schema, uri, why, len(tests))
            for test in tests:
                agrees = check is not None and (check(json.dumps(test["data"])) == "") is test["valid"]
                counts["refused" if check is None else "agree" if agrees else "differ"] += 1
                differing[name] += check is not None and not agrees
        named = ", ".join(f"{name} ({count})" for name, count in differing.most_common() if count) or "nothing"
        total = f"{sum(counts.values()):,}"
        rows.append((draft, total, *(f"{counts[what]:,}" for what in ("refused", "agree", "differ")), named))
    return rows, [(reason, f"{count:,}") for reason, count in why.most_common()]


def against_the_formats(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yields a row for each format: the suite's optional cases in all drafts, and those that agree."""
    counts = {name: Counter[bool]() for name in FORMATS}
    for draft, uri in DRAFTS.items():
        for name, schema, tests in _groups(folder / "tests" / draft / "optional/format"):
            if name in FORMATS and isinstance(schema, dict):
                check = schema_check({"$schema": uri, **schema}, name)
                counts[name].update((check(json.dumps(one["data"])) == "") is one["valid"] for one in tests)
    for name, found in counts.items():
        yield name, f"{found.total():,}", f"{found[True]:,}"


def _groups(folder: Path) -> Iterator[tuple[str, object, list[dict[str, object]]]]:
    for path in sorted(folder.glob("*.json")):
        for group in json.loads(path.read_text()):
            yield path.stem, group["schema"], group["tests"]


def _check_of(schema: object, uri: str, why: Counter[str], tests: int) -> Callable[[str], str] | None:
    if not isinstance(schema, dict):
        why["`true` or `false` as the whole schema"] += tests
        return None
    try:
        return schema_check({"$schema": uri, **schema}, "suite")
    except ConfigError as error:
        why[next(reason for words, reason in REASONS if re.search(words, error.what))] += tests
        return None


def against_autoevals() -> Iterator[tuple[str, ...]]:
    """Yields a row for each check: the scorer that it is compared with, pairs, and those that agree."""
    from autoevals import ExactMatch, Levenshtein, ValidJSON  # type: ignore[import-not-found]
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-not-found]

    pairs = [(output, text) for output in TEXTS for text in TEXTS if text]

    def edits(output: str, text: str) -> int:
        # autoevals gives one minus the distance, relative to the longer text.
        longest = max(len(output), len(text))
        return round((1 - Levenshtein()(output, text).score) * longest)

    rouge = RougeScorer(["rougeL"])
    found = {
        ("exact_match", "autoevals ExactMatch"): [
            (ExactMatch()(output, text).score == 1) is _passes(output, exact_match=text) for output, text in pairs
        ],
        ("levenshtein", "autoevals Levenshtein"): [
            _passes(output, levenshtein={"text": text, "max": edits(output, text)})
            and not (
                edits(output, text) and _passes(output, levenshtein={"text": text, "max": edits(output, text) - 1})
            )
            for output, text in pairs
        ],
        ("json_schema_valid", "autoevals ValidJSON"): [
            (ValidJSON()(output, SCHEMA).score == 1) is _passes(output, json_schema_valid=SCHEMA) for output in TEXTS
        ],
        ("rouge_l", "rouge-score"): [
            (round(rouge.score(text, output)["rougeL"].fmeasure, 9) >= 0.5)
            is _passes(output, rouge_l={"text": text, "min": 0.5})
            for output, text in pairs
        ],
    }
    for (name, scorer), same in found.items():
        yield f"`{name}`", scorer, f"{len(same):,}", f"{sum(same):,}"


def _passes(output: str, **rule: JsonValue) -> bool:
    case = TestCase(id="c", inputs={})
    return not rule_of(Check.model_validate({"name": "c", **rule}), "the check", case)(output)
