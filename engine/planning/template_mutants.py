"""Mutants of a Jinja template: versions in which one part of a change is missing or marked.

A case reaches a part of the change if the part's mutant changes its request. These parts are tried:

- every literal (text between tags, a string, a number) that the change adds or removes: with a mark in it
- every body (of an ``if``, a loop, a macro) that it adds or removes: with a mark at its start
- every new ``if`` that may take old text away: with a mark in its place
- every ``{{ output }}`` that it adds or removes: without it
- every name that it adds or removes: with another value in its place; a variable that no case has is never reached
- every stretch of tokens that it touches: with the old tokens in its place
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.detection.prompt_diff import compare
from engine.readers import handlebars
from engine.readers.jinja import Token, jinja_tokens, parses

MARK = "\ue000"
"""The mark: a private-use character, which shows where a literal ends up."""
TOKEN_PAIRS = 4_000_000
"""Largest product of tokens before and after that is aligned."""
MAX_LOGICAL = 40
"""Most stretches of logic for which several are undone together."""
MAX_TOGETHER = 3
"""Most stretches that are undone together if one alone gives no valid template (an ``if`` and its ``endif``)."""
LITERALS = ("data", "string", "integer", "float")
OPENING = ("if", "elif", "else", "for", "macro", "call", "block")
"""Tags that begin a body."""
WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "recursive", "ignore", "missing", "with", "without"})
"""Names that are never variables."""
OTHERS = (f"'{MARK}'", "''")
"""Values that replace a name."""
NOWHERE = "promptverdict_undefined"
"""A name that nothing defines."""
Stretch = tuple[int, int, int, int]
"""Tokens ``before[i:j]`` that became ``after[k:m]``."""


@dataclass(frozen=True)
class Mutant:
    """A version of one text of a prompt."""

    name: str
    """Name of the text that it changes."""
    text: str
    line: int
    """Place of the part in that text of its own version."""
    removed: bool = False
    """Whether the part is only in the old version."""
    of: tuple[str, int] | None = None
    """Key of the part. Mutants with the same key are variants: the part is reached if any of them shows."""


class TemplateChange:
    """The change of one text of a prompt."""

    def __init__(self, name: str, texts: tuple[str, str], *, jinja: bool) -> None:
        self._name = name
        self._jinja = jinja
        tokens = jinja_tokens if jinja else handlebars.tokens
        self._tokens = tokens(texts[0]), tokens(texts[1])
        coded = [[f"{token.kind} {token.value}" for token in side] for side in self._tokens]
        self._stretches = compare(coded[0], coded[1], TOKEN_PAIRS)

    def _places(self) -> Iterator[tuple[int, int]]:
        """Yields the side and index of each token that differs."""
        for i, j, k, m in self._stretches:
            yield from ((1, index) for index in range(k, m))
            yield from ((0, index) for index in range(i, j))

    def _mutant(self, side: int, index: int, text: str, of: tuple[str, int] | None = None) -> Mutant:
        line = self._tokens[side][index].line
        return Mutant(self._name, text, line, removed=side == 0, of=of)

    def mutants(self) -> Iterator[Mutant]:
        """Yields a mutant, or several variants of one, for each part that a case has to reach."""
        for number, (side, index) in enumerate(self._places()):
            tokens = self._tokens[side]
            if text := _marked(tokens, index):
                yield self._mutant(side, index, text)
            if text := _with_marked_body(tokens, index) or _without_output(tokens, index):
                yield self._mutant(side, index, text)
            if self._drops(side, index) and (text := _with_marked_else(tokens, index)):
                yield self._mutant(side, index, text)
            for text in _with_other_values(tokens, index):
                yield self._mutant(side, index, text, of=(self._name, number))
        yield from _undone(self._name, self._tokens, self._stretches, jinja=self._jinja)

    def _drops(self, side: int, index: int) -> bool:
        """Returns whether the tag that ends here can take away text of the other version.

        That is text that stood there without the tag, or that the tag's body replaces.
        """
        tokens = self._tokens[side]
        if tokens[index].kind != "block_end" or _keyword(tokens, index) not in ("if", "elif"):
            return False
        places = [(block[:2], block[2:]) for block in self._stretches]
        (own, other), *_ = [(pair[side], pair[1 - side]) for pair in places if pair[side][0] <= index < pair[side][1]]
        end = _end_of_if(tokens, index) or index
        changed = {n for pair in places for n in range(*pair[side])}
        if any(_is_text(tokens[n]) for n in range(index, end) if n not in changed):
            return True
        before = _words(self._tokens[1 - side][slice(*other)])
        inside, outside = _words(tokens[index:end]), _words([*tokens[own[0] : index], *tokens[end : own[1]]])
        return len(before & inside) > len(before & outside)

    def ungiven(self, unknown: tuple[frozenset[str], frozenset[str]]) -> Iterator[Mutant]:
        """Yields mutants for the variables that no case has. ``unknown`` holds their names before and after."""
        for side, index in self._places():
            tokens = self._tokens[side]
            if tokens[index].value in unknown[side] and _is_name(tokens, index):
                yield self._mutant(side, index, "")


def _marked(tokens: Sequence[Token], index: int) -> str | None:
    """Returns the text with a mark in one literal, or ``None`` if the token is no literal or only blanks."""
    token = tokens[index]
    if token.kind not in LITERALS or not token.value.strip():
        return None
    value = token.value
    if token.kind == "data":
        value = MARK + value
    elif token.kind == "string":
        # Behind the quotation mark, so that it stays one string.
        value = value[0] + MARK + value[1:]
    else:
        # A mark would make the number unreadable, so another number takes its place.
        value = f"{value}1"
    return _joined(tokens[:index], value, tokens[index + 1 :])


def _with_marked_body(tokens: Sequence[Token], index: int) -> str | None:
    """Returns the text with a mark at the start of a body, if the token ends the tag that begins one."""
    if tokens[index].kind != "block_end" or _keyword(tokens, index) not in OPENING:
        return None
    following = next((n for n in range(index + 1, len(tokens)) if tokens[n].value.strip()), None)
    if following is None or tokens[following].kind == "block_begin":
        inside = _keyword(tokens, index + 1 if following is None else following + 1, forward=True)
        if inside.startswith("e"):  # end…, else, elif: the body is empty
            return None
    return _joined(tokens[: index + 1], MARK, tokens[index + 1 :])


def _with_marked_else(tokens: Sequence[Token], index: int) -> str | None:
    """Returns the text with a mark in an added ``else``, if the token ends the tag of an ``if`` without one."""
    end = _end_of_if(tokens, index)
    if end is None or _keyword(tokens, end, forward=True) != "endif":
        return None
    return _joined(tokens[:end], "{% else %}" + MARK, tokens[end:])


def _end_of_if(tokens: Sequence[Token], index: int) -> int | None:
    """Returns the index of the ``else``, ``elif`` or ``endif`` that follows the tag of an ``if``."""
    depth = 0
    for n in range(index + 1, len(tokens)):
        if tokens[n].kind == "block_begin":
            keyword = _keyword(tokens, n, forward=True)
            # Only at the same depth: the `else` of an inner `if` belongs to that one.
            if not depth and keyword in ("else", "elif", "endif"):
                return n
            depth += (keyword in ("if", "for")) - (keyword in ("endif", "endfor"))
    return None


def _words(tokens: Sequence[Token]) -> frozenset[str]:
    texts = (token.value.lower() for token in tokens if token.kind == "data")
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def _is_text(token: Token) -> bool:
    return token.kind == "data" and bool(token.value.strip())


def _keyword(tokens: Sequence[Token], index: int, *, forward: bool = False) -> str:
    """Returns the first name of the tag around a token, or with ``forward`` the first one after it."""
    while not forward and index > 0 and tokens[index].kind != "block_begin":
        index -= 1
    return next((token.value for token in tokens[index:] if token.kind == "name"), "")


def _without_output(tokens: Sequence[Token], index: int) -> str | None:
    """Returns the text without an output, if the token begins one."""
    if tokens[index].kind != "variable_begin":
        return None
    end = next((n for n in range(index, len(tokens)) if tokens[n].kind == "variable_end"), len(tokens))
    return _joined(tokens[:index], "", tokens[end + 1 :])


def _with_other_values(tokens: Sequence[Token], index: int) -> Iterator[str]:
    """Yields the text with other values in place of a name, if a value is allowed there."""
    if not _is_name(tokens, index):
        return
    following = [token.value for token in tokens[index + 1 :] if token.kind != "whitespace"][:3]
    asked = following[:1] == ["is"] and {"defined", "undefined"} & {*following}
    for other in (*OTHERS, *([f"{NOWHERE}"] if asked else ())):
        if _may_stand(tokens, index, other):
            yield _joined(tokens[:index], other, tokens[index + 1 :])


def _may_stand(tokens: Sequence[Token], index: int, other: str) -> bool:
    """Returns whether the tag or output around a token can be parsed with other text in the token's place."""
    start = next((n for n in range(index, -1, -1) if tokens[n].kind.endswith("_begin")), 0)
    end = next((n for n in range(index, len(tokens)) if tokens[n].kind.endswith("_end")), len(tokens) - 1)
    text = _joined(tokens[start:index], other, tokens[index + 1 : end + 1])
    if tokens[start].kind != "block_begin":
        return parses(text)
    keyword = _keyword(tokens, index)
    if keyword == "elif":
        return parses("{% if x %}" + text + "{% endif %}")
    return parses(text) or parses(f"{text}{{% end{keyword} %}}")


def _is_name(tokens: Sequence[Token], index: int) -> bool:
    """Returns whether the token may be a variable: not a keyword, an attribute or a filter."""
    if tokens[index].kind != "name" or tokens[index].value in WORDS:
        return False
    earlier = next((tokens[n] for n in range(index - 1, -1, -1) if tokens[n].kind != "whitespace"), None)
    return earlier is None or earlier.value not in (".", "|")


def _joined(before: Sequence[Token], between: str, after: Sequence[Token]) -> str:
    return "".join([*(token.value for token in before), between, *(token.value for token in after)])


def _is_valid(text: str, *, jinja: bool) -> bool:
    return parses(text) if jinja else handlebars.mistake(text, handlebars.DOTPROMPT_HELPERS) is None


def _undone(
    name: str, tokens: tuple[Sequence[Token], Sequence[Token]], stretches: Sequence[Stretch], *, jinja: bool
) -> Iterator[Mutant]:
    """Yields the new text with each stretch undone, together with as few others as needed for a valid template."""
    logical = [stretch for stretch in stretches if _is_logical(tokens, stretch)]
    done: set[Stretch] = set()
    # Fewest first, so that a mutant undoes no more than it has to.
    for together in range(1, MAX_TOGETHER + 1):
        for chosen in combinations(logical, together):
            if done.issuperset(chosen):
                continue
            text = _without(tokens, chosen)
            if _is_valid(text, jinja=jinja):
                done |= set(chosen)
                yield Mutant(name, text, _line(tokens[1], chosen[0][2]))
        logical_left = [stretch for stretch in logical if stretch not in done]
        if not logical_left or len(logical) > MAX_LOGICAL:
            break


def _is_logical(tokens: tuple[Sequence[Token], Sequence[Token]], stretch: Stretch) -> bool:
    """Returns whether more than text differs."""
    i, j, k, m = stretch
    return any(token.kind not in ("data", "whitespace") for token in (*tokens[0][i:j], *tokens[1][k:m]))


def _without(tokens: tuple[Sequence[Token], Sequence[Token]], stretches: Sequence[Stretch]) -> str:
    old, new = tokens
    pieces: list[str] = []
    at = 0
    for i, j, k, m in stretches:
        pieces += [token.value for token in new[at:k]] + [token.value for token in old[i:j]]
        at = m
    return "".join([*pieces, *(token.value for token in new[at:])])


def _line(tokens: Sequence[Token], index: int) -> int:
    return tokens[min(index, len(tokens) - 1)].line if tokens else 1
