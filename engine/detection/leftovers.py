"""Finds placeholders and tags of other template languages that a change adds.

They are sent verbatim. If another program fills them in later, its requests differ from the measured ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from engine.readers.bounded import shown
from engine.readers.dialects import PATTERNS, texts_of
from schemas.prompts import LOGICAL, Dialect, PromptFile
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

NAMED = 3
_ANYWHERE = re.compile(r"\$\{\s*[A-Za-z_][^{}\n]{0,200}\}|%\(\w+\)[sdf]|<%.{0,200}?%>")
_TAGS = re.compile(
    r"\{%[-+]?\s*[a-z].{0,200}?%\}"
    r"|\{\{[#/>^&!~-]?\s*(?:\w|(?:'[^'\n]{0,200}'|\"[^\"\n]{0,200}\")\s*(?:if\b|[|~]))[^{}]{0,200}\}\}",
    re.DOTALL,
)
_COMMENT = re.compile(r"\{#(.*?)#\}", re.DOTALL)


def leftover_reasons(name: str, old: PromptFile | None, new: PromptFile | None) -> tuple[Reason, ...]:
    """Returns a reason if ``new`` sends such text more often than ``old``."""
    if old is None or new is None:
        return ()
    # A multiset difference: one more use of a known placeholder counts too.
    added = [*(Counter(_leftovers(new)) - Counter(_leftovers(old))), *_commented_out(old, new)]
    if not added:
        return ()
    more = f" and {len(added) - NAMED} more" if len(added) > NAMED else ""
    listed = ", ".join(f"`{shown(' '.join(text.split()), 50).replace('`', chr(39))}`" for text in added[:NAMED])
    sentence = (
        f"{name}: {shown(new.path)} now sends {listed}{more} verbatim. If another template language fills it in, that "
        "text was not measured."
    )
    return (Reason(code=ReasonCode.UNMEASURED, status=VerdictStatus.NEEDS_REVIEW, sentence=sentence),)


def _leftovers(prompt: PromptFile) -> Iterator[str]:
    pattern = PATTERNS.get(prompt.dialect)
    for text in texts_of(prompt):
        found = _ANYWHERE.findall(text)
        if prompt.dialect not in LOGICAL:
            found += _TAGS.findall(text)
        yield from (tag for tag in found if pattern is None or not pattern.fullmatch(tag))


def _commented_out(old: PromptFile, new: PromptFile) -> Iterator[str]:
    """Yields Jinja comments that contain text of the old version and would be sent as text."""
    if new.dialect is Dialect.JINJA:
        return
    known = " ".join(" ".join(texts_of(old)).split())
    for text in texts_of(new):
        for found in _COMMENT.finditer(text):
            said = " ".join(found[1].split())
            if said and said in known and found[0] not in known:
                yield found[0]
