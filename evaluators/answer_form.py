"""The form of an answer, independent of its content: programs that read answers depend on it, and scores ignore it.

Scores are lenient with a label inside a sentence, a code fence or a zero-width character. A program that reads the
answers is not. Case, blanks and punctuation at the ends are not part of the form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from evaluators.json_answers import read_json, read_object
from evaluators.text import INVISIBLE, one_line, without_fence, without_reasoning
from schemas.outcomes import Completion

MAX_PARTS = 200
"""Most keys and types of one answer that are compared."""
MAX_TAGS = 20
FEW_WORDS = 4
"""Most words of one line that count as an entry, not a sentence."""
SHORT = 400
"""Most characters of a label with text around it, or of a list of labels."""
_EDGES = " \t\r\n.!。！"
_MARKUP = re.compile(r"[*_`~\"'“”«»‘’()\[\]#>-]+")
_NAMED = re.compile(r"\s*([\w ]{1,30}?)\s*(?::|=>|=|->|→)\s*(?!//)\S")
_SEPARATORS = re.compile(r"[,;|\n]|\s(?:and|&)\s")
_TAG = re.compile(r"<([A-Za-z][\w-]{0,30})>")


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form of one answer, in words."""

    kind: str
    """The kind: “a text”, “JSON: an object”."""
    traits: frozenset[str] = frozenset()
    """Other properties of the whole answer: “in a code fence”."""
    types: frozenset[str] = frozenset()
    """Properties of its JSON: “with a number at `total`”. Null has every type."""
    keys: frozenset[str] = frozenset()
    """Paths of the keys of its JSON: ``total``, ``items[].price``."""
    objects: frozenset[str] = frozenset()
    """Paths of the objects that contain keys. The empty path is the answer itself."""


class FormReader:
    """Reads the form of answers. The ``labels`` of a classification distinguish a bare label from other short texts."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self._labels = {_plain(label) for label in labels}
        self._folded = {one_line(label).strip(_EDGES) for label in labels}
        self._longest = 40 + 2 * max(map(len, labels), default=0)

    def form_of(self, completion: Completion) -> AnswerForm:
        """Returns the form of one answer."""
        body = without_reasoning(completion.text)
        inside = without_fence(body)
        traits = set(_traits(body, inside))
        if len(body) < len(completion.text):
            traits.add("behind a reasoning block")
        if completion.tool_calls:
            names = sorted({f"`{call.name[:40]}`" for call in completion.tool_calls})
            arguments = [read_json(call.arguments).value for call in completion.tool_calls]
            traits |= {"beside a text"} if body.strip() else set()
            return _with_json(f"a call of {' and '.join(names[:4])}", traits, arguments)
        kind, value = self._kind(inside, traits)
        return _with_json(kind, traits, [] if value is None else [value])

    def _kind(self, body: str, traits: set[str]) -> tuple[str, JsonValue]:
        """Returns the kind of a text in words, and the JSON in it."""
        plain = _plain(body) if len(body) <= SHORT else ""
        if plain in self._labels:
            return "a bare label", None
        if body.startswith(("{", "[", '"')):
            whole = read_json(body)
            if whole.found:
                return f"JSON: {_type(whole.value)}", whole.value
        if "{" in body:
            found = read_object(body)
            if found.found and found.value:
                return "a text with JSON in it", found.value
        if body.startswith(("{", "[")):
            return "broken JSON", None
        if self._labels and plain:
            return self._labeled(body, plain, traits), None
        few = plain and len(plain.split()) <= FEW_WORDS and "\n" not in body
        return ("a few words" if few else "a text"), None

    def _labeled(self, body: str, plain: str, traits: set[str]) -> str:
        """Returns how a short text that is not a bare label contains one."""
        members = [part for part in _SEPARATORS.split(body) if part.strip()]
        if len(members) > 1 and all(one_line(part).strip(_EDGES) in self._folded for part in members):
            traits |= {
                f"separated by `{mark.strip() or 'line ends'}`" for mark in (",", ";", "|", "\n") if mark in body
            }
            return "a list of labels"
        if len(plain) <= self._longest and one_line(_MARKUP.sub(" ", plain)) in self._folded:
            return "a label in markup or in another spelling"
        if (named := _NAMED.match(body)) and len(plain.split()) <= FEW_WORDS + 1:
            traits.add(f"named `{one_line(named[1])}`")
            return "a name and a label"
        return "a text"


def _plain(text: str) -> str:
    """Returns a text without case, blanks and punctuation at the ends, invisible characters and Unicode forms."""
    seen = text if text.isascii() else INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(seen.strip(_EDGES).casefold().split())


def _traits(body: str, inside: str) -> Iterator[str]:
    if not body.isascii():
        if _hides(body):
            yield "with invisible characters"
        if _restyled(body):
            yield "in letters of another Unicode form"
    if "```" in body:
        yield "in a code fence" if inside != body.strip() else "with a code fence in it"
    if "<" in body:
        tags = dict.fromkeys(found[1] for found in _TAG.finditer(body))
        yield from (f"with the tag `<{name}>`" for name in list(tags)[:MAX_TAGS])


def _hides(text: str) -> bool:
    """Returns whether invisible characters are in or beside Latin, Greek or Cyrillic words. Emoji and other scripts
    need some."""
    for found in INVISIBLE.finditer(text):
        left, right = text[: found.start()][-1:], text[found.end() : found.end() + 1]
        if "\ufe00" <= found[0] <= "\ufe0f":
            right = ""  # a variation selector belongs to the character before it
        if any(side.isalpha() and side < "\u0530" for side in (left, right)):
            return True
    return False


def _restyled(text: str) -> bool:
    """Returns whether letters or digits have a styled form: full width, mathematical, circled, ligatures."""
    return any(
        "\uff10" <= character <= "\uff5a"
        or "\U0001d400" <= character <= "\U0001d7ff"
        or "\u249c" <= character <= "\u24e9"
        or "\U0001f130" <= character <= "\U0001f189"
        or "\ufb00" <= character <= "\ufb06"
        for character in text
        if character.isalnum()
    )


def _with_json(kind: str, traits: set[str], values: Sequence[JsonValue]) -> AnswerForm:
    types: set[str] = set()
    keys: set[str] = set()
    objects: set[str] = set()
    for value in values:
        for place, item in _nodes(value):
            if len(types) + len(keys) >= MAX_PARTS:
                break
            types |= {f"with {_type(item)} at `{place}`"} if place and item is not None else set()
            if isinstance(item, dict):
                objects.add(place)
                keys |= {_below(place, name) for name in item}
    return AnswerForm(kind, frozenset(traits), frozenset(types), frozenset(keys), frozenset(objects))


def _nodes(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yields every value inside a JSON value, with its path."""
    rest: list[tuple[str, JsonValue]] = [("", value)]
    while rest:
        place, node = rest.pop()
        yield place, node
        if isinstance(node, dict):
            rest += ((_below(place, name), item) for name, item in reversed(node.items()))
        elif isinstance(node, list):
            rest += ((f"{place}[]", item) for item in reversed(node))


def _below(place: str, name: str) -> str:
    return f"{place}.{name[:60]}" if place else name[:60]


def _type(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
