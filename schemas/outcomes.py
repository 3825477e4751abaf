"""Results of calls and their scores. Failures are values."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from schemas.conversations import ToolCall, Trajectory
from schemas.pricing import Usd
from schemas.values import Fraction, Value


class Arm(StrEnum):
    """The version of the prompt."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Cell(Value):
    """One planned call of an experiment."""

    case: int
    """Index into the experiment's cases."""
    arm: Arm
    repetition: int = Field(ge=0)


class Usage(Value):
    """Tokens as the provider counted them.

    ``input`` is everything read, including cached tokens and cache writes. ``output`` is everything written, including
    reasoning. The other counts are parts of these two.
    """

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached_input: int = Field(default=0, ge=0)
    cache_write: int = Field(default=0, ge=0)
    cache_write_1h: int = Field(default=0, ge=0)
    """Cache writes that are kept for an hour."""
    reasoning: int = Field(default=0, ge=0)
    input_audio: int = Field(default=0, ge=0)
    output_audio: int = Field(default=0, ge=0)
    web_searches: int = Field(default=0, ge=0)
    """Searches by the provider that it charges for."""
    rate: str | None = None
    """The service tier, if it has prices of its own: ``priority``, ``flex``, ``fast``."""


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
        """Whether the answer scores 0: it is truncated, refused, filtered or empty."""
        return self not in (Finish.STOP, Finish.TOOL)


class Allowance(Value):
    """The rest of the key's rate limits by the provider's headers. ``None``: not reported."""

    requests: int | None = None
    requests_reset_s: float | None = None
    """Seconds until the limit is fully restored."""
    tokens: int | None = None
    tokens_reset_s: float | None = None


class Completion(Value):
    """A provider's answer."""

    text: str
    finish: Finish
    usage: Usage | None
    """``None``: not reported, or not billable."""
    usage_problem: str = ""
    """Why the reported usage can't be billed."""
    tool_calls: tuple[ToolCall, ...] = ()
    trajectory: Trajectory | None = None
    """The conversation of an agent. The other fields then sum it up: text, finish and tool calls are those of the last
    step. Never stored: each step has an answer of its own."""
    model: str
    """As the provider reports it."""
    fingerprint: str | None = None
    latency_s: float = Field(ge=0, allow_inf_nan=False)
    attempts: int = Field(default=1, ge=1)
    allowance: Allowance | None = Field(default=None, exclude=True)
    """The rate limits at that moment. Never stored."""


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
    """There is an answer, but its cost is unknown."""
    BUDGET = "budget"
    CANCELLED = "cancelled"


class CompletionError(Value):
    """A call without an answer. It is never stored and never scored."""

    kind: ErrorKind
    message: str
    """Safe to show: no secrets, no unbounded provider text."""
    hint: str = ""
    """How to fix it, if the kind of error doesn't tell."""
    attempts: int = Field(default=1, ge=0)
    retry_after_s: float | None = None
    billed: bool = False
    """Whether the provider may charge for it anyway (it was sent and not refused)."""


class Score(Value):
    """One metric of one output."""

    metric: str
    value: Fraction
    reason: str = ""
    answer: str | None = None
    """What the evaluator read: the label or the field's value. Untrusted text."""
    forbidden: bool = False
    """Whether the answer contains text that its case forbids."""
    votes: tuple[Fraction | None, ...] = ()
    """Of several judges: the value that each alone gives, in the configured order. ``None``: it could not be
    reached."""


class EvaluatorFailure(Value):
    """A metric that could not be computed: a missing value, never 0."""

    metric: str
    message: str
    kind: ErrorKind | None = None
    """The kind of the judge's failure; ``None`` if no judge was asked."""
    hint: str = ""
    """How to fix it, if the kind doesn't tell."""
    case: str = ""
    """An own scorer: the id of the case. The message is the same for all that fail for one reason."""


Scores = tuple[Score | EvaluatorFailure, ...]
"""One entry for each metric of an evaluator, in order."""


class StoredCompletion(Value):
    """A row of the outcome store: content-addressed by request digest and repetition."""

    request_digest: str = Field(pattern="^[0-9a-f]{64}$")
    repetition: int = Field(ge=0)
    completion: Completion
    cost_usd: Usd
    """The real bill at the price of that time, with cache discounts."""
    neutral_cost_usd: Usd
    """The cost of the call without any cache."""
    price: JsonValue = None
    """The applied price, so that the row can be re-priced."""
    provider: str
    model: str
    created_at: str
    """UTC, ISO 8601."""


class Outcome(Value):
    """The result of one cell."""

    cell: Cell
    result: Completion | CompletionError
    scores: Scores = ()
    cost_usd: Usd = Decimal(0)
    neutral_cost_usd: Usd = Decimal(0)
    judge_cost_usd: Usd = Decimal(0)
    origin: Literal["call", "store", "identical"] = "call"
    """``identical``: the other arm sends the same request, so no call was needed."""
    made_at: float | None = None
    """Time of the answer, in seconds since 1970, as stored with it."""

    @property
    def forbidden(self) -> bool:
        """Whether the answer contains text that its case forbids."""
        return any(isinstance(score, Score) and score.forbidden for score in self.scores)


MetricKind = Literal["metric", "field", "dimension", "check", "preference", "usable"]
"""``preference``: compares both versions. ``usable``: whether an answer breaks no hard rule, beside a preference."""


class MetricSpec(Value):
    """A metric that an evaluator reports for every case."""

    name: str
    kind: MetricKind = "metric"
    gates: bool = True
    """False: the metric is shown, but never decides."""
