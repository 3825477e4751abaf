"""Handlebars and Mustache as the gate renders them: strict and without HTML escapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dotpromptz_handlebars import Handlebars, StrictModeError

from promptverdict_client.errors import RenderError
from promptverdict_client.rendering.values import MAX_OUTPUT, Variables, missing, too_long


def handlebars(
    templates: Sequence[str], included: Mapping[str, str], *, dotprompt: bool
) -> Callable[[Variables], list[str]]:
    """Returns a function that fills in the templates. Both raise RenderError."""
    engine = Handlebars(escape_html=False, strict=True)
    for name, text in included.items():
        engine.register_partial(name, text)
    engine.unregister_helper("log")  # it prints
    for name, helper in _HELPERS.items() if dotprompt else ():
        engine.register_helper(name, helper)
    try:
        compiled = [engine.compile(template) for template in templates]
    except Exception as error:  # a template can raise anything
        raise _explained(error, {}) from error

    def filled(variables: Variables) -> list[str]:
        try:
            rendered = [template(dict(variables)) for template in compiled]
        except Exception as error:  # a template can raise anything
            raise _explained(error, variables) from error
        if sum(map(len, rendered)) > MAX_OUTPUT:
            raise too_long()
        return rendered

    return filled


def _explained(error: Exception, variables: Variables) -> RenderError:
    if isinstance(error, StrictModeError) and error.path.isidentifier():
        return missing(error.path, variables)
    if isinstance(error, RecursionError):
        return RenderError("it is nested too deeply")
    known = isinstance(error, StrictModeError | TypeError | ValueError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return RenderError(" ".join(message.split())[:300])


def _json(arguments: list[Any], options: Any) -> str:
    indent = options.hash.get("indent")
    separators = None if indent else (",", ":")
    return json.dumps(arguments[0] if arguments else None, indent=indent and int(indent), separators=separators)


def _media(_: list[Any], options: Any) -> str:
    return f"<<<dotprompt:media:url {options.hash.get('url')}>>>" if options.hash.get("url") else ""


def _equal(arguments: list[Any]) -> bool:
    return len(arguments) == 2 and type(arguments[0]) is type(arguments[1]) and arguments[0] == arguments[1]


_HELPERS: Mapping[str, Callable[[list[Any], Any], Any]] = {
    "role": lambda arguments, _: f"<<<dotprompt:role:{arguments[0]}>>>" if arguments else "",
    "history": lambda _, __: "<<<dotprompt:history>>>",
    "section": lambda arguments, _: f"<<<dotprompt:section {arguments[0]}>>>" if arguments else "",
    "media": _media,
    "json": _json,
    "ifEquals": lambda arguments, options: options.fn() if _equal(arguments) else options.inverse(),
    "unlessEquals": lambda arguments, options: options.inverse() if _equal(arguments) else options.fn(),
}
"""Dotprompt's own. roles.py splits at the marks that they write."""
