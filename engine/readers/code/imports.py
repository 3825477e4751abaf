"""Tells which files of the repository a file of code may import. They are not followed to read a prompt."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath

from engine.readers.bounded import inside
from engine.readers.code.typescript_code import SCRIPT_SUFFIXES

_FROM = re.compile(r"""\b(?:from|import|require\s*\()\s*["']([^"'\n]{1,300})["']""")
_ALIASES = ("@/", "~/", "#/")
"""Prefixes by which bundlers mean the root of the sources."""


def imported_paths(path: str, text: str) -> frozenset[str]:
    """Returns every path that an import in the file may mean, whether or not it exists. Never raises."""
    found = _of_python(path, text) if path.endswith((".py", ".pyi")) else _of_script(path, text)
    return frozenset(each for each in found if each != path)


def _of_python(path: str, text: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, in a file that isn't ours
            nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return
    around = PurePosixPath(path).parents
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            starts = around[node.level - 1 : node.level] if node.level else around
            module = (node.module or "").split(".") if node.module else []
            names = [[], *([alias.name] for alias in node.names if alias.name != "*")]
            modules = [[*module, *name] for name in names]
        elif isinstance(node, ast.Import):
            starts, modules = around, [alias.name.split(".") for alias in node.names]
        else:
            continue
        for start in starts:
            for steps in modules:
                yield f"{start.joinpath(*steps)}.py"
                yield str(start.joinpath(*steps, "__init__.py"))


def _of_script(path: str, text: str) -> Iterator[str]:
    folder, *around = PurePosixPath(path).parents
    for named in _FROM.findall(text):
        if named.startswith("."):
            starts, rest = [folder], named
        elif named.startswith(_ALIASES):
            starts, rest = [each / sub for each in (folder, *around) for sub in ("", "src")], named[2:]
        else:
            continue
        for start in starts:
            stem = inside(str(start), rest)
            if stem:
                bare = re.sub(r"\.[cm]?jsx?$", "", stem)
                yield stem
                yield from (f"{each}{suffix}" for each in (bare, f"{bare}/index") for suffix in SCRIPT_SUFFIXES)
