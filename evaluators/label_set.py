"""The labels of a set and their spellings: which label a text equals, and which labels it mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from evaluators.label_forms import bare, plain_list
from evaluators.label_index import LabelIndex, Mention
from evaluators.label_keys import CAMEL, camel_key, label_key
from evaluators.label_words import DENIED, NEGATED, UNTICKED
from evaluators.text import normalised

MOST_MENTIONS = 40
"""Most places of labels in a text. One that repeats labels more often chooses none."""
NOTHING = frozenset(
    {"", "none", "n/a", "na", "null", "no label", "no labels", "none of the above", "none apply", "nothing"}
)
EDGES = " \t\r\n.,;:!?\"'`*_~()[]{}<>|«»“”„‘’‹›。、！？#-–—→⇒➔➜="
EDGES_BUT_QUESTION = EDGES.replace("?", "").replace("？", "")
BULLET = re.compile(r"\s*(?:[-*•–+]|\d{1,3}[.)])\s+")
_SEPARATORS = re.compile(r"[,;/|&+\n]|\band\b")
_SIGNS = ("-", "–", "−", ".")
_DECORATION = re.compile(
    r"(?![☐☑☒✅✓✔✖❌✗✘❓❔⛔])[\u2600-\u27bf\u2b00-\u2bff\U0001f1e6-\U0001faff\u20e3\ufe0f\u200d]+"
)
"""Emoji, but for marks that tick, strike or ask."""
_SPEAKING_EMOJI = re.compile("[🚫👎🤔🤷❓❔]")


class LabelSet:
    """Labels and their spellings. The caller must not pass two labels with the same ``label_key``."""

    def __init__(self, labels: Sequence[str], aliases: Mapping[str, Sequence[str]] | None = None) -> None:
        self.labels = tuple(labels)
        self._order = {label: position for position, label in enumerate(labels)}
        spellings = [(label, label) for label in labels]
        spellings += [(alias, label) for label, others in (aliases or {}).items() for alias in others]
        self._by_key = {label_key(spelling): label for spelling, label in spellings}
        self._plain = {bare(spelling): label for spelling, label in spellings}
        # "technicalSupport" is two words to people, unless another label already has that spelling.
        self._by_key |= {
            key: label for spelling, label in spellings if (key := camel_key(spelling)) not in self._by_key
        }
        self._by_spelling = self._plain | self._by_key
        # Longer texts are prose, and searching them for an exact label would be slow.
        self._longest = 200 + 2 * max(len(spelling) for spelling, _ in spellings)
        self._index = LabelIndex(self._by_key)
        self._decorated = any(map(_DECORATION.search, self._by_key))
        self.too_short_for_prose = frozenset(label for label in labels if len(label_key(label)) == 1)

    def __contains__(self, label: str) -> bool:
        return label in self._order

    def undecorated(self, text: str) -> str:
        """Returns ``text`` without emoji, unless they doubt or reject, or belong to a label."""
        if text.isascii() or self._decorated or _SPEAKING_EMOJI.search(text):
            return text
        return _DECORATION.sub(" ", text)

    def spelled(self, text: str) -> str | None:
        """Returns the label that ``text`` spells, ignoring case and outer blanks only."""
        return self._by_spelling.get(bare(text))

    def exactly(self, text: str) -> str | None:
        """Returns the label that equals ``text``, ignoring case, dashes, punctuation, quotes and markup around it."""
        # "billing?" names a label but doesn't choose it.
        if len(text) > self._longest or text.rstrip(EDGES_BUT_QUESTION).endswith(("?", "？")):
            return None
        found = self._exact(label_key(text))
        return self._exact(camel_key(text)) if found is None and CAMEL.search(text) else found

    def _exact(self, key: str) -> str | None:
        if key in self._by_key:
            return self._by_key[key]
        found = self.first(key)
        if found is None:
            return None
        before, after = key[: found.start], key[found.end :]
        # Only marks may stand around the label. Any word makes it a sentence, which has rules of its own.
        if (before + after).strip(EDGES):
            return None
        # "[ ] billing" leaves the label open.
        if UNTICKED.search(before) or signed(key, found):
            return None
        return self._by_key[found.key]

    def is_plain(self, text: str, *, several: bool) -> bool:
        """Returns whether ``text`` is a label (or a list of them) as configured, with nothing but blanks around it."""
        if bare(text) in self._plain:
            return True
        return several and (plain_list(text, self._plain.get) or bare(text) in ("[]", "none"))

    def first(self, words: str) -> Mention | None:
        """Returns the first mention in folded ``words``."""
        return self._index.first(words)

    def mentions(self, words: str) -> list[Mention]:
        """Returns the mentions in folded ``words``: at most one more than ``MOST_MENTIONS``."""
        return list(islice(self._index.find(words), MOST_MENTIONS + 1))

    def label_of(self, mention: Mention) -> str:
        """Returns the label that a mention names."""
        return self._by_key[mention.key]

    def named(self, words: str, mentions: Sequence[Mention]) -> set[str]:
        """Returns the labels of the mentions in ``words``. Returns none if one is ruled out, since matching can't
        interpret that."""
        if len(mentions) > MOST_MENTIONS or any(ruled_out(words, found) for found in mentions):
            return set()
        return set(map(self.label_of, mentions))

    def ordered(self, labels: set[str]) -> tuple[str, ...]:
        """Returns labels in the order of the configuration."""
        return tuple(sorted(labels, key=self._order.__getitem__))

    def members(self, words: str) -> Iterator[str]:
        """Yields the members of a list in folded ``words``. A separator inside a label separates nothing."""
        mentions = self._index.find(words)
        inside, start = next(mentions, None), 0
        for cut in _SEPARATORS.finditer(words):
            while inside is not None and inside.end <= cut.start():
                inside = next(mentions, None)
            if inside is None or inside.start > cut.start():
                yield from _member(words[start : cut.start()])
                start = cut.end()
        yield from _member(words[start:])

    def all_labels(self, words: str) -> set[str] | None:
        """Returns the labels of a list in which every member is one; empty for “none”."""
        if normalised(words) in NOTHING:
            return set()
        if (whole := self.exactly(words)) is not None:
            return {whole}
        labels: set[str] = set()
        for member in self.members(words):
            if (label := self.exactly(member)) is None:
                return None
            labels.add(label)
        return labels or None


def ruled_out(words: str, found: Mention) -> bool:
    """Returns whether the words around a mention reject it (“not billing”)."""
    # A window of 40 characters: the expression is anchored at its end and would be slow on a long text.
    return (
        NEGATED.search(words[max(0, found.start - 40) : found.start]) is not None
        or DENIED.match(words, found.end) is not None
        or signed(words, found)
    )


def signed(words: str, found: Mention) -> bool:
    """Returns whether a sign makes a label another one: “-3”, but not “2-3”; “B-” of a label B."""
    before, after = words[max(0, found.start - 2) : found.start], words[found.end : found.end + 1]
    if len(found.key) == 1 and after and after in "-–−+":
        return True
    return found.key[0].isdigit() and before.endswith(_SIGNS) and not before[0].isdigit()


def _member(text: str) -> Iterator[str]:
    member = BULLET.sub("", text, count=1)
    if member.strip(EDGES):
        yield member
