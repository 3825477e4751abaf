"""Finds test cases that a prompt contains as examples. Its answers to them are no evidence about other inputs.

Texts are compared by their letters and digits in one spelling. Blanks, punctuation, markup, entities, escapes,
invisible characters, accents, case and look-alike letters are ignored.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from evaluators.text import INVISIBLE
from schemas.prompts import Dialect, Finding, PromptFile
from schemas.testsets import TestCase
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

WORDS = 5
"""Words from which an input counts as long. A prompt may contain a shorter one by chance."""
FEW = 5
FEW_SHARE = 0.1
"""Shorter inputs count if a prompt contains at least ``FEW`` of them, and at least this share of the cases."""
PART = 0.6
"""Share of an input's letters that counts as all of it. ``ENOUGH`` letters suffice for a long input."""
ENOUGH = 60
LEAST = 20
GRAM = 9
COMMON = 0.05
"""A piece in more than this share of the inputs, and in more than three, is common."""
SAMPLE = 500
"""The number of inputs that are searched to find common pieces."""
BUSY = 50
"""The most inputs with the same piece that are compared one by one."""
SHARE = 0.02
"""Share of the cases, or of a slice's cases, from which quoted cases could hide a drop."""
NAMED = 3

_MARKUP = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]{0,200}>", re.DOTALL)
_TEMPLATE_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_ALIKE = str.maketrans("аеорсхукмтнвіјѕԁһοανρτυικ", "aeopcxykmthbijsdhoavptuik")
"""Cyrillic and Greek letters that look like Latin ones. Both texts are mapped."""


def newly_quoted(old: PromptFile | None, new: PromptFile, cases: Sequence[TestCase]) -> tuple[TestCase, ...]:
    """Returns the cases whose own input, or most of it, is in ``new`` and not in ``old``.

    A text belongs to no case if more than half of the cases share it, or several whose other texts differ. Neither
    does a part that several share.
    """
    inputs = _Inputs(cases)
    # Examples that the base already has are not this pull request's doing.
    before = inputs.standing_in(_text_of(old)) if old else frozenset()
    found = inputs.standing_in(_text_of(new)) - before
    long = {case for case, short in found if not short}
    few = {case for case, short in found if short} - long
    if len(few) >= max(FEW, FEW_SHARE * len(cases)):
        long |= few
    return tuple(case for index, case in enumerate(cases) if index in long)


_NO_LETTERS = {code: None for code in range(128) if not chr(code).isalnum()}


def letters(text: str) -> str:
    """Returns the letters and digits of a text in one spelling."""
    plain = html.unescape(text)
    if plain.isascii():
        return plain.lower().translate(_NO_LETTERS)
    plain = unicodedata.normalize("NFKD", INVISIBLE.sub("", plain)).casefold()
    # Again after folding: folding may produce characters that decompose further.
    plain = unicodedata.normalize("NFKD", plain).translate(_ALIKE)
    return "".join(filter(str.isalnum, plain.casefold()))


def _text_of(prompt: PromptFile) -> str:
    """Returns the letters of all text that an author wrote and a model reads.

    If the text has markup or escapes, a second copy without them follows.
    """
    parts = [*(message.content for message in prompt.messages), *prompt.included.values()]
    settings = prompt.parameters.model_dump(mode="json", include={"tools", "json_schema"})
    text = "\n".join([*parts, *_texts_in(settings)])
    # A template comment never reaches the model, so an example in it does no harm.
    if prompt.dialect is Dialect.JINJA:
        text = _TEMPLATE_COMMENT.sub("", text)
    bare = _MARKUP.sub("", _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text))
    # Both copies are searched: dropping markup may also drop a quoted text that looks like a tag.
    return letters(text) if bare == text else f"{letters(text)}\n{letters(bare)}"


def _texts_in(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)


def _is_long(text: str) -> bool:
    """Returns whether a text has at least five words, or as much text in a script without word breaks."""
    return len(re.findall(r"\w+", text)) >= WORDS or sum("\u0e00" <= c <= "\ua4cf" for c in text) >= 2 * WORDS


def _is_telling(text: str) -> bool:
    """Returns whether a short input is more than a common word: it has several words or a number."""
    words = re.findall(r"\w+", text)
    return len("".join(words)) >= 8 and (len(words) > 1 or any(map(str.isdigit, text)))


def _whole_numbers(spelled: str, start: int, end: int, before: str, after: str) -> str:
    """Returns part of an input, without digits of a number that continues outside the part in either text."""
    run = spelled[start:end]
    if _digit(after) or _digit(spelled[end : end + 1]):
        run = run.rstrip("0123456789")
    if _digit(before) or (start and _digit(spelled[start - 1])):
        run = run.lstrip("0123456789")
    return run


def _digit(text: str) -> bool:
    return "0" <= text <= "9"


def _stands_whole(spelled: str, text: str) -> bool:
    left = r"(?<!\d)" if _digit(spelled[:1]) else ""
    right = r"(?!\d)" if _digit(spelled[-1:]) else ""
    return re.search(f"{left}{re.escape(spelled)}{right}", text, re.ASCII) is not None


class _Input(NamedTuple):
    """A text that is one case's own."""

    case: int
    spelled: str
    """Its letters."""
    short: bool


def _own_inputs(cases: Sequence[TestCase]) -> Iterator[_Input]:
    """Yields the inputs that say enough and that are the case's own.

    Half of the cases may share a text that is all they have, but few may share one of several, as a signature.
    """
    texts = [dict.fromkeys([*_texts_in(case.inputs), *case.turns]) for case in cases]
    holders = Counter(text for of in texts for text in of)
    for case, of in enumerate(texts):
        most = len(cases) / 2 if len(of) == 1 else _few(len(cases))
        for text in of:
            own = len(cases) == 1 or holders[text] <= most
            if own and ((long := _is_long(text)) or _is_telling(text)):
                yield _Input(case, letters(text), not long)


def _grams(inputs: Sequence[_Input]) -> dict[str, list[tuple[int, int]]]:
    """Returns the pieces of inputs at every ninth letter, with the number of the input and the place in it.

    A common run of 17 letters holds one whole.
    """
    grams: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (_, spelled, _) in enumerate(inputs):
        # Every ninth letter suffices on this side, because the text is searched at every letter.
        for start in range(0, max(1, len(spelled) - GRAM + 1), GRAM):
            grams[spelled[start : start + GRAM]].append((number, start))
    return grams


def _few(cases: int) -> float:
    """Returns the most cases that may share what is still rare."""
    return max(3, COMMON * cases)


class _Inputs:
    """The inputs of all cases, indexed to search for all of them in one pass over a text."""

    def __init__(self, cases: Sequence[TestCase]) -> None:
        self._inputs = list(_own_inputs(cases))
        self._sample = self._inputs[:: 1 + len(self._inputs) // SAMPLE]
        self._rare: dict[str, bool] = {}
        grams = _grams(self._inputs)
        most = max(BUSY, COMMON * len(cases))
        self._grams = {gram: places for gram, places in grams.items() if len(places) <= most}
        """Where the pieces stand that tell an input from many others."""
        told = {number for places in self._grams.values() for number, _ in places}
        self._untold = [number for number in range(len(self._inputs)) if number not in told]
        """Inputs that no piece tells from many others."""

    def standing_in(self, text: str) -> frozenset[tuple[int, bool]]:
        """Returns the cases with an input in ``text``, each with whether that input is short."""
        # Few inputs have no telling piece, so searching each of them whole is affordable.
        whole = (self._inputs[number] for number in self._untold)
        found = {(case, short) for case, spelled, short in whole if _stands_whole(spelled, text)}
        # Pieces of short inputs are shorter than the rest.
        for size in {len(gram) for gram in self._grams}:
            for at in range(len(text) - size + 1):
                for number, start in self._grams.get(text[at : at + size], ()):
                    case, spelled, short = self._inputs[number]
                    if (case, short) not in found and self._stands(text, at, spelled, start, short=short):
                        found.add((case, short))
        return frozenset(found)

    def _stands(self, text: str, at: int, spelled: str, start: int, *, short: bool) -> bool:
        """Returns whether ``text`` contains the input, or enough of it, around the piece at ``start`` that matches
        ``at``."""
        low, high, size = 0, min(len(spelled), GRAM), len(spelled)
        while low < start and low < at and spelled[start - low - 1] == text[at - low - 1]:
            low += 1
        while start + high < size and at + high < len(text) and spelled[start + high] == text[at + high]:
            high += 1
        sides = text[max(0, at - low - 1) : at - low], text[at + high : at + high + 1]
        # “12” in “312” is another number, so it is no quotation.
        run = _whole_numbers(spelled, start - low, start + high, *sides)
        if len(run) == size:
            return True
        return not short and len(run) >= max(LEAST, min(ENOUGH, PART * size)) and self._is_own(run)

    def _is_own(self, run: str) -> bool:
        """Returns whether at least half of a run is rare. A common phrase with one more letter is still common."""
        pieces = [run[at : at + GRAM] for at in range(0, len(run) - GRAM + 1, GRAM // 2)]
        return 2 * sum(map(self._is_rare, pieces)) >= len(pieces)

    def _is_rare(self, piece: str) -> bool:
        if piece not in self._rare:
            holders = {case for case, spelled, _ in self._sample if piece in spelled}
            self._rare[piece] = len(holders) <= _few(len(self._sample))
        return self._rare[piece]


def judged(quoted: Sequence[TestCase], cases: Sequence[TestCase]) -> tuple[tuple[Reason, ...], tuple[Finding, ...]]:
    """Returns a reason if the quoted cases weigh in all or in a slice, a warning if they don't, nothing without any."""
    if not quoted:
        return (), ()
    names = ", ".join(f"`{case.id}`" for case in quoted[:NAMED]) + (", …" if len(quoted) > NAMED else "")
    one, of = len(quoted) == 1, len(cases)
    what = f"the prompt contains {len(quoted)} of its {of} test {'case' if of == 1 else 'cases'} as text ({names})"
    why = f"answers to {'that case' if one else 'those cases'} say nothing about other inputs"
    if not _weighs(quoted, cases):
        return (), (Finding(what=f"{what}: {why}", hint="use other examples"),)
    sentence = f"{what[0].upper()}{what[1:]}: {why}; use other examples."
    reason = Reason(
        code=ReasonCode.QUOTED_CASES,
        status=VerdictStatus.NEEDS_REVIEW,
        sentence=sentence,
        cases=tuple(case.id for case in quoted),
    )
    return (reason,), ()


def _weighs(quoted: Sequence[TestCase], cases: Sequence[TestCase]) -> bool:
    sizes = Counter(name for case in cases for name in set(case.slices))
    held = Counter(name for case in quoted for name in set(case.slices))
    return (
        len(quoted) > SHARE * len(cases)
        # A protected case decides by itself, so its quotation always matters.
        or any(case.protected for case in quoted)
        or any(number > SHARE * sizes[name] for name, number in held.items())
    )
