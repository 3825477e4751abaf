"""Finds near-duplicate texts without comparing every pair.

Texts that are nearly equal share most of their pairs of neighboring words, so they share one of their rarest pairs (the
prefix filter of similarity joins: Chaudhuri et al. 2006, Bayardo et al. 2007). Only such texts are compared. Those that
share the rarest pairs come first, up to a budget. So 5,000 cases take a second or two, and a template with 5,000
fillings can't take an hour.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise

THRESHOLD = 90.0
"""Smallest similarity of near-duplicates: 100 · (1 − insertions and deletions / both lengths)."""
MAX_LETTERS = 800
"""Characters of a text that are compared. The rest is ignored."""
MAX_PAIRS = 30_000
RAREST = 0.2
"""Share of a text's word pairs that are looked up, rarest first. At least four are."""

_WORD = re.compile(r"\w+")


def near_duplicates(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Returns groups of indices of texts that are equal or nearly so. Each text is in at most one group.

    Case and blanks are ignored. Groups and their members are in the order of ``texts``.
    """
    from rapidfuzz import fuzz

    plain = [_compared(text) for text in texts]
    group = list(range(len(texts)))

    def root(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    firsts: dict[str, int] = {}
    for index, text in enumerate(plain):
        group[index] = firsts.setdefault(text, index)
    distinct = list(firsts.values())
    for one, other in _candidates([plain[index] for index in distinct]):
        a, b = root(distinct[one]), root(distinct[other])
        if a != b and fuzz.ratio(plain[distinct[one]], plain[distinct[other]], score_cutoff=THRESHOLD):
            group[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(texts)):
        members[root(index)].append(index)
    return [tuple(found) for found in members.values() if len(found) > 1]


def most_similar(text: str, texts: Sequence[str]) -> tuple[int, float] | None:
    """Returns the index of the most similar text and the similarity in percent; ``None`` if none is a near-duplicate.

    Case and blanks are ignored.
    """
    from rapidfuzz import fuzz, process

    found = process.extractOne(
        _compared(text), [_compared(one) for one in texts], scorer=fuzz.ratio, score_cutoff=THRESHOLD
    )
    return None if found is None else (found[2], found[1])


@lru_cache(maxsize=32_768)
def _compared(text: str) -> str:
    return normalised(text[: 2 * MAX_LETTERS])[:MAX_LETTERS]


def normalised(text: str) -> str:
    """Returns the text without differences of case and blanks."""
    return " ".join(text.casefold().split())


def _candidates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields pairs of indices of possible near-duplicates, at most ``MAX_PAIRS``."""
    seen: set[tuple[int, int]] = set()
    for held in sorted(_holders(texts), key=len):
        for pair in combinations(held, 2):
            if pair in seen:
                continue
            if len(seen) >= MAX_PAIRS:
                return
            seen.add(pair)
            short, long = sorted(len(texts[index]) for index in pair)
            if 2 * short >= THRESHOLD / 100 * (short + long):
                yield pair


def _holders(texts: Sequence[str]) -> list[list[int]]:
    """Returns, for each pair of neighboring words that is among the rarest of several texts, these texts."""
    numbers: dict[tuple[str, str], int] = {}
    pairs = [_word_pairs(text, numbers) for text in texts]
    spread = [0] * len(numbers)
    for of_text in pairs:
        for pair in of_text:
            spread[pair] += 1
    holders: dict[int, list[int]] = defaultdict(list)
    for index, of_text in enumerate(pairs):
        shared = sorted((spread[pair], pair) for pair in of_text if spread[pair] > 1)
        for _, pair in shared[: max(4, int(len(of_text) * RAREST))]:
            holders[pair].append(index)
    return [held for held in holders.values() if len(held) > 1]


def _word_pairs(text: str, numbers: dict[tuple[str, str], int]) -> set[int]:
    """Returns the pairs of neighboring words as numbers, in order of first occurrence."""
    words = ["", *_WORD.findall(text), ""]
    return {numbers.setdefault(pair, len(numbers)) for pair in pairwise(words)}
