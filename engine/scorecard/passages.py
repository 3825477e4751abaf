"""Shortens a long text around the words that matter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

CUT = "[…]"
"""Stands for text that was left out."""
MOST_CHARACTERS = 20_000
"""Characters of a text that are searched. What follows is left out."""
_TERM = re.compile(r"\w{4,}")
_MOST_TERMS = 60


def terms_of(texts: Iterable[str]) -> frozenset[str]:
    """Returns the words of at least four letters in ``texts``, case folded. Identifiers count in parts."""
    found: dict[str, None] = {}
    for text in texts:
        for word in _TERM.findall(text[:4_000].replace("_", " ").casefold()):
            found.setdefault(word)
            if len(found) == _MOST_TERMS:
                return frozenset(found)
    return frozenset(found)


def around(text: str, terms: frozenset[str], limit: int) -> str:
    """Returns at most ``limit`` characters of ``text``, and ``[…]`` where something was left out.

    Of all stretches it takes the one with the most different ``terms``, of equal ones the first.
    """
    if len(text) <= limit:
        return text
    start = _best_start(text[:MOST_CHARACTERS], terms, limit)
    stop = start + limit
    before, after = CUT + " " if start else "", " " + CUT if stop < len(text) else ""
    return f"{before}{_whole_words(text, start, stop)}{after}"


def _best_start(text: str, terms: frozenset[str], limit: int) -> int:
    hits = [(found.start(), found.group()) for found in _TERM.finditer(text.casefold()) if found.group() in terms]
    # A window begins some way before its first hit, so that the reader sees what led to it.
    reach = limit - limit // 4
    best, most, last = 0, 0, 0
    inside: Counter[str] = Counter()
    for first, (place, term) in enumerate(hits):
        while last < len(hits) and hits[last][0] < place + reach:
            inside[hits[last][1]] += 1
            last += 1
        if len(inside) > most:
            best, most = first, len(inside)
        inside[term] -= 1
        if not inside[term]:
            del inside[term]
    start = hits[best][0] - limit // 4 if hits else 0
    return max(0, min(start, len(text) - limit))


def _whole_words(text: str, start: int, stop: int) -> str:
    """Returns ``text[start:stop]`` without the broken words at its ends, unless little else would be left."""
    part = text[start:stop]
    if start and not text[start - 1].isspace():
        space = part.find(" ")
        part = part[space + 1 :] if 0 <= space < len(part) // 2 else part
    if stop < len(text) and not text[stop].isspace():
        space = part.rfind(" ")
        part = part[:space] if space > len(part) // 2 else part
    return part.strip()
