"""Reads the messages of a constant in a file of code, as far as that file alone defines them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence

from engine.readers.bounded import MAX_BYTES, Source, shown
from engine.readers.code.dedent import JS_BLANKS, dedent_call, dedent_tag
from engine.readers.code.expressions import (
    Call,
    Class,
    Code,
    Expression,
    Function,
    How,
    Items,
    Join,
    Lines,
    Name,
    Node,
    Number,
    Sum,
    Table,
    Template,
    Text,
    Unread,
)
from engine.readers.code.langchain import LANGCHAIN_SYNTAX, called, holds_messages, is_langchain, langchain_role
from engine.readers.code.names import HINT, MAX_ALIASES, Found, Names, parts_of
from engine.readers.code.pieces import Hole, MissingConstantError, Pieces, Syntax, Written, joined
from engine.readers.code.settings import is_setting, leave_settings
from schemas.prompts import Role

MAX_DEPTH = 60
MAX_STEPS = 20_000
"""Most expressions that are read for one prompt. A name may be used many times."""
MAX_LEVELS = 2
"""Most levels of dicts or classes in each other whose members are listed."""
_STRIPS: dict[str, tuple[str, str | None]] = {
    "strip": ("both", None),
    "lstrip": ("left", None),
    "rstrip": ("right", None),
    "trim": ("both", JS_BLANKS),
    "trimStart": ("left", JS_BLANKS),
    "trimEnd": ("right", JS_BLANKS),
}
_CLEANERS: dict[str, Callable[[str], str]] = {
    "textwrap.dedent": textwrap.dedent,
    "inspect.cleandoc": inspect.cleandoc,
    "dedent.default": dedent_call,
    "dedent.default`": dedent_tag,
}
_HOLE = "\x00{}\x00"
"""A placeholder for a hole while a text is cleaned: one word on one line."""
_NOT_A_NAME = "give the value a name of its own, and use the name"


def messages_of_constant(source: Source, code: Code, key: str) -> tuple[Written, ...]:
    """Returns the messages of the constant ``key``. A text is one message without a role.

    Raises MissingConstantError if the file has nothing of that name, and SourceError with the line for unsupported
    code.
    """
    try:
        return tuple(_Reading(source, code).messages(key))
    except RecursionError:
        raise source.error("the code is nested too deeply", 1, hint=HINT) from None


def members_of_constant(source: Source, code: Code, key: str) -> tuple[str, ...]:
    """Returns the dotted names of what a dict, an object or a class holds, also of those in it; else nothing.

    Raises SourceError if the value of ``key`` isn't known.
    """
    try:
        value = Names(source, code).find(key.split("."), (code.module,)).value
        return tuple(_members(code, key, value, MAX_LEVELS))
    except RecursionError:
        return ()


def _members(code: Code, key: str, value: Expression, levels: int) -> Iterator[str]:
    if not isinstance(value, Class | Table) or (isinstance(value, Table) and _is_message(value)):
        return
    for name, node in parts_of(value):
        if not name or "." in name:
            continue
        inner = code.read(node)
        if levels and isinstance(inner, Class | Table) and not (isinstance(inner, Table) and _is_message(inner)):
            yield from _members(code, f"{key}.{name}", inner, levels - 1)
        elif isinstance(inner, Text | Template | Sum | Join | Function | Items | Call):
            yield f"{key}.{name}"


class _Reading:
    """The reading of one constant."""

    def __init__(self, source: Source, code: Code) -> None:
        self.source = source
        self.code = code
        self.names = Names(source, code)
        self.error = self.names.error
        self.steps = 0
        self.letters = 0
        self.open: list[Expression] = []
        """Named values that are being read."""

    def messages(self, key: str) -> Iterator[Written]:
        found = self.names.find(key.split("."), (self.code.module,))
        for _ in range(MAX_ALIASES):
            if isinstance(found.value, Name):
                found = self.lookup(found.value, found)
        self.leave_settings(key)
        value = found.value
        if isinstance(value, Class) or (isinstance(value, Table) and not _is_message(value)):
            raise self.error(value, f"{shown(key)} holds several values", f"name one of them: {shown(key)}.NAME")
        if isinstance(value, Function):
            found = Found(self.code.read(value.body), (self.code.module,), value.parameters)
            self.source.unread |= {f"the default of {shown(name)}": given for name, given in value.defaults}
        items = self.message_list(found)
        for item in [found.value] if items is None else map(self.code.read, items):
            yield self.message(item, found, alone=items is None)

    def leave_settings(self, key: str) -> None:
        """Notes settings of a model beside the constant, in the same dict or class: they are not read."""
        for owner, step in self.names.around:
            given = {}
            for name, node in parts_of(owner):
                value = self.code.read(node)
                written = value.text if isinstance(value, Text | Number) else self.code.written(node)
                if name is not None and name != step and is_setting(name, written):
                    given[name] = value.lines[0], written
            leave_settings(self.source, key, given)

    # -- messages

    def message_list(self, found: Found) -> Sequence[Node] | None:
        """Returns the items of a list of messages."""
        value = found.value
        if isinstance(value, Call) and holds_messages(self.origin(value, found)):
            given = [*value.arguments, *(node for name, node in value.keywords if name == "messages")]
            value = self.code.read(given[0]) if len(given) == 1 else value
            if not isinstance(value, Items):
                raise self.error(value, "the messages are not a list that is written out here")
        if not isinstance(value, Items):
            return None
        if not value.items:
            raise self.error(value, "the list of messages is empty", "add a message")
        return value.items

    def message(self, item: Expression, found: Found, *, alone: bool) -> Written:
        role, text, syntax = self.role_and_text(item, found)
        if role is None and not alone:
            raise self.error(item, "this item of the list has no role", "write role and content for each message")
        own: dict[Lines, None] = {} if alone else {item.lines: None}
        before = len(self.names.used)
        pieces = self.text(text, found)
        own |= dict.fromkeys(list(self.names.used)[0 if alone else before :])
        return Written(pieces, tuple(own), syntax, role)

    def role_and_text(self, item: Expression, found: Found) -> tuple[Role | None, Node, Syntax]:
        match item:
            case Items(items=(name, text)):
                return self.role(name), text, Syntax.FORMAT
            case Table():
                fields = dict(item.entries)
                if len(item.entries) != 2 or not _is_message(item):
                    raise self.error(item, "a message is not a role and a content", "write a role and a content")
                return self.role(fields["role"]), fields["content"], Syntax.TEXT
            case Call():
                origin = self.origin(item, found)
                if is_langchain(origin):
                    return self.langchain(item, origin)
        return None, item, Syntax.TEXT

    def role(self, node: Node) -> Role:
        value = self.code.read(node)
        role = langchain_role(value.text) if isinstance(value, Text) else None
        if role is None:
            name = f" {shown(value.text)}" if isinstance(value, Text) else ""
            raise self.error(value, f"unknown role{name}", "known: system, user, assistant")
        return role

    def langchain(self, call: Call, origin: str) -> tuple[Role | None, Node, Syntax]:
        known = called(origin)
        texts = [node for name, node in call.keywords if name in ("template", "content", "prompt")]
        texts = [*call.arguments[:1], *texts]
        if known is None or len(texts) != 1:
            raise self.error(call, f"{shown(call.code)}(…) is not read")
        role, syntax = known
        for name, node in call.keywords:
            if name in ("template_format", "templateFormat"):
                value = self.code.read(node)
                named = LANGCHAIN_SYNTAX.get(value.text) if isinstance(value, Text) else None
                if named is None:
                    raise self.error(value, f"this {name} is not read", "use f-string, jinja2 or mustache")
                syntax = named
            elif name not in ("template", "content", "prompt", "input_variables", "inputVariables"):
                raise self.error(call, f"{shown(str(name))} of {shown(call.code)} is not read")
        return role, texts[0], syntax

    def origin(self, call: Call, found: Found) -> str:
        """Returns the dotted name of the called object, from the module that it is imported from. Empty if not
        imported."""
        if not call.callee:
            return ""
        first, *rest = call.callee
        bindings = next((one for scope in found.scopes if (one := scope.bindings.get(first))), [])
        changes = self.code.changes.of.get(first, ())
        changed = any(not change.path and change.how is not How.PASSED for change in changes)
        imported = bindings[0].origin if len(bindings) == 1 and not changed else ""
        return ".".join([imported, *rest]) + "`" * call.tag if imported else ""

    # -- texts

    def text(self, node: Node, found: Found, depth: int = 0) -> Pieces:
        """Returns a value as a text with holes."""
        value = self.code.read(node)
        self.steps += 1
        if depth <= MAX_DEPTH and self.steps <= MAX_STEPS:
            pieces = joined(self.parts(value, found, depth + 1))
            self.letters += sum(len(piece) for piece in pieces if isinstance(piece, str))
            if self.letters <= 4 * MAX_BYTES:
                return pieces
        raise self.error(value, "the text is put together from too many parts")

    def parts(self, value: Expression, found: Found, depth: int) -> Iterator[str | Hole]:
        match value:
            case Text(text=text):
                yield text
            case Template(parts=parts):
                for part in parts:
                    yield from [part] if isinstance(part, str) else self.filled(part, found, depth)
            case Sum(operands=operands):
                for operand in operands:
                    yield from self.text(operand, found, depth)
            case Join():
                yield from self.joined(value, found, depth)
            case Name():
                yield from self.named(value, found, depth, hole=False)
            case Call():
                yield from self.called(value, found, depth)
            case Unread(what=what, hint=hint):
                raise self.error(value, what, hint or HINT)
            case _:
                raise self.error(value, f"{_KINDS.get(type(value), 'this')} is not text")

    def filled(self, node: Node, found: Found, depth: int) -> Iterator[str | Hole]:
        """Yields the text of a constant in a hole of a template, or else the hole."""
        value = self.code.read(node)
        match value:
            case Text(text=text) | Number(text=text):
                yield text
            case Name():
                yield from self.named(value, found, depth, hole=True)
            case Unread(what=what, hint=hint):
                raise self.error(value, what, hint or _NOT_A_NAME)
            case Join() | Template() | Call():
                yield from self.text(value, found, depth)
            case _:
                raise self.error(value, "this hole is more than a plain name", _NOT_A_NAME)

    def named(self, value: Name, found: Found, depth: int, *, hole: bool) -> Iterator[str | Hole]:
        """Yields another constant's text, or a hole for a parameter or an unknown name."""
        first, name = value.steps[0], ".".join(value.steps)
        bound = any(scope.bindings.get(first) or scope.stars for scope in found.scopes)
        if first in found.parameters or (hole and not bound):
            if len(value.steps) > 1:
                raise self.error(value, f"the hole {shown(name)} is more than a plain name", _NOT_A_NAME)
            yield Hole(first)
            return
        other = self.lookup(value, found)
        if not other.shows_value:
            raise self.error(value, f"{shown(name)} doesn't show as its value", f"write {shown(name)}.value")
        if other.value in self.open:
            raise self.error(value, f"{shown(name)} is made of itself")
        self.open.append(other.value)
        if hole and isinstance(other.value, Number):
            yield other.value.text
        else:
            yield from self.text(other.value, other, depth)
        self.open.pop()

    def lookup(self, value: Name, found: Found) -> Found:
        try:
            return self.names.find(value.steps, found.scopes)
        except MissingConstantError as error:
            raise self.error(value, error.what) from None

    def called(self, call: Call, found: Found, depth: int) -> Iterator[str | Hole]:
        method = call.callee[-1] if call.callee else call.code.rpartition(".")[2]
        if call.receiver is not None and method in _STRIPS and not call.keywords:
            yield from self.stripped(call, method, found, depth)
            return
        origin = self.origin(call, found)
        if origin in _CLEANERS and len(call.arguments) == 1 and not call.keywords:
            yield from self.cleaned(call, origin, found, depth)
            return
        if call.receiver is not None and method in ("format", "format_map", "replace", "replaceAll"):
            raise self.error(call, f"{method}(…) fills in the text here", f"name the text that {method} is called on")
        raise self.error(call, f"{shown(call.code, 40)}(…) is a call, and no code is run")

    def cleaned(self, call: Call, origin: str, found: Found, depth: int) -> Iterator[str | Hole]:
        pieces = self.text(call.arguments[0], found, depth)
        holes = [piece for piece in pieces if isinstance(piece, Hole)]
        if holes and not origin.startswith("dedent."):
            raise self.error(call, f"what {shown(call.code)} takes away depends on the values", "fill in after it")
        if any("\x00" in piece for piece in pieces if isinstance(piece, str)):
            raise self.error(call, "the text has the character U+0000", "remove the escape")
        numbers = iter(range(len(pieces)))
        whole = "".join(piece if isinstance(piece, str) else _HOLE.format(next(numbers)) for piece in pieces)
        try:
            parts = _CLEANERS[origin](whole).split("\x00")
        except ValueError as error:
            raise self.error(call, str(error)) from None
        yield from (holes[int(part)] if number % 2 else part for number, part in enumerate(parts))

    def stripped(self, call: Call, method: str, found: Found, depth: int) -> Iterator[str | Hole]:
        side, signs = _STRIPS[method]
        if call.arguments:
            given = self.code.read(call.arguments[0])
            if signs is not None or len(call.arguments) > 1 or not isinstance(given, Text):
                raise self.error(call, f"the argument of {method} is not read")
            signs = given.text
        text = list(self.text(call.receiver, found, depth))
        for at, strip, sides in ((0, str.lstrip, ("both", "left")), (-1, str.rstrip, ("both", "right"))):
            if text and side in sides:
                edge = text[at]
                text[at] = edge if isinstance(edge, Hole) else strip(edge, signs)
                if isinstance(edge, Hole) or (not text[at] and len(text) > 1):
                    raise self.error(call, f"what {method} takes away depends on the values", "fill in after it")
        yield from text

    def joined(self, value: Join, found: Found, depth: int) -> Iterator[str | Hole]:
        between = self.text(value.separator, found, depth)
        items = self.code.read(value.items)
        if isinstance(items, Name) and items.steps[0] not in found.parameters:
            found = self.lookup(items, found)
            items = found.value
        if not isinstance(items, Items):
            raise self.error(items, "the texts that are joined are not a list that is written out")
        for number, item in enumerate(items.items):
            yield from between if number else ()
            yield from self.text(item, found, depth)


_KINDS: dict[type[Expression], str] = {
    Number: "a number",
    Table: "a map",
    Items: "a list",
    Function: "a function",
    Class: "a class",
}


def _is_message(table: Table) -> bool:
    return {key for key, _ in table.entries} == {"role", "content"}
