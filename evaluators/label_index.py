"""Finds labels in a text. The work depends on the length of the text, not on the number of labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = re.compile(r"\w+")


class Mention(NamedTuple):
    """A label's key at a place of a text."""

    key: str
    start: int
    end: int


class LabelIndex:
    """Finds folded keys in folded texts: from left to right, the longest first, without overlaps.

    A key must not begin or end inside a word, except in scripts without blanks between words.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        # By length, because many labels may begin with one word: `topic 1`, `topic 2`, …
        self._by_word: dict[str, dict[int, set[str]]] = {}
        self._by_character: dict[str, list[str]] = {}
        for key in sorted(keys, key=lambda key: (-len(key), key)):
            first = _WORD.match(key)
            if first is None or any(map(_spaceless, first[0])):
                self._by_character.setdefault(key[0], []).append(key)
            else:
                self._by_word.setdefault(first[0], {}).setdefault(len(key), set()).add(key)
        signs = "".join(re.escape(first) for first in self._by_character if not _is_word(first))
        self._runs = re.compile(rf"\w+|[{signs}]" if signs else r"\w+")

    def find(self, text: str) -> Iterator[Mention]:
        """Yields the mentions in ``text``."""
        place = 0
        for run in self._runs.finditer(text):
            word, start = run[0], run.start()
            # Most words begin no key. Nothing else may cost anything for them.
            if place <= start and not self._by_character and word not in self._by_word:
                continue
            place, word = (place, "") if place > start else (start, word)
            while place < run.end():
                key = self._at(text, place, word)
                if key is not None:
                    yield Mention(key, place, place + len(key))
                    place += len(key)
                else:
                    place = self._inside(text, place + 1, run.end())
                word = ""

    def first(self, text: str) -> Mention | None:
        """Returns the first mention."""
        return next(self.find(text), None)

    def _at(self, text: str, start: int, word: str) -> str | None:
        whole = start == 0 or not _is_word(text[start - 1])
        keys = list(self._by_character.get(text[start], ()))
        if whole:
            lengths = self._by_word.get(word, {})
            keys += [part for length, known in lengths.items() if (part := text[start : start + length]) in known]
        for key in keys:
            end = start + len(key)
            if (
                text.startswith(key, start)
                and (whole or _spaceless(key[0]))
                and (_spaceless(key[-1]) or end == len(text) or not _is_word(text[end]))
            ):
                return key
        return None

    def _inside(self, text: str, start: int, end: int) -> int:
        """Returns the next place inside a word at which a key of a script without blanks may begin."""
        if not self._by_character:
            return end
        return next((place for place in range(start, end) if text[place] in self._by_character), end)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def joined(left: str, right: str) -> bool:
    """Returns whether two neighboring characters belong to one word. Empty texts, at an end, belong to none."""
    return all(one != "" and _is_word(one) and not _spaceless(one) for one in (left, right))


def _spaceless(character: str) -> bool:
    """Returns whether the character's script has no blanks between words (Chinese, Japanese, Thai, …)."""
    return "\u0e00" <= character <= "\u0eff" or "\u1000" <= character <= "\u109f" or "\u2e80" <= character <= "\ua4cf"
