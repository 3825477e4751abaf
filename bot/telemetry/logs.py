"""The log: one line of JSON for each thing that happened, with the run it happened to, and without secrets.

Text from outside (a name, a comment, an exception's words) is a value in that line: it can neither start a line of its
own nor forge a field.
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
"""Characters of one value: a traceback fits, a prompt does not."""
MOST = 100
"""Entries of one list or mapping."""
DEEPEST = 5
QUIET = ("alembic", "dbos", "github", "httpcore", "httpx", "sqlalchemy", "urllib3")
"""They speak when something is wrong."""
FROM_OUTSIDE = ("uvicorn",)
"""It warns of every request that is none: anybody could fill the disk."""
TOKENS = re.compile(
    r"\b(?:gh[a-z]|github_pat)_[A-Za-z0-9_]{16,}"  # GitHub's tokens
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"  # a JWT
    r"|\bsk-[A-Za-z0-9_-]{16,}"  # providers' keys
    r"|(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}(?=@)"  # user:password of an address
    r"|(?i:(?<=bearer )|(?<=basic )|(?<=token ))[A-Za-z0-9+/=_.-]{16,}"
)
"""What looks like a secret that this process was never told, such as an installation's token."""

FIRST = {name: place for place, name in enumerate(("at", "level", "run", "event", "logger"))}
"""What a person looks for stands first."""

Event = MutableMapping[str, Any]


class LogMasker:
    """Makes values of a log's line out of anything: plain JSON, bounded, without ``secrets`` in any spelling."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in encodings(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        """The longest first: none leaves a part of another."""
        self._widest = max([len(form) for form in forms], default=0)

    def __call__(self, _logger: object, _name: str, event: Event) -> Event:
        """A processor of structlog. The formatter's own entries begin with an underscore."""
        kept = {name: value for name, value in event.items() if name.startswith("_")}
        names = sorted(event.keys() - kept.keys(), key=lambda name: (FIRST.get(name, len(FIRST)), name))
        return kept | {self.text(name): self.value(event[name]) for name in names}

    def text(self, text: str) -> str:
        """``text`` with every secret hidden, and not too long."""
        shown = text[: 2 * LONGEST]
        for form in self._forms:
            shown = shown.replace(form, HIDDEN)
        shown = TOKENS.sub(HIDDEN, shown)
        if len(text) > 2 * LONGEST:  # a secret may have been cut in two
            shown = shown[: max(len(shown) - self._widest, 0)]
        return shown if len(text) <= LONGEST else shown[:LONGEST] + "…"

    def value(self, value: object, depth: int = 0) -> object:
        """``value`` as plain JSON; what is no JSON is shown as text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict) and depth < DEEPEST:
            return {self.text(str(k)): self.value(v, depth + 1) for k, v in list(value.items())[:MOST]}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [self.value(inner, depth + 1) for inner in list(value)[:MOST]]
        try:
            return self.text(str(value))
        except Exception as error:  # noqa: BLE001 - a log must not fail because of what is logged
            return f"<{type(value).__name__} that can't be shown: {type(error).__name__}>"


def start_logs(stream: TextIO, secrets: Iterable[str] = (), *, level: int = logging.INFO) -> None:
    """From now on everything that is logged in this process, by us or by a library, is a line of JSON on ``stream``.

    ``secrets``: values that are never shown.
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
                LogMasker(secrets),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.raiseExceptions = False  # a log that is full or gone stops nothing
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for names, least in ((QUIET, logging.WARNING), (FROM_OUTSIDE, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(max(level, least))
    durable = logging.getLogger("dbos")  # where it finds no handler it writes to stderr itself, and nothing is masked
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
    """A room's log: ``logger("intake").info("handled", delivery=…)``. Inside ``about(run=…)`` it names the run."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"bot.{name}")
    return bound


about = structlog.contextvars.bound_contextvars
"""``with about(run=run_id):`` - whatever is logged meanwhile, also by libraries and in tasks started here, says it."""
