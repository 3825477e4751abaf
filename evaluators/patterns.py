"""Compiles regular expressions with RE2, which matches untrusted text in linear time, whatever the expression."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2  # type: ignore[import-untyped]

from schemas.errors import ConfigError


def compile_pattern(pattern: str, where: str) -> Callable[[str], bool]:
    """Returns a function that says whether the expression occurs in a text.

    Raises ConfigError, located at ``where``, for syntax that RE2 lacks (backreferences, look-around) or can't parse.
    """
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ConfigError(
            f"the expression “{pattern[:80]}” can't be used: {reason}",
            where=where,
            hint="write it in RE2's syntax: no backreferences, no look-around",
        ) from None
    return lambda text: compiled.search(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
