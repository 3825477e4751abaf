"""Jinja as the gate renders it: sandboxed, without globals, and with JSON values as the only output."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptverdict_client.errors import RenderError
from promptverdict_client.rendering.values import MAX_OUTPUT, Variables, missing, too_long

_GLOBALS = frozenset({"cycler", "dict", "joiner", "lipsum", "namespace", "range"})
"""Jinja's own globals, which prompts don't have."""


def jinja(
    templates: Sequence[str], included: Mapping[str, str], *, trim_blocks: bool
) -> Callable[[Variables], list[str]]:
    """Returns a function that fills in the templates. Both raise RenderError."""
    environment = _environment(included, trim_blocks=trim_blocks)
    try:
        compiled = [environment.from_string(template) for template in templates]
    except Exception as error:  # a template can raise anything
        raise _explained(error, {}) from error

    def filled(variables: Variables) -> list[str]:
        room = MAX_OUTPUT
        rendered = []
        try:
            for template in compiled:
                pieces = []
                # In pieces, so that a long output is stopped before memory runs out.
                for piece in template.generate(variables):
                    room -= len(piece)
                    if room < 0:
                        raise too_long()
                    pieces.append(piece)
                rendered.append("".join(pieces))
        except RenderError:
            raise
        except Exception as error:  # a template can raise anything
            raise _explained(error, variables) from error
        return rendered

    return filled


def _explained(error: Exception, variables: Variables) -> RenderError:
    match error:
        case UndefinedError():
            message = str(error.message)
            if name := re.fullmatch(r"'(\w+)' is undefined", message):
                if name[1] in _GLOBALS:
                    return RenderError(f"Jinja's {name[1]} is not available in prompts; only the variables are")
                return missing(name[1], variables)
        case TemplateNotFound():
            message = f"the partial {error.name} is not among the prompt's partials"
        case TemplateSyntaxError():
            message = f"line {error.lineno}: {error.message}"
        case RecursionError():
            message = "it is nested too deeply"
        case TypeError() | ValueError():
            message = str(error)
        case _:
            message = f"{type(error).__name__}: {error}"
    return RenderError(" ".join(message.split())[:300])


def _environment(included: Mapping[str, str], *, trim_blocks: bool) -> ImmutableSandboxedEnvironment:
    environment = _Sandbox(
        loader=DictLoader(included), undefined=StrictUndefined, finalize=_put_out, trim_blocks=trim_blocks
    )
    environment.globals.clear()
    del environment.filters["random"]  # equal variables must always give an equal prompt
    environment.filters = {name: _plainly(one) for name, one in environment.filters.items()}
    return environment


class _Function:
    """A function in a template. It can be called but not printed: its text would hold a memory address."""

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        self.function = function
        self.what = what

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def __str__(self) -> str:
        raise TypeError(self.what)

    __repr__ = __str__

    def __format__(self, _: str) -> str:
        raise TypeError(self.what)


def _plain(value: Any, what: str = "it is a function, not a value") -> Any:
    """Returns ``value``, with functions wrapped so that they can't be printed, and iterators as lists."""
    if value is None or isinstance(value, str | int | float | list | dict | tuple | _Function):
        return value
    if callable(value):
        return _Function(value, what)
    return list(value) if hasattr(value, "__next__") else value


def _plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def plain(*arguments: Any, **named: Any) -> Any:
        return _plain(function(*arguments, **named))

    return plain


def _put_out(value: Any) -> Any:
    """Returns the value of an expression if it is JSON. Raises TypeError."""
    for part in _no_json(value):
        name = type(part).__name__
        hint = ": add | list" if name.startswith("dict_") else ""
        raise TypeError(part.what if isinstance(part, _Function) else f"{name} is not a JSON value{hint}")
    return value


def _no_json(value: Any) -> Iterator[Any]:
    """Yields the parts of a value that aren't JSON."""
    if value is None or isinstance(value, str | int | float | Undefined):
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _no_json(key)
            yield from _no_json(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _no_json(inner)
    else:
        yield value


class _Sandbox(ImmutableSandboxedEnvironment):
    """An environment in which only functions of values can be called."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return _plain(super().getattr(obj, attribute), _instead(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return _plain(super().getitem(obj, argument), _instead(obj, argument))

    def call(__self, __context: Any, __obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: N805
        function = __obj.function if isinstance(__obj, _Function) else __obj
        return _plain(super().call(__context, function, *arguments, **named))


def _instead(obj: Any, name: object) -> str:
    """Returns a hint for a function that was probably meant as a value."""
    kind = type(obj).__name__
    if isinstance(obj, dict) and name in obj:
        return f"{name} is a function of every {kind}: write [{name!r}] for the value of that name"
    return f"{name} is a function of a {kind}, not a value"
