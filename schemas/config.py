"""``promptverdict.yaml`` as it is written, with its defaults. Reading it is engine/readers/config.py."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.gate_config import GateConfig
from schemas.pricing import Price, Usd
from schemas.prompts import Parameters
from schemas.providers import PROVIDERS, ProviderSpec
from schemas.testsets import Columns
from schemas.use_cases import USE_CASES
from schemas.values import Fraction, Value

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _known_provider(name: str) -> str:
    return _known(name, PROVIDERS)


def _known_use_case(name: str) -> str:
    return _known(name, USE_CASES)


def _known(name: str, registered: Collection[str]) -> str:
    if name not in registered:
        raise PydanticCustomError("enum", "Input should be {expected}", {"expected": ", ".join(registered)})
    return name


def _provider_names(schema: dict[str, Any]) -> None:
    schema["enum"] = list(PROVIDERS)


def _use_case_names(schema: dict[str, Any]) -> None:
    schema["enum"] = list(USE_CASES)


def _apis(schema: dict[str, Any]) -> None:
    schema["enum"] = [api for spec in PROVIDERS.values() for api in spec.apis]


class ModelConfig(Value):
    """A model that lineages name."""

    provider: Annotated[str, AfterValidator(_known_provider), WithJsonSchema({"type": "string"})] = Field(
        json_schema_extra=_provider_names
    )
    """Whose API it speaks: a name in schemas/providers.py."""
    model: str = Field(min_length=1)
    """As the provider calls it."""
    api: str | None = Field(default=None, json_schema_extra=_apis)
    """OpenAI only: Chat Completions (``chat``, the default) or Responses (``responses``)."""
    parameters: Parameters = Parameters()
    """What is sent with every request; what a prompt file says goes before it."""
    base_url: str | None = None
    """Another origin that speaks the same API: https, or http on this machine. It needs a key of its own."""
    api_key_env: str | None = Field(default=None, pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable with the key for ``base_url``."""
    price: Price | None = None
    """USD per million tokens; without it the public price table. A model without a price is an error."""
    recording: str | None = None
    """``replay`` only: the operator's file of recorded outcomes."""

    @property
    def spec(self) -> ProviderSpec:
        """What is known about its provider."""
        return PROVIDERS[self.provider]

    @property
    def origin(self) -> str:
        """Where calls go, and the one place that the key is sent to; for a recording its file."""
        return self.base_url.rstrip("/") if self.base_url else self.spec.origin + (self.recording or "")

    @property
    def default_limit(self) -> int | None:
        """The output limit that is sent if none is configured: none, unless the API requires one."""
        return self.spec.output_limit

    @property
    def unusual_api(self) -> str | None:
        """The API of a ``Request`` to this model: nothing where it is the one that goes without saying."""
        return None if self.api in self.spec.apis[:1] else self.api


class Defaults(Value):
    """What a lineage gets that doesn't say."""

    model: str | tuple[str, ...] | None = None
    """A name under ``models``, or several: an experiment each."""


class RunConfig(Value):
    """How the calls are made. A lineage's own hold for its calls, within the run's concurrency and deadline."""

    max_concurrency: int = Field(default=64, ge=1, le=1024)
    """Calls under way at once, at most: each key's own limit is found out."""
    timeout_s: float = Field(default=120, gt=0, le=3600)
    """Seconds for one call, retries included."""
    deadline_s: float = Field(default=3600, gt=0)
    """Seconds for the whole run."""
    max_age: str = Field(default="72h", pattern=r"^[1-9][0-9]*(m|h|d)$")
    """How long a stored answer stands for a new call: minutes, hours or days."""


def duration(text: str) -> timedelta:
    """Returns ``72h``, ``30m`` or ``3d`` as a time span; ``text`` has the form of ``RunConfig.max_age``."""
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[text[-1]]
    return int(text[:-1]) * unit


class Budget(Value):
    """What a run may cost at most; a lineage's own cap lies within it."""

    per_run_usd: Usd = Decimal("5.00")
    """A hard cap; calls under way count at their worst case."""


class Mode(StrEnum):
    """Whether the check blocks or only informs."""

    ENFORCE = "enforce"
    INFORM = "inform"


class CommentPolicy(StrEnum):
    """When a pull-request comment is written. One that stands is always brought up to date."""

    ALWAYS = "always"
    CHANGES = "changes"
    """Where something that we look at changes. The default: on every other pull request the status says enough, and a
    comment that says nothing teaches people not to read ours."""
    FAILURES = "failures"
    """Where the check doesn't pass."""
    OFF = "off"


class FieldKind(StrEnum):
    """How one extracted field is compared."""

    EXACT = "exact"
    NORMALISED = "normalised"
    NUMBER = "number"
    DATE = "date"
    SET = "set"
    FUZZY = "fuzzy"
    ABSENT = "absent"


class FieldRule(Value):
    """The rule of one extracted field."""

    kind: FieldKind = FieldKind.NORMALISED
    """How the values are compared."""
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """``number``: absolute; ``date``: days."""
    match: Literal["exact", "normalised", "fuzzy"] = "normalised"
    """``set``: how members are matched."""
    threshold: Fraction = 0.9
    """``fuzzy``: similarity from which on two texts are the same."""


class JudgeConfig(Value):
    """Who grades generated text."""

    model: str
    """A name under ``models``."""
    labels: str | None = None
    """People's grades of sample answers, for calibration."""


class Check(Value):
    """A deterministic rule on the output, of any use case; exactly one kind is set."""

    name: str
    """How the scorecard calls it."""
    equals: str | None = None
    """The whole output, blanks around it aside."""
    contains: str | None = None
    """A text that must occur, whatever its case."""
    not_contains: str | None = None
    """A text that must not occur, whatever its case."""
    regex: str | None = None
    """RE2 syntax."""
    max_words: int | None = Field(default=None, gt=0)
    """Words of the output, at most."""
    json_schema: dict[str, JsonValue] | None = None
    """The output is JSON that this JSON Schema allows."""


class LineageConfig(Value):
    """One lineage: a prompt, its tests and how it is judged. Paths are relative to the configuration's folder."""

    use_case: Annotated[str, AfterValidator(_known_use_case), WithJsonSchema({"type": "string"})] = Field(
        json_schema_extra=_use_case_names
    )
    """How it is scored: a name in schemas/use_cases.py."""
    prompt: str
    """A file, or a folder with ``system.md`` and ``user.md``."""
    tests: str | None = None
    """``None``: the prompt's inline ``testData``."""
    columns: Columns | None = None
    """Which keys of the test set are inputs and expectations, where their names don't say it."""
    model: str | tuple[str, ...] | None = None
    """A name under ``models``, or several; before what the prompt file and ``defaults`` name."""
    labels: tuple[str, ...] = ()
    """Classification: every label there is."""
    multi_label: bool = False
    """Classification: a case may have several labels."""
    fields: dict[str, FieldRule] = {}
    """Extraction: a rule for each field; ``address.city`` is the city inside the address."""
    rubric: str | None = None
    """Generation: what a judge grades by (``promptverdict schema rubric``)."""
    judge: JudgeConfig | None = None
    """Who grades by the rubric."""
    checks: tuple[Check, ...] = ()
    """Rules on the output that need no judge."""
    reference: str | None = None
    """A prompt that a new lineage is compared with."""
    static: bool = False
    """Whether the prompt takes no inputs, so that every case sends the same request."""
    gate: GateConfig | None = None
    """Laid over the ``gate`` of the whole file."""
    run: RunConfig | None = None
    """Laid over the ``run`` of the whole file."""
    budget: Budget | None = None
    """Its own cap within the cap of the run."""


class Uncovered(StrEnum):
    """What a change of a prompt means that no lineage covers."""

    WARN = "warn"
    NEEDS_REVIEW = "needs_review"
    IGNORE = "ignore"


class Config(Value):
    """One ``promptverdict.yaml``."""

    version: Literal[1]
    """Of this format."""
    models: dict[Name, ModelConfig] = {}
    """The models that lineages and judges may use, by a name of yours."""
    defaults: Defaults = Defaults()
    """What a lineage gets that doesn't say."""
    run: RunConfig = RunConfig()
    """How calls are made."""
    budget: Budget = Budget()
    """What a pull request may cost."""
    gate: GateConfig = GateConfig()
    """How strict it is, for every lineage that doesn't say."""
    mode: Mode = Mode.ENFORCE
    """Whether the check blocks, or passes whatever the verdict is."""
    comment: CommentPolicy = CommentPolicy.CHANGES
    """When a pull request gets a comment."""
    uncovered: Uncovered = Uncovered.WARN
    """What a change of a file means that looks like a prompt and that no lineage names."""
    lineages: dict[Name, LineageConfig] = {}
    """The prompts that are gated, by name."""
