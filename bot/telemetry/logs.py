"""The log: one line of JSON for each event, with the run it belongs to, and without secrets.

Text from outside (a name, a comment, an exception's text) is a value in that line. It can neither start a new line
nor forge a field.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

from adapters.masking import encodings

HIDDEN = "•••"
LONGEST = 20_000
"""Characters of one value: enough for a traceback, too few for a prompt."""
MOST = 100
"""Entries of one list or mapping."""
DEEPEST = 5
QUIET = ("alembic", "dbos", "github", "httpcore", "httpx", "sqlalchemy", "urllib3")
"""Libraries of which only warnings are logged."""
FROM_OUTSIDE = ("uvicorn",)
"""Libraries of which only errors are logged:

uvicorn warns of every malformed request, so anyone could fill the disk.
"""
TOKENS = re.compile(
    r"\b(?:gh[a-z]|github_pat)_[A-Za-z0-9_]{16,}"  # GitHub's tokens
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"  # a JWT
    r"|\bsk-[A-Za-z0-9_-]{16,}"  # providers' keys
    r"|(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}(?=@)"  # user:password of an address
    r"|(?i:(?<=bearer )|(?<=basic )|(?<=token ))[A-Za-z0-9+/=_.-]{16,}"
)
"""Patterns of secrets that this process was never given, such as an installation's token."""

FIRST = {name: place for place, name in enumerate(("at", "level", "run", "event", "logger"))}
"""The fields that come first."""

Event = MutableMapping[str, Any]


class LogMasker:
    """Turns any value into bounded plain JSON without ``secrets``, in whatever encoding they appear."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in encodings(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        """Longest first, so that no replacement leaves a part of a longer form."""
        self._widest = max([len(form) for form in forms], default=0)

    def __call__(self, _logger: object, _name: str, event: Event) -> Event:
        """Processes an event for structlog. The formatter's own entries begin with an underscore."""
        kept = {name: value for name, value in event.items() if name.startswith("_")}
        names = sorted(event.keys() - kept.keys(), key=lambda name: (FIRST.get(name, len(FIRST)), name))
        return kept | {self.text(name): self.value(event[name]) for name in names}

    def text(self, text: str) -> str:
        """Returns ``text`` with every secret hidden, and cut."""
        # Cut before masking, so that a huge value costs bounded time.
        shown = text[: 2 * LONGEST]
        for form in self._forms:
            shown = shown.replace(form, HIDDEN)
        shown = TOKENS.sub(HIDDEN, shown)
        if len(text) > 2 * LONGEST:  # the cut may have split a secret
            shown = shown[: max(len(shown) - self._widest, 0)]
        return shown if len(text) <= LONGEST else shown[:LONGEST] + "…"

    def value(self, value: object, depth: int = 0) -> object:
        """Returns ``value`` as plain JSON; other objects as text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict) and depth < DEEPEST:
            return {self.text(str(k)): self.value(v, depth + 1) for k, v in list(value.items())[:MOST]}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [self.value(inner, depth + 1) for inner in list(value)[:MOST]]
        try:
            return self.text(str(value))
        except Exception as error:  # noqa: BLE001 - a log must not fail because of a value
            return f"<{type(value).__name__} that can't be converted: {type(error).__name__}>"


def start_logs(stream: TextIO, secrets: Iterable[str] = (), *, level: int = logging.INFO) -> None:
    """Sends all logs of this process, ours and the libraries', to ``stream`` as lines of JSON.

    ``secrets`` are values that are never shown.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                # Last before the JSON: masks what the other processors added, such as tracebacks.
                LogMasker(secrets),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.raiseExceptions = False  # a log that can't be written must not stop the bot
    root = logging.getLogger()
    # The only handler, so that every line of every library passes the masker.
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for names, least in ((QUIET, logging.WARNING), (FROM_OUTSIDE, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(max(level, least))
    durable = logging.getLogger("dbos")  # without a handler it would write to stderr, unmasked
    durable.handlers[:], durable.propagate = [logging.NullHandler()], True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns a named log: ``logger("deliveries").info("handled", delivery=…)``."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"bot.{name}")
    return bound


about = structlog.contextvars.bound_contextvars
"""``with about(run=run_id):`` adds the run to every line meanwhile, also from libraries and in tasks started here."""
