"""Forms of a label answer that are neither a sentence nor a list: maps and lists of flags, and stated confidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from pydantic import JsonValue

from evaluators.json_answers import read_json, read_object
from evaluators.text import fold, without_fence

ReadLabel = Callable[[str], str | None]
"""Returns the label that equals a text."""

_BOX = re.compile(r"\s*(?:[-*•+]|\d{1,3}[.)])?\s*(?:\[([ x✓✔])\]|([☐☑☒✅❌✔✓✘✗]))\s*(.+)")
_FLAG = re.compile(r"\s*(?:[-*•+]\s+)?(.{1,200}?)\s*[:=]\s*(true|false|yes|no|✅|❌|✔|✓|✘|✗)\s*[.,;]?\s*")
_YES = frozenset({"x", "✓", "✔", "☑", "☒", "✅", "true", "yes"})
_CONFIDENCE = ("confidence", "probability", "certainty")


def flagged_lines(lines: Sequence[str], read: ReadLabel) -> set[str] | None:
    """Returns the labels that folded lines such as ``- [x] billing`` or ``billing: true`` flag.

    ``None`` unless there are at least two lines and all are of one form. Raises ValueError if a label has two flags.
    """
    for form in (_BOX, _FLAG):
        matches = [form.fullmatch(line) for line in lines]
        if len(matches) < 2 or None in matches:
            continue
        pairs = [_flag(match.groups()) for match in matches if match is not None]
        flags = [(label, flag in _YES) for name, flag in pairs if (label := read(name)) is not None]
        if len(flags) < len(pairs):
            return None
        if len(dict(flags)) < len(set(flags)):
            raise ValueError("a label has two flags")
        return {label for label, flag in flags if flag}
    return None


def _flag(groups: tuple[str | None, ...]) -> tuple[str, str]:
    if len(groups) == 2:
        return groups[0] or "", groups[1] or ""
    return groups[2] or "", groups[0] or groups[1] or ""


def flagged_map(value: JsonValue, read: ReadLabel) -> set[str] | None:
    """Returns the labels that a map from labels to booleans flags; ``None`` for every other value."""
    if not isinstance(value, dict) or not value:
        return None
    # Some answers name the map: `{"labels": {"billing": true}}`.
    if len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        value = inner
    labels = [read(key) for key in value]
    if None in labels or len(set(labels)) < len(labels) or not all(isinstance(flag, bool) for flag in value.values()):
        return None
    return {label for label, flag in zip(labels, value.values(), strict=True) if label is not None and flag}


def stated_confidence(text: str) -> float | None:
    """Returns the confidence, 0 to 1, that a JSON answer states under ``confidence`` or a like key; else ``None``.

    Percentages may be texts with a sign, or numbers above 1.
    """
    if "{" not in text:
        return None
    whole = read_json(text)
    reading = whole if whole.found else read_object(text)
    return next(_confidences(reading.value), None) if isinstance(reading.value, dict) else None


def _confidences(answer: dict[str, JsonValue]) -> Iterator[float]:
    by_key = {fold(key[:80]): value for key, value in answer.items()}
    for key in _CONFIDENCE:
        value = by_key.get(key)
        percent = isinstance(value, str) and value.strip().endswith("%")
        if isinstance(value, str):
            try:
                value = float(value.strip().removesuffix("%"))
            except ValueError:
                continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        share = value / 100 if percent or 1 < value <= 100 else value
        if 0 <= share <= 1:
            yield float(share)


def bare(text: str) -> str:
    """Returns ``text`` without outer blanks and in lower case: how a strict program compares a label."""
    return text.strip().lower()


def plain_list(text: str, read: ReadLabel) -> bool:
    """Returns whether ``text`` is nothing but a list of labels: JSON, or separated by commas, semicolons or lines."""
    whole = read_json(text) if text.lstrip().startswith("[") and without_fence(text) == text.strip() else None
    if whole is not None and isinstance(whole.value, list):
        return all(isinstance(item, str) and read(bare(item)) is not None for item in whole.value)
    mark = next((mark for mark in ("\n", ";", ",") if mark in text.strip()), None)
    return mark is not None and all(read(bare(item)) is not None for item in text.strip().split(mark))
