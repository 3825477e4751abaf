"""The protocol between us and the calling process: one JSON value per line. JSON has no raw line breaks.

We send ``Order``s, and the child sends ``Reply``s. Both are data and never executed.
"""

from __future__ import annotations

from pydantic import Field

from schemas.config import ModelConfig
from schemas.outcomes import Allowance, Completion, CompletionError
from schemas.prompts import Request
from schemas.values import Value


class Opening(Value):
    """Opens the provider of ``model``, with the number ``provider``."""

    provider: int
    model: ModelConfig
    variables: dict[str, str] = Field(repr=False)
    """The key, and the operator's proxy and certificates: only the variables that ``provider_for`` may read."""


class Question(Value):
    """Makes one call within ``timeout_s`` seconds from its arrival."""

    number: int
    provider: int
    request: Request
    repetition: int
    timeout_s: float


class Order(Value):
    """A message to the child: exactly one of the three."""

    opening: Opening | None = None
    question: Question | None = None
    dropped: int | None = None
    """The number of the question whose call is to be cancelled."""


class Reply(Value):
    """A message from the child: a provider is open, or the answer to a question."""

    opened: int | None = None
    number: int | None = None
    completion: Completion | None = None
    allowance: Allowance | None = None
    """The completion's rate limits, which its JSON leaves out."""
    error: CompletionError | None = None
    bug: str | None = None
    """A traceback of a bug, without the keys."""


class Lines:
    """Splits the incoming bytes into lines."""

    def __init__(self) -> None:
        # A list of pieces: joining at each arrival would copy a long answer again and again.
        self._rest: list[bytes] = []

    def cut(self, data: bytes) -> list[bytes]:
        """Returns the lines that ``data`` completes, and keeps the rest."""
        first, *others = data.split(b"\n")
        self._rest.append(first)
        if not others:
            return []
        whole = b"".join(self._rest)
        self._rest = [others.pop()]
        return [whole, *others]


def line(said: Order | Reply) -> bytes:
    """Returns the message as bytes to send."""
    return said.model_dump_json(exclude_defaults=True).encode() + b"\n"
