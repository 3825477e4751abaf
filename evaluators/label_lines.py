"""Finds the lines of an answer that announce a label, such as ``Final answer: billing``, and what they state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evaluators.label_keys import is_answer_key
from evaluators.label_prose import announces, chooses, doubts
from evaluators.label_set import BULLET, EDGES, LabelSet, ruled_out, signed
from evaluators.label_words import CLOSING, DENIED, DOUBTFUL, EXPLAINED, NO_ANSWER

MOST_STATEMENTS = 20
"""Lines that announce an answer of which a text may have, from its end."""
_LINE_LEAD = " \t#>*•_`\"'-–"
_MARKERS = (
    re.compile(r"(.{1,60}?)\s*(?::|=>|=|->|→|\s[-–—]\s)\s*(.*)"),
    re.compile(r"(.{1,60}?)\s+(?:is|are)\b\s*(?:(?:an?|the)\s)?(.*)"),
    re.compile(r"\|\s*([^|]{1,60}?)\s*\|\s*([^|]*?)\s*\|?\s*$"),
)
"""Lines that announce an answer: ``key: value``, “the key is value”, and rows of a table with two cells."""
_KEY_AFTER_SENTENCE = re.compile(r"(?<=[.!?\"”»]) (?=(?:final |the )?[^\W\d_]{3,20} ?: )")


class Marked(NamedTuple):
    """The value of a line such as ``category: x``."""

    line: int
    final: bool
    """Whether the line calls its value final."""
    value: str


def lines_of(words: str) -> list[str]:
    """Returns the lines of folded ``words`` that hold text. A key after a sentence starts a line of its own."""
    lines = _KEY_AFTER_SENTENCE.sub("\n", words).split("\n")
    return [line for line in lines if line.strip(" {}[]()") and not line.strip().startswith("```")]


def marked(lines: Sequence[str], labels: LabelSet) -> list[Marked]:
    """Returns the last lines that announce an answer."""
    found: list[Marked] = []
    for place in reversed(range(len(lines))):
        line = lines[place]
        lead = line.lstrip(_LINE_LEAD)
        matches = (match for marker in _MARKERS if (match := marker.match(lead)) and is_answer_key(match[1]))
        match = next(matches, None)
        # A label may be one of the marking words itself, such as `route`. Its line then marks nothing.
        if match is None or DOUBTFUL.search(match[1]) or labels.exactly(match[1]) is not None:
            continue
        value = match[2].strip()
        if not value.strip(EDGES):
            # Some models write the label on the line below the marker. A list there shows the choices.
            below = lines[place + 1 : place + 3]
            value = "" if len(below) == 2 and all(map(BULLET.match, below)) else "".join(below[:1])
        if value.strip(EDGES):
            found.append(Marked(place, "final" in match[1], value))
        if len(found) == MOST_STATEMENTS:
            break
    return found[::-1]


def keyed(lines: Sequence[str], labels: LabelSet) -> list[Marked]:
    """Returns lines such as “mood: x”, whose key is unknown, if the first or the last line is one."""
    found: list[Marked] = []
    for place, line in enumerate(lines):
        match = _MARKERS[0].match(BULLET.sub("", line).lstrip(_LINE_LEAD)) or _MARKERS[2].match(line)
        if match is None or labels.first(match[1]) is not None or not _is_value(match[2], labels):
            continue
        # "Primary: billing" and "Secondary: account" are two answers.
        if not announces(match[1]) or len(found) == MOST_STATEMENTS:
            return []
        found.append(Marked(place, False, match[2]))
    return found if {one.line for one in found} & {0, len(lines) - 1} else []


def ends(lines: Sequence[str]) -> Iterator[int]:
    """Yields the places of the first and the last line, unless they are items of a list, or sign a letter."""
    last = len(lines) - 1
    for place in {0, last} if lines else ():
        # "Kind regards,\nBilling" signs a letter.
        above = "\n".join(lines[max(0, last - 4) : last])
        signature = place == last and (above.rstrip().endswith(",") or CLOSING.search(above))
        if not signature and not BULLET.match(lines[place]):
            yield place


def stated_by(value: str, labels: LabelSet) -> set[str]:
    """Returns labels in the value of a marked line, without an explanation after the label."""
    found = labels.first(value)
    # "None (billing was considered)" states that there is no label.
    if found is None or ((nothing := NO_ANSWER.match(value)) and nothing.end() <= found.start):
        return set()
    if doubts(value, found.start, found.end):
        return set()
    if not value[: found.start].strip(EDGES) and not DENIED.match(value, found.end) and not signed(value, found):
        others = labels.mentions(value)[1:]
        if EXPLAINED.match(value, found.end) or (others and all(ruled_out(value, other) for other in others)):
            return {labels.label_of(found)}
    named = labels.named(value, labels.mentions(value))
    return named if len(named) > 1 or chooses(value, found.start, found.end) else set()


def _is_value(value: str, labels: LabelSet) -> bool:
    """Returns whether a value is a label, with nothing but a marked explanation after it."""
    found = labels.first(value)
    return labels.exactly(value) is not None or (
        found is not None and EXPLAINED.match(value, found.end) is not None and bool(stated_by(value, labels))
    )
