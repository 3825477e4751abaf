"""Places of a text in a file without structure: a body, a constant of code, a value of TOML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def edited_text(text: str, old: str, new: str) -> Iterator[str]:
    """Yields ``text`` with ``new`` in each place of ``old``, which may be indented as a block."""
    lines, before, after = text.split("\n"), old.strip("\n").split("\n"), new.strip("\n").split("\n")
    found = False
    for start in range(len(lines) - len(before) + 1):
        indent = lines[start][: len(lines[start]) - len(before[0])]
        if not indent.strip() and _same(lines[start : start + len(before)], before, indent):
            found = True
            put = [indent + line if line else "" for line in after]
            yield "\n".join([*lines[:start], *put, *lines[start + len(before) :]])
    if not found:
        yield from _within(text, old.strip("\n"), new.strip("\n"))


def _within(text: str, old: str, new: str) -> Iterator[str]:
    """Yields the text with ``new`` in each place where ``old`` stands within lines, as between quotes."""
    at = text.find(old) if old else -1
    while at >= 0:
        yield text[:at] + new + text[at + len(old) :]
        at = text.find(old, at + 1)


def _same(lines: Sequence[str], before: Sequence[str], indent: str) -> bool:
    return all(line == indent + own or not (line.strip() or own) for line, own in zip(lines, before, strict=True))
