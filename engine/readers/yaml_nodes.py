"""Parses YAML into nodes. It reads the parser's events iteratively, so that no depth can overflow the stack.

Plain scalars are resolved as Go's ``yaml.v3`` does, which reads GitHub's prompt files. ``no``, ``on``, dates and
sexagesimals are text. ``0o17`` and ``017`` are octal (the second is reported, since most people mean text). ``1_000``
is a number. Tags are errors. Merge keys (``<<``) are honored. Aliases count at each use.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from engine.readers.bounded import MAX_BYTES, MAX_DEPTH, MAX_INTEGER_DIGITS, MAX_NODES, Source, shown
from engine.readers.nodes import Node, Scalar

if TYPE_CHECKING:
    from yaml.events import AliasEvent, CollectionStartEvent, Event, ScalarEvent

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_ENDLESS = {sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")} | {".nan", ".NaN", ".NAN"}
_INTEGER = re.compile(r"[-+]?(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>[0-9]+))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def read_yaml(source: Source) -> Node:
    """Returns the single document of ``source``. An empty file is a null node. Raises ``source.failure``."""
    import yaml

    try:
        loader = yaml.CSafeLoader(source.text)
        try:
            return _Composer(source).compose(loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise source.error(
            f"not valid YAML: {shown(error.problem or error.context or 'syntax error', 120)}",
            *((mark.line + source.first_line, mark.column + 1) if mark is not None else ()),
            hint="check indentation, quotes and colons here",
        ) from None
    except yaml.YAMLError as error:
        raise source.error(f"not valid YAML: {shown(str(error), 120)}") from None


class _Composer:
    """Builds the tree of one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stack: list[tuple[Node, str | None, Node | None]] = []
        """Open containers: each with its anchor and (in a map) the key that waits for its value."""
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0
        self.letters = 0
        self.root: Node | None = None

    def compose(self, loader: object) -> Node:
        import yaml

        assert isinstance(loader, yaml.CSafeLoader)
        documents = 0
        while (event := loader.get_event()) is not None:
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise self._error(event, "a second document", "keep one document in a file: remove the ---")
                case yaml.AliasEvent():
                    self._add(event, self._alias(event))
                case yaml.ScalarEvent():
                    self._add(event, self._scalar(event))
                case yaml.CollectionStartEvent():
                    self._open(event, isinstance(event, yaml.MappingStartEvent))
                case yaml.CollectionEndEvent():
                    self._close(event)
                case _:
                    pass
        return self.root or Node(self.source.first_line, 1, text="")

    def _place(self, event: Event) -> tuple[int, int]:
        mark = event.start_mark
        assert mark is not None  # the C parser marks every event
        return mark.line + self.source.first_line, mark.column + 1

    def _error(self, event: Event, what: str, hint: str) -> Exception:
        return self.source.error(what, *self._place(event), hint=hint)

    def _checked(self, event: ScalarEvent | CollectionStartEvent) -> tuple[int, int]:
        if event.tag is not None:
            raise self._error(event, f"the tag {shown(event.tag)}", "remove it; tags are not supported")
        if event.anchor is not None and event.anchor in self.anchors:
            raise self._error(event, f"a second anchor {shown(event.anchor)}", "name each anchor once")
        return self._place(event)

    def _scalar(self, event: ScalarEvent) -> Node:
        line, column = self._checked(event)
        text = event.value
        node = Node(line, column, text, text, letters=len(text))
        if event.implicit[0] and not event.style:
            node.value = resolve(self.source, text, line, column)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._count(event, 1, len(text))
        return node

    def _alias(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self.anchors:
            raise self._error(event, f"unknown alias *{shown(name)}", "define it with & above, or quote the text")
        target = self.anchors[name]
        if target is None:
            raise self._error(event, f"the alias *{shown(name)} contains itself", "write the value out")
        if len(self.stack) + target.height > MAX_DEPTH:
            raise self._too_deep(event)
        self._count(event, target.size, target.letters)
        return target

    def _count(self, event: Event, nodes: int, letters: int) -> None:
        self.nodes += nodes
        self.letters += letters
        if self.nodes > MAX_NODES:
            raise self._error(
                event, f"more than {MAX_NODES:,} values (aliases counted expanded)", "make the file smaller"
            )
        if self.letters > MAX_BYTES:
            raise self._error(event, "more than 1 MiB of text (aliases counted expanded)", "make the file smaller")

    def _too_deep(self, event: Event) -> Exception:
        return self._error(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")

    def _open(self, event: CollectionStartEvent, is_map: bool) -> None:
        line, column = self._checked(event)
        if len(self.stack) >= MAX_DEPTH:
            raise self._too_deep(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self._count(event, 1, 0)
        self.stack.append((Node(line, column, {} if is_map else []), event.anchor, None))

    def _close(self, event: Event) -> None:
        node, anchor, _ = self.stack.pop()
        node.height += 1
        if isinstance(node.value, dict) and "<<" in node.value:
            self._merge(node, node.value)
        if anchor is not None:
            self.anchors[anchor] = node
        self._add(event, node)

    def _add(self, event: Event, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, anchor, key = self.stack[-1]
        parent.size += node.size
        parent.letters += node.letters
        parent.height = max(parent.height, node.height)
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif key is None:
            if node.text is None:
                raise self._error(event, f"{node.kind} as a key", "keys must be texts; quote it if it is one")
            self.stack[-1] = (parent, anchor, node)
        else:
            assert isinstance(parent.value, dict)
            assert key.text is not None
            self._insert(parent, parent.value, key, key.text, node)
            self.stack[-1] = (parent, anchor, None)

    def _insert(self, parent: Node, entries: dict[str, Node], key: Node, name: str, node: Node) -> None:
        if name in entries:
            raise self.source.error(
                f"duplicate key {shown(name)} (first at line {parent.keys[name][0]})",
                key.line,
                key.column,
                hint="remove one of the two",
            )
        entries[name] = node
        parent.keys[name] = (key.line, key.column)

    def _merge(self, node: Node, entries: dict[str, Node]) -> None:
        """Applies YAML's merge key. The map's own entries win, then those of the first merged map."""
        merged = entries.pop("<<")
        line, column = node.keys.pop("<<")
        for other in merged.value if isinstance(merged.value, list) else [merged]:
            if not isinstance(other.value, dict):
                raise self.source.error(f"<< merges {other.kind}", line, column, hint="merge maps only")
            for key, child in other.value.items():
                if key not in entries:
                    entries[key] = child
                    node.keys[key] = other.keys[key]


def resolve(source: Source, text: str, line: int, column: int) -> Scalar:
    """Returns the value of a plain scalar. Raises for infinities, NaN and numbers that lose digits; warns of octals."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text in _ENDLESS:
        raise source.error(f"{text} is not a usable number", line, column, hint="write a finite number")
    digits = text.replace("_", "")
    if whole := _INTEGER.fullmatch(digits):
        if len(digits) > MAX_INTEGER_DIGITS:
            raise source.error(f"{shown(text)} is too large a number", line, column, hint="quote it if it is text")
        number = _whole(whole)
        if whole["o"] and digits.isdigit() and number > 7:
            hint = "quote it if it is text, or drop the zero"
            source.warn(f"{shown(text)} is the octal spelling of {number}", line, hint=hint)
        return number
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if not math.isfinite(value):
            raise source.error(f"{shown(text)} is too large a number", line, column, hint="quote it if it is text")
        return value
    return text


def _whole(whole: re.Match[str]) -> int:
    sign = -1 if whole[0][0] == "-" else 1
    base = next(name for name in "xbod" if whole[name])
    return sign * int(whole[base], {"x": 16, "b": 2, "o": 8, "d": 10}[base])
