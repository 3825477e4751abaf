"""Features of cases: words, lengths, slices, labels, fields and finishes, which may be frequent among broken cases."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from pydantic import JsonValue

from engine.readers.bounded import shown
from schemas.outcomes import Arm, Completion, Finish, MetricSpec, Outcome, Score
from schemas.testsets import TestCase

FEWEST = 3
"""The fewest cases with a feature that counts."""
MOST_OF_ALL = 0.9
"""The largest share of all cases that may have it."""
MOST = 2_000
"""The most features, the most frequent ones first."""
LONGEST = 20_000
"""Characters of an input in which words are looked for."""
LABELS = 30
"""The most different labels."""
COMMON = frozenset(
    re.findall(
        r"\w+",
        """
        a an and are as at be been but by can could did do does for from had has have he her his how i if in is it its
        me my no not of on or our she so some than that the their them then there they this to too us was we were what
        when where which who why will with would you your
        """,
    )
)
"""Words that say nothing."""
QUANTILES = (0.5, 0.75, 0.9)
LOST = 0.5
"""Fall of a field's mean score at which a case loses it."""
_FINISHES = {
    Finish.LENGTH: "get an answer that is cut off",
    Finish.REFUSAL: "get a refusal",
    Finish.FILTER: "get a filtered answer",
    Finish.EMPTY: "get an empty answer",
}
_SIGNS = {
    "contain a number": re.compile(r"\d"),
    "ask a question": re.compile(r"\?"),
    "contain an e-mail address": re.compile(r"\S@\S+\.\S"),
    "contain a link": re.compile(r"https?://"),
    "have several lines": re.compile(r"\S\s*\n\s*\S"),
    "contain words in capitals": re.compile(r"\b[A-Z]{4,}\b"),
    "contain letters that are not Latin": re.compile(r"[^\W\d_a-zA-Z\u00c0-\u024f]"),
}

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


def features(cases: Sequence[TestCase], outcomes: Iterable[Outcome], metrics: Sequence[MetricSpec]) -> dict[str, Bools]:
    """Returns by feature which cases have it. A feature is a predicate of "9 of the 12 broken cases …".

    Nothing here depends on which cases are broken.
    """
    texts = [" ".join(_texts(case.inputs))[:LONGEST] for case in cases]
    had: dict[str, set[int]] = defaultdict(set)
    for n, text in enumerate(texts):
        for words in _words(text):
            had[f"mention “{shown(words)}”"].add(n)
        for said, sign in _SIGNS.items():
            if sign.search(text):
                had[said].add(n)
    for n, case in enumerate(cases):
        for name in case.slices:
            had[f"are in the slice “{shown(name)}”"].add(n)
    _add_labels(had, cases)
    _add_answers(had, outcomes, [spec.name for spec in metrics if spec.kind == "field"])
    kept = {said: members for said, members in had.items() if FEWEST <= len(members) <= MOST_OF_ALL * len(cases)}
    often = sorted(kept, key=lambda said: (-len(kept[said]), said))[:MOST]
    result = {said: np.isin(np.arange(len(cases)), list(kept[said])) for said in often}
    return result | _lengths([len(text.split()) for text in texts])


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _words(text: str) -> set[str]:
    """Returns the words of a text, and its pairs of neighboring words."""
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    telling = [word for word in words if word not in COMMON]
    pairs = (f"{a} {b}" for a, b in pairwise(words) if a not in COMMON and b not in COMMON)
    return {*telling, *pairs}


def _add_labels(had: dict[str, set[int]], cases: Sequence[TestCase]) -> None:
    labels = [case.expected if isinstance(case.expected, str) else None for case in cases]
    if len(set(labels)) <= LABELS:
        for n, label in enumerate(labels):
            if label is not None:
                had[f"expect “{shown(label)}”"].add(n)


def _add_answers(had: dict[str, set[int]], outcomes: Iterable[Outcome], fields: Sequence[str]) -> None:
    scores: dict[tuple[int, str], dict[Arm, list[float]]] = defaultdict(lambda: {arm: [] for arm in Arm})
    ended: dict[int, list[Finish]] = defaultdict(list)
    for outcome in outcomes:
        case, arm = outcome.cell.case, outcome.cell.arm
        for score in outcome.scores:
            if isinstance(score, Score) and score.metric in fields:
                scores[case, score.metric][arm].append(score.value)
        if arm is Arm.CANDIDATE and isinstance(outcome.result, Completion):
            ended[case].append(outcome.result.finish)
    for (case, name), arms in scores.items():
        if all(arms.values()) and np.mean(arms[Arm.BASELINE]) - np.mean(arms[Arm.CANDIDATE]) >= LOST:
            had[f"lose the field “{shown(name)}”"].add(case)
    for case, finishes in ended.items():
        for finish, said in _FINISHES.items():
            if 2 * finishes.count(finish) > len(finishes):
                had[said].add(case)


def _lengths(words: Sequence[int]) -> dict[str, Bools]:
    """Returns which inputs are longer, and which are shorter, than some quantiles of all."""
    counts = np.array(words)
    found: dict[str, Bools] = {}
    for share in QUANTILES if len(words) else ():
        above, below = (int(np.quantile(counts, each)) for each in (share, 1 - share))
        found[f"are longer than {above:,} words"] = counts > above
        found[f"are shorter than {below:,} words"] = counts < below
    return {said: of for said, of in found.items() if FEWEST <= of.sum() <= MOST_OF_ALL * len(words)}
