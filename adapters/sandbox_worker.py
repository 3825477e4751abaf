"""Runs inside the sandbox: a separate process that renders Jinja and Handlebars. adapters/sandbox.py starts it.

It imports nothing of ours. Once the limits are set, it can open no file and no socket. It has no environment. A frame
on stdin or stdout is a length (4 bytes, big endian) and JSON. It sends ``{}`` when it is ready. A frame with templates
and jobs comes in, and one goes out for each job: ``{"texts": [...]}`` or ``{"failure": ..., "variable": ...}``.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import math
import os
import re
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

NEEDED = (
    "dotpromptz_handlebars", "encodings.ascii", "encodings.latin_1", "encodings.utf_8", "html", "jinja2.debug",
    "jinja2.loaders", "jinja2.sandbox", "pprint", "textwrap", "unicodedata", "urllib.parse",
)  # fmt: skip
"""Modules that Jinja and Python would import later, when no file can be opened any more."""
WARM_UP = (
    "{% include 'partial' %}{% macro m() %}é {{ 'é' }}{% endmacro %}{{ m() }}",
    "{{ missing }}",
    "{% if %}",
    "{{ 1 / 0 }}",
)
"""A template rendered before the limits are set, to import everything that rendering needs."""


def main(site: str, memory: int, seconds: float, max_output: int, nice: int) -> None:
    """Runs the worker.

    ``site`` is the folder with jinja2. ``memory`` is in bytes, ``seconds`` is CPU time for one job, and ``max_output``
    is in characters. ``nice`` is the niceness of this process.
    """
    sys.path.append(site)
    # Before the first template: a process can raise its niceness, but not lower it again.
    os.nice(nice)
    import resource

    for module in NEEDED:
        importlib.import_module(module)

    def allow_more_time() -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        # The CPU limit counts from the start of the process, so it is raised before each job.
        soft = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))

    def say(reply: Mapping[str, Any]) -> None:
        data = json.dumps(reply).encode()
        sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
        sys.stdout.buffer.flush()

    for text in WARM_UP:
        for language in ("jinja", "handlebars"):
            template = {"language": language, "roles": None, "messages": [text], "partials": {"partial": "{{ 1 }}"}}
            _Templates(template, max_output).render({})

    # macOS refuses some of these; the parent's time limit still applies
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        # A core file would contain the inputs of the cases.
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        # Three: the standard streams are open already, and nothing else can be opened.
        (resource.RLIMIT_NOFILE, 3),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))

    # The parent starts its clock for jobs here: imports don't count.
    say({})
    source = sys.stdin.buffer
    while (frame := _read(source)) is not None:
        sandbox = [_Templates(template, max_output) for template in frame["templates"]]
        for index, variables in frame["jobs"]:
            allow_more_time()
            result = sandbox[index].render(variables)
            say(result)
            # Ends by itself: after a MemoryError, any object may be half built.
            if "fatal" in result:
                return


def _read(source: BinaryIO) -> dict[str, Any] | None:
    header = source.read(4)
    if len(header) < 4:
        return None
    data = source.read(struct.unpack(">I", header)[0])
    frame: dict[str, Any] = json.loads(data)
    return frame


class _Templates:
    """The messages of one prompt with its partials, compiled on first use."""

    def __init__(self, template: Mapping[str, Any], max_output: int) -> None:
        self.messages: list[str] = template["messages"]
        roles = template["roles"]
        if template["language"] == "jinja":
            self.compile = _jinja(template["partials"], trim_blocks=roles == "promptflow")
        else:
            self.compile = _handlebars(template["partials"], roles=roles)
        self.max_output = max_output
        self.compiled: list[Callable[[Mapping[str, Any]], Iterable[str]]] = []

    def render(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the reply to one job."""
        try:
            if not self.compiled:
                # Compiled on first use and inside the try: compiling a hostile template can fail or hang like rendering
                # it.
                self.compiled = [self.compile(text) for text in self.messages]
            return self._texts(variables)
        except MemoryError:
            return {"failure": "it needs too much memory", "fatal": True}
        except Exception as error:  # noqa: BLE001 - a template can raise anything
            return _failure(error)

    def _texts(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        room = self.max_output
        texts = []
        for template in self.compiled:
            pieces = []
            # In pieces, so that an endless loop of output is stopped before memory runs out.
            for piece in template(variables):
                room -= len(piece)
                if room < 0:
                    return {
                        "failure": f"the rendered prompt is longer than {self.max_output:,} characters",
                        "variable": None,
                    }
                pieces.append(piece)
            texts.append("".join(pieces))
        return {"texts": texts}


def _failure(error: Exception) -> dict[str, Any]:
    from dotpromptz_handlebars import StrictModeError
    from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

    message = f"{type(error).__name__}: {error}"
    match error:
        case UndefinedError():
            message = str(error.message)
            if name := re.fullmatch(r"'(\w+)' is undefined", message):
                return {"variable": name[1]}
        case StrictModeError():
            message = str(error)
            if error.path.isidentifier():
                return {"variable": error.path}
        case TemplateNotFound():
            message = f"the partial {error.name} is not among the prompt's partials"
        case TemplateSyntaxError():
            message = f"line {error.lineno}: {error.message}"
        case RecursionError():
            message = "it is nested too deeply"
        case TypeError() | ValueError():
            message = str(error)
    return {"failure": message}


Compile = Callable[[str], Callable[[Mapping[str, Any]], "Iterable[str]"]]
"""From a template to a function that renders it in pieces."""


def _handlebars(partials: Mapping[str, str], *, roles: str | None) -> Compile:
    from dotpromptz_handlebars import Handlebars

    engine = Handlebars(escape_html=False, strict=True)
    for name, text in partials.items():
        engine.register_partial(name, text)
    engine.unregister_helper("log")  # it prints, and our answers go that way
    for name, helper in _HELPERS.items() if roles == "dotprompt" else ():
        engine.register_helper(name, helper)

    def compiled(text: str) -> Callable[[Mapping[str, Any]], Iterable[str]]:
        render = engine.compile(text)
        return lambda variables: [render(dict(variables))]

    return compiled


def _json(arguments: list[Any], options: Any) -> str:
    indent = options.hash.get("indent")
    separators = None if indent else (",", ":")
    return json.dumps(arguments[0] if arguments else None, indent=indent and int(indent), separators=separators)


def _media(_: list[Any], options: Any) -> str:
    return f"<<<dotprompt:media:url {options.hash.get('url')}>>>" if options.hash.get("url") else ""


_HELPERS: Mapping[str, Callable[[list[Any], Any], Any]] = {
    "role": lambda arguments, _: f"<<<dotprompt:role:{arguments[0]}>>>" if arguments else "",
    "history": lambda _, __: "<<<dotprompt:history>>>",
    "section": lambda arguments, _: f"<<<dotprompt:section {arguments[0]}>>>" if arguments else "",
    "media": _media,
    "json": _json,
    "ifEquals": lambda arguments, options: options.fn() if _equal(arguments) else options.inverse(),
    "unlessEquals": lambda arguments, options: options.inverse() if _equal(arguments) else options.fn(),
}
"""Dotprompt's own. The marks are those that engine/readers/prompts/role_marks.py splits at."""


def _equal(arguments: list[Any]) -> bool:
    return len(arguments) == 2 and type(arguments[0]) is type(arguments[1]) and arguments[0] == arguments[1]


def _jinja(partials: Mapping[str, str], *, trim_blocks: bool) -> Compile:
    environment = _environment(partials, trim_blocks=trim_blocks)
    return lambda text: environment.from_string(text).generate


def _environment(partials: Mapping[str, str], *, trim_blocks: bool = False) -> ImmutableSandboxedEnvironment:
    from jinja2 import DictLoader, StrictUndefined

    loader = DictLoader(dict(partials))
    environment = _sandbox()(loader=loader, undefined=StrictUndefined, finalize=_put_out, trim_blocks=trim_blocks)
    # Globals such as `range` and `lipsum` allow huge output without any input.
    environment.globals.clear()
    del environment.filters["random"]  # the same case must always give the same prompt
    environment.filters = {name: _plainly(one) for name, one in environment.filters.items()}
    return environment


class _Function:
    """A function in a template. It can be called, but not printed: its text would hold a memory address and differ
    between runs."""

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
    from jinja2 import Undefined

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


@functools.cache
def _sandbox() -> type[ImmutableSandboxedEnvironment]:
    from jinja2 import sandbox

    class Sandbox(sandbox.ImmutableSandboxedEnvironment):
        """An environment in which only functions of values can be called."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            return _plain(super().getattr(obj, attribute), _instead(obj, attribute))

        def getitem(self, obj: Any, argument: Any) -> Any:
            return _plain(super().getitem(obj, argument), _instead(obj, argument))

        def call(__self, __context: Any, __obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: N805
            function = __obj.function if isinstance(__obj, _Function) else __obj
            return _plain(super().call(__context, function, *arguments, **named))

    return Sandbox


def _instead(obj: Any, name: object) -> str:
    """Returns a hint for a function that was probably meant as a value."""
    kind = type(obj).__name__
    if isinstance(obj, dict) and name in obj:
        return f"{name} is a function of every {kind}: write [{name!r}] for the value of that name"
    return f"{name} is a function of a {kind}, not a value"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
