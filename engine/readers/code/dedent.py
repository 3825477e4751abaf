"""Applies npm's ``dedent`` (github.com/dmnd/dedent), as a tag of a template literal and as a function.

A value that fills a hole counts as one word. A value of several lines would move with the text around it.
"""

from __future__ import annotations

import re

_INDENT = re.compile(r"([^\S\x00]+)\S")
_KNOWN = re.compile(r"\\\n[ \t]*|\\([`${])")
JS_BLANKS = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
"""What JavaScript's ``trim`` takes away."""


def dedent_call(text: str) -> str:
    """Returns the text without the indent that all its indented lines share, and without blanks around it."""
    lines = text.split("\n")
    indents = [len(found[1]) for line in lines if (found := _INDENT.match(line))]
    if indents:
        least = min(indents)
        lines = [line[least:] if line[:1] in (" ", "\t") else line for line in lines]
    return "\n".join(lines).strip(JS_BLANKS)


def dedent_tag(raw: str) -> str:
    """Returns the dedented raw text of a template literal. Raises ValueError for an escape that not all versions
    know."""
    text = _KNOWN.sub(lambda found: found[1] or "", raw)
    kept = dedent_call(text)
    if re.search(r"\\(?!n)", kept):
        raise ValueError("dedent reads no escape but \\n, \\`, \\$ and \\{")
    return kept.replace("\\n", "\n")
