"""Finds placeholders in texts that are compared literally. They are never filled in, so they match nothing."""

from __future__ import annotations

import re

_PARTS = r"(?:expected|reference|inputs?|outputs?|answers?|completion|response)(?:[._]\w+)?"
_ANY = re.compile(r"\{\{-?\s*[^\W\d][\w .\[\]'\"|()-]*\}\}")
_OF_A_CASE = re.compile(
    rf"\{{\{{-?\s*{_PARTS}\b[^{{}}]*\}}\}}|\$?\{{\s*{_PARTS}\s*\}}|\$\(\s*{_PARTS}\s*\)|%\(\s*{_PARTS}\s*\)s"
)
_WHOLE = re.compile(r"(?:[$@%]|<{1,2}|\[)(?:expected|reference)(?:[%\]]|>{1,2})?")


def placeholder(text: str, *, any_name: bool = True) -> str | None:
    """Returns the placeholder in ``text``, or ``None``.

    These count: ``{{name}}``; ``{expected}``, ``${expected}`` and ``%(expected)s`` with the name of a part of a case or
    the answer; and ``$expected`` or ``<expected>`` as the whole text. Without ``any_name``, a ``{{name}}`` also needs
    such a name: a check for ``{{customer}}`` may look for a prompt that was not filled in.
    """
    found = (any_name and _ANY.search(text)) or _OF_A_CASE.search(text) or _WHOLE.fullmatch(text.strip())
    return found[0] if found else None
