"""Words for the offline model: tokens, stems, sentences, and its little background knowledge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

LONGEST = 1000
"""Most characters of a sentence."""
_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")
_WORD = re.compile(r"[a-z0-9][a-z0-9'’+#]*")
_WRAPPED = re.compile(r"(?<![.!?:\s])[ \t]*\n[ \t]*(?=[a-z])")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOP_WORDS = frozenset(
    _listed("""
    a about after again all also am an and any anything are as at be because been before being but by can can't cannot
    cant choose could couldn't customer customers did didn't do does doesn't doing don't each etc even for from get gets
    got had has have hello her here hi him his how i i'd i'll i'm i've if in into is isn't issue it it's its itself just
    keep keeps label let like may me mention mentioned might more most my no not nothing now of on once one only or
    other our out over own please problem question questions same say says she should so some something still such team
    than thank thanks that that's the their them then there there's these they they're this ticket tickets to too until
    up us very was wasn't we we'd we'll we're we've were what when where which while who why will with won't would you
    you're your
    """)
)

BACKGROUND = (
    _listed("""
    billing bill invoice charge payment pay price fee card receipt subscription tax plan discount vat amount debit
    prorate statement renewal currency upgrade coupon
    """),
    _listed("""
    refund reimburse refunded money-back credited return chargeback compensation repay reverse unwanted
    """),
    _listed("""
    technical error bug crash broken slow fail freeze load sync export upload api timeout blank lag glitch notification
    install webhook import display button
    """),
    _listed("""
    access login log sign password locked username credential authentication verification reset lockout code two-factor
    phone owner invite permission
    """),
)
"""Groups of related words in everyday English: all background knowledge of the model. The smaller one knows the first
few of each."""


def count_tokens(text: str) -> int:
    """Counts the tokens of ``text``: pieces of up to six letters, and every punctuation mark."""
    return len(_TOKEN.findall(text))


def first_tokens(text: str, limit: int) -> str:
    """Returns ``text`` up to its ``limit``-th token."""
    for number, match in enumerate(_TOKEN.finditer(text), start=1):
        if number == limit:
            return text[: match.end()]
    return text


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Returns the word without its most common endings, so that "charged" matches "charges"."""
    word = word.replace("’", "'").removesuffix("'s").rstrip("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ation", "ing", "ed"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    else:
        if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def stems(text: str) -> tuple[str, ...]:
    """Returns the stems of the content words, in order, with repetitions."""
    return tuple(stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS and len(word) > 1)


def sentences(text: str) -> list[str]:
    """Returns the sentences of ``text``. A line is one too, unless it continues in the next.

    Overlong sentences are split, because the searches in them take quadratic time.
    """
    whole = (part.strip() for part in _SENTENCE.split(_WRAPPED.sub(" ", text)))
    return [part[at : at + LONGEST] for part in whole for at in range(0, len(part), LONGEST)]


@lru_cache(maxsize=4)
def kin(breadth: int) -> Mapping[str, tuple[str, ...]]:
    """Returns, for each known stem, the others of its group. ``breadth`` words of a group are known."""
    known: dict[str, tuple[str, ...]] = {}
    for group in BACKGROUND:
        members = tuple(stem(word) for word in group[:breadth])
        for member in members:
            known[member] = tuple(other for other in members if other != member)
    return known
