"""What a call gave, and what it scored. Failures are values."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from schemas.pricing import Usd
from schemas.values import Fraction, Value


class Arm(StrEnum):
    """Which version of the prompt."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Cell(Value):
    """One planned call of an experiment."""

    case: int
    """Index into the experiment's cases."""
    arm: Arm
    repetition: int = Field(ge=0)


class Usage(Value):
    """Tokens as the provider counted them. ``input`` is everything read, cached and cache writes included; ``output``
    is everything written, reasoning included; the other tokens are parts of them."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached_input: int = Field(default=0, ge=0)
    cache_write: int = Field(default=0, ge=0)
    cache_write_1h: int = Field(default=0, ge=0)
    """Of the cache writes, those that are kept for an hour."""
    reasoning: int = Field(default=0, ge=0)
    input_audio: int = Field(default=0, ge=0)
    output_audio: int = Field(default=0, ge=0)
    web_searches: int = Field(default=0, ge=0)
    """Searches that the provider made and charges for."""
    rate: str | None = None
    """The service tier, where it has prices of its own: ``priority``, ``flex``, ``fast``."""


class Finish(StrEnum):
    """Why the provider stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"
    FILTER = "filter"
    EMPTY = "empty"
    TOOL = "tool"

    @property
    def scores_zero(self) -> bool:
        """Truncated, refused, filtered and empty answers are answers, and score 0."""
        return self not in (Finish.STOP, Finish.TOOL)


class ToolCall(Value):
    """A call of a tool that the model asked for."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""


class Allowance(Value):
    """What a provider's headers say is left of the key's rate limits. ``None``: not said."""

    requests: int | None = None
    requests_reset_s: float | None = None
    """Seconds until they are all there again."""
    tokens: int | None = None
    tokens_reset_s: float | None = None


class Completion(Value):
    """What a provider answered."""

    text: str
    finish: Finish
    usage: Usage | None
    """``None``: not said, or not to be billed from."""
    usage_problem: str = ""
    """Why what is said about the usage can't be billed from."""
    tool_calls: tuple[ToolCall, ...] = ()
    model: str
    """As the provider reports it."""
    fingerprint: str | None = None
    latency_s: float = Field(ge=0, allow_inf_nan=False)
    attempts: int = Field(default=1, ge=1)
    allowance: Allowance | None = Field(default=None, exclude=True)
    """Of that moment: never stored."""


class ErrorKind(StrEnum):
    """Why there is no completion: a missing cell."""

    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    SERVER = "server"
    TRANSPORT = "transport"
    MALFORMED = "malformed"
    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    REDIRECT = "redirect"
    UNPRICED = "unpriced"
    """There is an answer, but what it costs can't be told."""
    BUDGET = "budget"
    CANCELLED = "cancelled"


class CompletionError(Value):
    """A call that gave nothing. It is never stored and never scored."""

    kind: ErrorKind
    message: str
    """Safe to show: no secrets, no unbounded provider text."""
    hint: str = ""
    """What to do about it, where that doesn't follow from the kind."""
    attempts: int = Field(default=1, ge=0)
    retry_after_s: float | None = None
    billed: bool = False
    """Whether the provider may charge for it all the same (it was sent, and no refusal came back)."""


class Score(Value):
    """One metric of one output."""

    metric: str
    value: Fraction
    reason: str = ""
    answer: str | None = None
    """What the evaluator understood: the label, the field's value; untrusted text."""
    forbidden: bool = False
    """The answer holds a text that its case forbids."""


class EvaluatorFailure(Value):
    """A metric that could not be computed: a missing value, never 0."""

    metric: str
    message: str
    kind: ErrorKind | None = None
    """Of what the judge did; ``None`` where none was asked."""


class StoredCompletion(Value):
    """A row of the outcome store: content-addressed by request digest and repetition."""

    request_digest: str = Field(pattern="^[0-9a-f]{64}$")
    repetition: int = Field(ge=0)
    completion: Completion
    cost_usd: Usd
    """The real bill at the price of the time, cache discounts included."""
    neutral_cost_usd: Usd
    """The same call as if no token had come from or gone to a cache."""
    price: JsonValue = None
    """The price that was applied, so that it can be re-priced."""
    provider: str
    model: str
    created_at: str
    """UTC, ISO 8601."""


class Outcome(Value):
    """What one cell gave."""

    cell: Cell
    result: Completion | CompletionError
    scores: tuple[Score | EvaluatorFailure, ...] = ()
    cost_usd: Usd = Decimal(0)
    neutral_cost_usd: Usd = Decimal(0)
    judge_cost_usd: Usd = Decimal(0)
    origin: Literal["call", "store", "identical"] = "call"
    """``identical``: the other arm sends the same request, so no call was needed."""
    made_at: float | None = None
    """When the answer came, in seconds since 1970; kept with it in the store."""

    @property
    def forbidden(self) -> bool:
        """The answer holds a text that its case forbids."""
        return any(isinstance(score, Score) and score.forbidden for score in self.scores)


class MetricSpec(Value):
    """A metric that an evaluator reports for every case."""

    name: str
    kind: Literal["metric", "field", "dimension", "check"] = "metric"
    gates: bool = True
    """False: shown, but never part of the verdict."""
