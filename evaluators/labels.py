"""Reads the labels that an answer names. Nothing is guessed: an answer with several labels, or none, has no label.

The first of these rules that applies decides:

- a JSON value under a key such as ``label``
- the whole answer is a label
- a tag such as ``<label>``
- a line such as ``Final answer: billing``
- lines or a map that flag labels, such as ``billing: false`` and ``- [x] refunds``
- lines such as ``Category: billing`` and a first or last line that is a label, which must all agree
- prose that names exactly one label and chooses it

A text that doubts its label, sets a condition, asks, or takes the label back has no label. Reasoning blocks are
skipped. Of a long text, only lines at its end that announce a label count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from evaluators import label_lines
from evaluators.check_rules.is_refusal import refuses
from evaluators.json_answers import SEVERAL, JsonReading, open_brackets, read_json, read_object
from evaluators.label_forms import flagged_lines, flagged_map
from evaluators.label_keys import (
    ANSWER_KEYS,
    camel_key,
    has_answer_key,
    rejects_labels,
    stated_texts,
)
from evaluators.label_prose import chooses, doubts
from evaluators.label_set import EDGES, EDGES_BUT_QUESTION, NOTHING, LabelSet
from evaluators.label_words import (
    ASKS,
    CLOSING,
    DOUBTFUL,
    EXAMPLE,
    REJECTED_KEY,
    REVISED,
    STRUCK,
)
from evaluators.text import fold_words, normalised, shown, without_fence, without_reasoning

MOST_READ = 3_000
"""Characters of a text that are searched: its end."""
SHORT, KNOWN, READERS = 200, 512, 64
"""Answers of at most 200 characters repeat, so the last 512 readings of each of the last 64 label sets are kept."""
_MARKUP = re.compile(
    r"<!--.{0,400}?-->|<\|[^|<>]{1,40}\|>|</?[a-z][^<>@]{0,200}>|(?<=\])\([^()\s]{0,400}\)", re.IGNORECASE | re.DOTALL
)
"""Tags, comments, tokens of a chat template, and the targets of links."""
_EMPHASIS = re.compile(r"(?<!\w)_+(?=\w)|(?<=[^\W_])_+(?!\w)")
_IDENTIFIER = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)+", re.IGNORECASE)
_TAG = re.compile(r"<([a-z_ -]{1,24})>([^<>]{0,400})</\1>")


@dataclass(frozen=True, slots=True)
class LabelReading:
    """The labels that an answer names, in the order of the configuration, or ``None`` and why."""

    labels: tuple[str, ...] | None
    problem: str = ""
    strangers: tuple[str, ...] = ()
    """Texts listed as labels that are not in the set (several labels only)."""


_CUT_OFF = LabelReading(None, "no label: the JSON is cut off")
_REVISED = LabelReading(None, "no label: the answer takes back what it said")


@lru_cache(READERS)
def label_reader(labels: tuple[str, ...], aliases: tuple[tuple[str, tuple[str, ...]], ...]) -> LabelReader:
    """Returns the reader of a set, which all that read the set share."""
    return LabelReader(labels, dict(aliases))


class LabelReader:
    """Reads labels of one set from free text. The caller must not pass two labels with the same ``label_key``."""

    def __init__(self, labels: Sequence[str], aliases: Mapping[str, Sequence[str]] | None = None) -> None:
        self.set = LabelSet(labels, aliases)
        self._known = lru_cache(KNOWN)(self._read_one)

    # -- one label --------------------------------------------------------------------------------------------------

    def read_one(self, text: str) -> LabelReading:
        """Reads the single label that ``text`` names."""
        return self._known(text) if len(text) <= SHORT else self._read_one(text)

    def _read_one(self, text: str) -> LabelReading:
        # The usual case: the whole answer is a label. Everything below is for other forms.
        if (label := self.set.spelled(text)) is not None:
            return LabelReading((label,))
        body = without_fence(without_reasoning(text))
        if "{" in body or body.startswith(("[", '"')):
            reading = self._one_of_json(body)
            if reading is not None:
                return reading
        whole = len(body) <= MOST_READ
        body = self.set.undecorated(body[-MOST_READ:])
        # "Is it billing?" names a label but doesn't choose it.
        if body.rstrip(EDGES_BUT_QUESTION).endswith(("?", "？")):
            return LabelReading(None, "no label: the answer asks")
        if whole and "~~" not in body and (label := self.set.exactly(body)) is not None:
            return LabelReading((label,))
        # An identifier that is no label answers with a label outside the set. Searching in it would find parts of
        # words.
        if _IDENTIFIER.fullmatch(bare := body.strip(EDGES)):
            return self._one({bare})
        return self._one_of_text(_words(_EMPHASIS.sub("", body)), whole=whole)

    def _one_of_json(self, body: str) -> LabelReading | None:
        whole = read_json(body)
        reading = whole if whole.found else read_object(body)
        if not reading.found:
            return _unread(body, reading)
        if not whole.found and _shows_an_example(body):
            return LabelReading(None, "no label: the text around the JSON object doubts it")
        if (flagged := flagged_map(reading.value, self.set.exactly)) is not None:
            return self._one(flagged)
        answers = stated_texts(reading.value)
        if not answers:
            return self._one(self._labels_in(whole.value)) if isinstance(whole.value, dict) else None
        return self._one({self.set.exactly(answer) or answer for answer in answers})

    def _labels_in(self, answer: dict[str, JsonValue]) -> set[str]:
        """Without a telling key, a value counts only if it is a label and nothing else, and its key doesn't reject."""
        # `{"label": null}` answers that there is none, whatever stands beside it.
        if has_answer_key(answer):
            return set()
        exact = (
            self.set.exactly(value)
            for key, value in answer.items()
            if isinstance(value, str) and not REJECTED_KEY.search(camel_key(key[:80]))
        )
        return {label for label in exact if label is not None}

    def _one_of_text(self, words: str, *, whole: bool) -> LabelReading:
        tagged = [match[2] for match in _TAG.finditer(words) if ANSWER_KEYS & set(match[1].split())]
        # A tag is the clearest statement, so it decides alone.
        if tagged:
            return self._one(set().union(*map(self._named, tagged)))
        words = _without_markup(words)
        # The first line of an end may begin anywhere.
        lines = label_lines.lines_of(words)[0 if whole else 1 :]
        if (flagged := self._flagged(lines)) is not None:
            return flagged if flagged.labels is None else self._one(set(flagged.labels))
        marked = label_lines.marked(lines, self.set)
        if len(marked) == label_lines.MOST_STATEMENTS:
            return LabelReading(None, f"no label: {label_lines.MOST_STATEMENTS} lines or more announce one")
        stated = self._stated(lines, [one for one in marked if one.final], edges=False)
        stated = stated or self._stated(lines, marked or label_lines.keyed(lines, self.set), edges=True)
        if stated is not None:
            return stated
        if marked:
            # A marked line without a label answers with something outside the set. Searching the prose would guess.
            return self._one({marked[-1].value})
        return self._one_of_prose(words) if whole else LabelReading(None, "no label: no line announces one")

    def _one_of_prose(self, words: str) -> LabelReading:
        mentions = self.set.mentions(words)
        labels = set(map(self.set.label_of, mentions))
        if len(labels) > 1:
            return self._one(labels)
        # “A” and “2” occur in any prose. They are no answer by themselves, but make another label doubtful.
        if not labels or labels <= self.set.too_short_for_prose:
            return self._one(set())
        if not self.set.named(words, mentions):
            return LabelReading(None, "no label: the answer only rules out")
        places = [(found.start, found.end) for found in mentions]
        if (
            ASKS.search(words)
            or CLOSING.search(words)
            or refuses(words)
            or any(doubts(words, *place) for place in places)
        ):
            return LabelReading(None, "no label: the answer doubts, asks or refuses")
        if REVISED.search(words, places[-1][1]):
            return _REVISED
        return self._one(labels if any(chooses(words, *place) for place in places) else set())

    def _flagged(self, lines: Sequence[str]) -> LabelReading | None:
        try:
            flagged = flagged_lines(lines, self.set.exactly)
        except ValueError as error:
            return LabelReading(None, f"no label: {error}")
        return None if flagged is None else LabelReading(self.set.ordered(flagged))

    def _stated(
        self, lines: Sequence[str], marked: Sequence[label_lines.Marked], *, edges: bool
    ) -> LabelReading | None:
        """Returns the label that marked lines state, and the first and the last line; ``None`` if they state none."""
        named = [(one.line, label_lines.stated_by(one.value, self.set)) for one in marked]
        # A line with several labels often repeats the choices, while one with a single label chooses.
        single = [one for one in named if len(one[1]) == 1]
        ends = ((place, self.set.exactly(lines[place])) for place in label_lines.ends(lines)) if edges else ()
        single += [(place, {label}) for place, label in ends if label is not None]
        chosen = single or [one for one in named if one[1]]
        if not chosen:
            return None
        last = max(place for place, _ in chosen)
        if any(map(REVISED.search, lines[last:])):
            return _REVISED
        return self._one(set().union(*(labels for _, labels in chosen)))

    def _named(self, words: str) -> set[str]:
        return self.set.named(words, self.set.mentions(words))

    def _one(self, named: set[str]) -> LabelReading:
        known = self.set.ordered({label for label in named if label in self.set})
        if len(named) == 1 and known:
            return LabelReading(known)
        if len(named) > 1:
            listed = ", ".join(shown(label, 40) for label in [*known, *sorted(named - set(known))][:4])
            return LabelReading(None, f"no label: the answer names several ({listed})")
        if named:
            return LabelReading(None, f"no label: it answers “{shown(next(iter(named)), 40)}”, which is not in the set")
        return LabelReading(None, "no label in the answer")

    # -- several labels ---------------------------------------------------------------------------------------------

    def read_several(self, text: str) -> LabelReading:
        """Reads the set of labels that ``text`` names. Empty if the answer says so (``[]``, “none”)."""
        body = without_fence(without_reasoning(text))
        if "{" in body or body.startswith(("[", '"')):
            reading = self._several_of_json(body)
            if reading is not None:
                return reading
        words, whole = _words(body[-MOST_READ:]), len(body) <= MOST_READ
        # An empty answer lists nothing, which is not the same as saying "none".
        if body and whole and (listed := self.set.all_labels(words)) is not None:
            return LabelReading(self.set.ordered(listed))
        return self._several_of_text(words, whole=whole)

    def _several_of_json(self, body: str) -> LabelReading | None:
        whole = read_json(body)
        reading = whole if whole.found else read_object(body)
        if (flagged := flagged_map(reading.value, self.set.exactly)) is not None:
            return LabelReading(self.set.ordered(flagged))
        if whole.found and isinstance(whole.value, dict) and any(map(self.set.exactly, whole.value)):
            return LabelReading(None, "no label: a map from labels to something other than true and false")
        if whole.found and rejects_labels(whole.value):
            return LabelReading(None, "no label: the answer only rules out")
        if reading.found and (isinstance(reading.value, list | str) or has_answer_key(reading.value)):
            return self._listed(stated_texts(reading.value))
        if not reading.found and _is_cut_off(body):
            return _CUT_OFF
        return None

    def _several_of_text(self, words: str, *, whole: bool) -> LabelReading:
        # The first line of an end may begin anywhere.
        lines = label_lines.lines_of(words)[0 if whole else 1 :]
        if (flagged := self._flagged(lines)) is not None:
            return flagged
        marked = label_lines.marked(lines, self.set)
        top = [one.value for one in marked if one.final] or [one.value for one in marked]
        # Below another label, the last line is a part of a list.
        part = len(lines) > 1 and self.set.exactly(lines[-2]) is not None
        for value in [*reversed(top), *(() if part else lines[-1:])]:
            if (listed := self.set.all_labels(value)) is not None:
                return LabelReading(self.set.ordered(listed))
        if not (whole or top):
            return LabelReading(None, "no label: no line announces one")
        # The last marked line counts: models often revise themselves.
        return self._several_of(top[-1] if top else words, marked=bool(top))

    def _several_of(self, stated: str, *, marked: bool) -> LabelReading:
        """Reads the value of a marked line, or prose."""
        mentions = self.set.mentions(stated)
        named = self.set.named(stated, mentions)
        if named <= self.set.too_short_for_prose or any(doubts(stated, one.start, one.end) for one in mentions):
            return LabelReading(None, "no label in the answer")
        # Short members look like labels, so unknown ones count against the answer. Longer ones are prose.
        members = list(self.set.members(stated)) if marked else []
        if members and all(len(member.split()) <= 4 for member in members):
            return self._listed(members)
        return LabelReading(self.set.ordered(named))

    def _listed(self, members: Sequence[str]) -> LabelReading:
        # One text may list several labels, such as "a, b".
        if len(members) == 1 and (listed := self.set.all_labels(fold_words(members[0]))) is not None:
            return LabelReading(self.set.ordered(listed))
        known = {label for label in map(self.set.exactly, members) if label is not None}
        strangers = {normalised(member) for member in members if self.set.exactly(member) is None} - NOTHING
        return LabelReading(self.set.ordered(known), strangers=tuple(sorted(strangers)))


def _without_markup(words: str) -> str:
    plain, marks = _MARKUP.subn(" ", words)
    # Folded again, since runs of blanks would be slow to search.
    return fold_words(plain) if marks else words


def _words(text: str) -> str:
    return fold_words(STRUCK.sub(" ", text))


def _is_cut_off(body: str) -> bool:
    return body.startswith(("{", "[")) and open_brackets(body)


def _unread(body: str, reading: JsonReading) -> LabelReading | None:
    """Returns why JSON names no label; ``None`` if the answer may be a text with braces."""
    if reading is SEVERAL and body.startswith("{"):
        return LabelReading(None, f"no label: {SEVERAL.problem}")
    return _CUT_OFF if _is_cut_off(body) else None


def _shows_an_example(body: str) -> bool:
    """Returns whether the prose around a JSON object shows an example, doubts it or takes it back."""
    before = fold_words(body[: body.index("{")][-200:]).rstrip("`json \n").rpartition("\n")[2]
    after = fold_words(body[body.rindex("}") + 1 :][:400])
    return any(found.search(before) for found in (EXAMPLE, DOUBTFUL)) or REVISED.search(after) is not None
