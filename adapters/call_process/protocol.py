"""What we and the calling process say to each other: one JSON value a line (JSON has no line breaks of its own).

We say ``Order``s, the child says ``Reply``s. Both are data: neither runs what the other says.
"""

from __future__ import annotations

from pydantic import Field

from schemas.config import ModelConfig
from schemas.outcomes import Allowance, Completion, CompletionError
from schemas.prompts import Request
from schemas.values import Value


class Opening(Value):
    """Open the provider of ``model``: it is called ``provider`` from then on."""

    provider: int
    model: ModelConfig
    variables: dict[str, str] = Field(repr=False)
    """The key, and the operator's proxy and certificates: what ``provider_for`` may know, and no more."""


class Question(Value):
    """Make one call, within ``timeout_s`` seconds from when this is read."""

    number: int
    provider: int
    request: Request
    repetition: int
    timeout_s: float


class Order(Value):
    """To the child: one of the three."""

    opening: Opening | None = None
    question: Question | None = None
    dropped: int | None = None
    """The number of a question whose call is to be cancelled."""


class Reply(Value):
    """From the child: a provider is open, or the answer to a question."""

    opened: int | None = None
    number: int | None = None
    completion: Completion | None = None
    allowance: Allowance | None = None
    """The completion's, which leaves it out of its JSON."""
    error: CompletionError | None = None
    bug: str | None = None
    """A traceback without the keys: ours to fix, like one in this process."""


class Lines:
    """Splits the incoming bytes into lines."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def cut(self, data: bytes) -> list[bytes]:
        """Returns the lines that ``data`` completes and keeps the rest."""
        first, *others = data.split(b"\n")
        self._rest.append(first)
        if not others:
            return []
        whole = b"".join(self._rest)
        self._rest = [others.pop()]
        return [whole, *others]


def line(said: Order | Reply) -> bytes:
    """``said``, ready to be sent."""
    return said.model_dump_json(exclude_defaults=True).encode() + b"\n"
