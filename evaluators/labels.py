"""Reads the labels that an answer names. Nothing is guessed: an answer with several labels, or none, has no label.

The first of these rules that applies decides:

- a JSON value under a key such as ``label``
- the whole answer is a label
- a tag such as ``<label>``
- a line such as ``Final answer: billing``
- lines or a map that flag labels, such as ``billing: false`` and ``- [x] refunds``
- lines such as ``Category: billing`` and a first or last line that is a label, which must all agree
- prose that names exactly one label and chooses it

A reasoning block is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pydantic import JsonValue

from evaluators.json_answers import SEVERAL, JsonReading, open_brackets, read_json, read_object
from evaluators.label_choices import chooses
from evaluators.label_denials import (
    DENIED,
    DOUBTFUL,
    EXPLAINED,
    NEGATED,
    NO_ANSWER,
    REJECTED_KEY,
    SENTENCE,
    STRUCK,
    UNTICKED,
)
from evaluators.label_forms import bare, flagged_lines, flagged_map, plain_list
from evaluators.label_index import LabelIndex, Mention
from evaluators.label_keys import (
    ANSWER_KEYS,
    CAMEL,
    camel_key,
    has_answer_key,
    is_answer_key,
    label_key,
    rejects_labels,
    stated_texts,
)
from evaluators.text import fold_words, normalised, shown, without_fence, without_reasoning

_MARKUP = re.compile(
    r"<!--.{0,400}?-->|<\|[^|<>]{1,40}\|>|</?[a-z][^<>]{0,200}>|(?<=\])\([^()\s]{0,400}\)", re.IGNORECASE | re.DOTALL
)
"""Tags, comments, tokens of a chat template, and the targets of links."""
_EMPHASIS = re.compile(r"(?<!\w)_+(?=\w)|(?<=[^\W_])_+(?!\w)")
MOST_MENTIONS = 40
"""Most places of labels in a text. One that repeats labels more often chooses none."""
_NOTHING = frozenset(
    {"", "none", "n/a", "na", "null", "no label", "no labels", "none of the above", "none apply", "nothing"}
)
_IDENTIFIER = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)+", re.IGNORECASE)
_LINE_LEAD = " \t#>*•_`\"'-–"
_BULLET = re.compile(r"\s*(?:[-*•–+]|\d{1,3}[.)])\s+")
_MARKER = re.compile(r"(.{1,60}?)\s*(?::|=>|=|->|→)\s*(.*)")
_MARKER_IS = re.compile(r"(.{1,60}?)\s+(?:is|are)\b\s*(.*)")
_TAG = re.compile(r"<([a-z_ -]{1,24})>([^<>]{0,400})</\1>")
_SEPARATORS = re.compile(r"[,;/|&+\n]|\band\b")
_EDGES = " \t\r\n.,;:!?\"'`*_~()[]{}<>|«»“”„‘’‹›。、！？#-–—"
_SIGNS = ("-", "–", "−", ".")
_EDGES_BUT_QUESTION = _EDGES.replace("?", "").replace("？", "")


@dataclass(frozen=True, slots=True)
class LabelReading:
    """The labels that an answer names, in the order of the configuration, or ``None`` and why."""

    labels: tuple[str, ...] | None
    problem: str = ""
    strangers: tuple[str, ...] = ()
    """Texts listed as labels that are not in the set (several labels only)."""


_CUT_OFF = LabelReading(None, "no label: the JSON is cut off")


def _is_cut_off(body: str) -> bool:
    return body.startswith(("{", "[")) and open_brackets(body)


def _unread(body: str, reading: JsonReading) -> LabelReading | None:
    """Returns why JSON names no label; ``None`` if the answer may be a text with braces."""
    if reading is SEVERAL and body.startswith("{"):
        return LabelReading(None, f"no label: {SEVERAL.problem}")
    return _CUT_OFF if _is_cut_off(body) else None


class LabelReader:
    """Reads labels of one set from free text. The caller must not pass two labels with the same ``label_key``."""

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
        self._too_short_for_prose = {label for label in labels if len(label_key(label)) == 1}

    def exactly(self, text: str) -> str | None:
        """Returns the label that equals ``text``, ignoring case, dashes, punctuation, quotes and markup around it."""
        # "billing?" names a label but doesn't choose it.
        if len(text) > self._longest or text.rstrip(_EDGES_BUT_QUESTION).endswith(("?", "？")):
            return None
        found = self._exact(label_key(text))
        return self._exact(camel_key(text)) if found is None and CAMEL.search(text) else found

    def _exact(self, key: str) -> str | None:
        if key in self._by_key:
            return self._by_key[key]
        found = self._index.first(key)
        if found is None:
            return None
        before, after = key[: found.start], key[found.end :]
        # Only marks may stand around the label. Any word makes it a sentence, which has rules of its own.
        if (before + after).strip(_EDGES):
            return None
        # "[ ] billing" leaves the label open.
        if UNTICKED.search(before) or _signed(key, found):
            return None
        return self._by_key[found.key]

    def is_plain(self, text: str, *, several: bool) -> bool:
        """Returns whether ``text`` is a label (or a list of them) as configured, with nothing but blanks around it."""
        if bare(text) in self._plain:
            return True
        return several and (plain_list(text, self._plain.get) or bare(text) in ("[]", "none"))

    def _mentions(self, words: str) -> list[tuple[str, bool]]:
        """Returns the labels in folded ``words``, each with whether it is negated (“not billing”)."""
        return [
            (
                self._by_key[found.key],
                # A window of 40 characters: the expression is anchored at its end and would be slow on a long text.
                bool(NEGATED.search(words[max(0, found.start - 40) : found.start]))
                or DENIED.match(words, found.end) is not None
                or _signed(words, found),
            )
            for found in islice(self._index.find(words), MOST_MENTIONS + 1)
        ]

    def _is_chosen(self, words: str) -> bool:
        """Returns whether a sentence of folded ``words`` chooses the label that it names."""
        places = islice(self._index.find(words), MOST_MENTIONS)
        return any(chooses(words, found.start, found.end) for found in places)

    def _ordered(self, labels: set[str]) -> tuple[str, ...]:
        return tuple(sorted(labels, key=self._order.__getitem__))

    def _named(self, words: str, *, prose: bool = False) -> set[str]:
        """Returns the labels that folded ``words`` name. Returns none if one is ruled out, since matching can't
        interpret that."""
        mentions = self._mentions(words)
        if len(mentions) > MOST_MENTIONS:
            return set()
        named = {label for label, _ in mentions}
        # “A” and “2” occur in any prose. They are no answer by themselves, but make another label doubtful.
        only_short = prose and named <= self._too_short_for_prose
        ruled_out = any(negated for _, negated in mentions) or (prose and self._is_doubtful(words))
        return set() if only_short or ruled_out else named

    def _is_doubtful(self, words: str) -> bool:
        """Returns whether a sentence that names a label doubts it."""
        return any(
            (one.endswith(("?", "？")) or DOUBTFUL.search(one)) and self._index.first(one) is not None
            for one in SENTENCE.findall(words)
        )

    # -- one label --------------------------------------------------------------------------------------------------

    def read_one(self, text: str) -> LabelReading:
        """Reads the single label that ``text`` names."""
        # The usual case: the whole answer is a label. Everything below is for other forms.
        if (label := self._by_spelling.get(text.strip().lower())) is not None:
            return LabelReading((label,))
        body = without_fence(without_reasoning(text))
        if "{" in body or body.startswith(("[", '"')):
            reading = self._one_of_json(body)
            if reading is not None:
                return reading
        # "Is it billing?" names a label but doesn't choose it.
        if body.rstrip(_EDGES_BUT_QUESTION).endswith(("?", "？")):
            return LabelReading(None, "no label: the answer asks")
        if "~~" not in body and (label := self.exactly(body)) is not None:
            return LabelReading((label,))
        # An identifier that is no label answers with a label outside the set. Searching in it would find parts of
        # words.
        if _IDENTIFIER.fullmatch(bare := body.strip(_EDGES)):
            return self._one({bare})
        return self._one_of_text(fold_words(_EMPHASIS.sub("", STRUCK.sub(" ", body))))

    def _one_of_json(self, body: str) -> LabelReading | None:
        whole = read_json(body)
        reading = whole if whole.found else read_object(body)
        if not reading.found:
            return _unread(body, reading)
        if (flagged := flagged_map(reading.value, self.exactly)) is not None:
            return self._one(flagged)
        answers = stated_texts(reading.value)
        if not answers:
            return self._one(self._labels_in(whole.value)) if isinstance(whole.value, dict) else None
        return self._one({self.exactly(answer) or answer for answer in answers})

    def _labels_in(self, answer: dict[str, JsonValue]) -> set[str]:
        """Without a telling key, a value counts only if it is a label and nothing else, and its key doesn't reject."""
        # `{"label": null}` answers that there is none, whatever stands beside it.
        if has_answer_key(answer):
            return set()
        exact = (
            self.exactly(value)
            for key, value in answer.items()
            if isinstance(value, str) and not REJECTED_KEY.search(camel_key(key[:80]))
        )
        return {label for label in exact if label is not None}

    def _one_of_text(self, words: str) -> LabelReading:
        lines = _lines(words)
        tagged = [match[2] for match in _TAG.finditer(words) if ANSWER_KEYS & set(match[1].split())]
        # A tag is the clearest statement, so it decides alone.
        if tagged:
            return self._one(set().union(*(self._named(value) for value in tagged)))
        plain, marks = _MARKUP.subn(" ", words)
        if marks:
            # Folded again, since runs of blanks would be slow to search.
            lines = _lines(words := fold_words(plain))
        if (flagged := self._flagged(lines)) is not None:
            return flagged if flagged.labels is None else self._one(set(flagged.labels))
        marked = list(_marked(lines, self))
        if stated := self._stated_in(marked, final=True) or self._stated_in(marked, lines):
            return self._one(stated)
        if marked:
            # A marked line without a label answers with something outside the set. Searching the prose would guess.
            return self._one({marked[-1][1]})
        mentions = self._mentions(words)
        if len(several := {label for label, _ in mentions}) > 1:
            return self._one(several)
        named = self._named(words, prose=True) if self._is_chosen(words) else set()
        return self._one(named, negated=any(negated for _, negated in mentions))

    def _flagged(self, lines: Sequence[str]) -> LabelReading | None:
        try:
            flagged = flagged_lines(lines, self.exactly)
        except ValueError as error:
            return LabelReading(None, f"no label: {error}")
        return None if flagged is None else LabelReading(self._ordered(flagged))

    def _stated_in(
        self, marked: Sequence[tuple[bool, str]], lines: Sequence[str] = (), *, final: bool = False
    ) -> set[str]:
        """Returns the labels that marked lines state, and the first and the last of ``lines``; single ones win."""
        named = [self._stated_by(value) for is_final, value in marked if is_final is final]
        # A line with several labels often repeats the choices, while one with a single label chooses.
        single = [labels for labels in named if len(labels) == 1]
        edges = [self.exactly(line) for line in (*lines[:1], *lines[-1:]) if not _BULLET.match(line)]
        single += [{label} for label in edges if label is not None]
        return set().union(*(single or named))

    def _stated_by(self, value: str) -> set[str]:
        """Returns labels in the value of a marked line, without an explanation after the label."""
        found = self._index.first(value)
        # "None (billing was considered)" states that there is no label.
        if (nothing := NO_ANSWER.match(value)) and found and nothing.end() <= found.start:
            return set()
        plain = found and not DENIED.match(value, found.end) and not _signed(value, found)
        if found and plain and not value[: found.start].strip(_EDGES):
            label = self._by_key[found.key]
            others = self._mentions(value)[1:]
            if EXPLAINED.match(value, found.end) or (others and all(ruled_out for _, ruled_out in others)):
                return {label}
        named = self._named(value)
        return named if len(named) > 1 or self._is_chosen(value) else set()

    def _one(self, named: set[str], *, negated: bool = False) -> LabelReading:
        known = self._ordered({label for label in named if label in self._order})
        if len(named) == 1 and known:
            return LabelReading(known)
        if len(named) > 1:
            listed = ", ".join(shown(label, 40) for label in [*known, *sorted(named - set(known))][:4])
            return LabelReading(None, f"no label: the answer names several ({listed})")
        if named:
            return LabelReading(None, f"no label: it answers “{shown(next(iter(named)), 40)}”, which is not in the set")
        return LabelReading(None, "no label: the answer only rules out" if negated else "no label in the answer")

    # -- several labels ---------------------------------------------------------------------------------------------

    def read_several(self, text: str) -> LabelReading:
        """Reads the set of labels that ``text`` names. Empty if the answer says so (``[]``, “none”)."""
        body = without_fence(without_reasoning(text))
        if "{" in body or body.startswith(("[", '"')):
            reading = self._several_of_json(body)
            if reading is not None:
                return reading
        words = fold_words(STRUCK.sub(" ", body))
        # An empty answer lists nothing, which is not the same as saying "none".
        listed = self.all_labels(words) if body else None
        return self._several_of_text(words) if listed is None else LabelReading(self._ordered(listed))

    def _several_of_json(self, body: str) -> LabelReading | None:
        whole = read_json(body)
        reading = whole if whole.found else read_object(body)
        if (flagged := flagged_map(reading.value, self.exactly)) is not None:
            return LabelReading(self._ordered(flagged))
        if whole.found and isinstance(whole.value, dict) and any(map(self.exactly, whole.value)):
            return LabelReading(None, "no label: a map from labels to something other than true and false")
        if whole.found and rejects_labels(whole.value):
            return LabelReading(None, "no label: the answer only rules out")
        if reading.found and (isinstance(reading.value, list | str) or has_answer_key(reading.value)):
            return self._listed(stated_texts(reading.value))
        if not reading.found and _is_cut_off(body):
            return _CUT_OFF
        return None

    def _several_of_text(self, words: str) -> LabelReading:
        lines = _lines(words)
        if (flagged := self._flagged(lines)) is not None:
            return flagged
        marked = list(_marked(lines, self))
        top = [value for final, value in marked if final] or [value for _, value in marked]
        for value in [*reversed(top), *lines[-1:]]:
            if (listed := self.all_labels(value)) is not None:
                return LabelReading(self._ordered(listed))
        # The last marked line counts: models often revise themselves.
        named = self._named(top[-1] if top else words, prose=True)
        # Short members look like labels, so unknown ones count against the answer. Longer ones are prose.
        if named and top and all(len(member.split()) <= 4 for member in self._members(top[-1])):
            return self._listed(list(self._members(top[-1])))
        return LabelReading(self._ordered(named)) if named else LabelReading(None, "no label in the answer")

    def _members(self, words: str) -> Iterator[str]:
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
        if normalised(words) in _NOTHING:
            return set()
        if (whole := self.exactly(words)) is not None:
            return {whole}
        labels: set[str] = set()
        for member in self._members(words):
            if (label := self.exactly(member)) is None:
                return None
            labels.add(label)
        return labels or None

    def _listed(self, members: Sequence[str]) -> LabelReading:
        # One text may list several labels, such as "a, b".
        if len(members) == 1 and (listed := self.all_labels(fold_words(members[0]))) is not None:
            return LabelReading(self._ordered(listed))
        known = {label for label in map(self.exactly, members) if label is not None}
        strangers = {normalised(member) for member in members if self.exactly(member) is None} - _NOTHING
        return LabelReading(self._ordered(known), strangers=tuple(sorted(strangers)))


def _signed(words: str, found: Mention) -> bool:
    """Returns whether a minus or a point before a label makes it another number, as in “-3” but not in “2-3”."""
    before = words[max(0, found.start - 2) : found.start]
    return found.key[0].isdigit() and before.endswith(_SIGNS) and not before[0].isdigit()


def _lines(words: str) -> list[str]:
    return [line for line in words.split("\n") if line.strip() and not line.strip().startswith("```")]


def _member(text: str) -> Iterator[str]:
    member = _BULLET.sub("", text, count=1)
    if member.strip(_EDGES):
        yield member


def _marked(lines: Sequence[str], reader: LabelReader) -> Iterator[tuple[bool, str]]:
    """Yields values of lines such as ``category: x``, each with whether the line calls it final."""
    for position, line in enumerate(lines):
        lead = line.lstrip(_LINE_LEAD)
        match = _MARKER.match(lead)
        if match is None or not is_answer_key(match[1]):
            match = _MARKER_IS.match(lead)
        # A label may be one of the marking words itself, such as `route`. Its line then marks nothing.
        if match is None or not is_answer_key(match[1]) or reader.exactly(match[1]) is not None:
            continue
        # Some models write the label on the line below the marker.
        value = match[2].strip() or " ".join(lines[position + 1 : position + 2])
        if value.strip(_EDGES):
            yield "final" in match[1], value
