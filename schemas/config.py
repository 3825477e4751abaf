"""``promptverdict.yaml`` with its defaults. engine/readers/config.py reads it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.check_config import Check
from schemas.conversations import MAX_STEPS
from schemas.field_config import FieldRule
from schemas.gate_config import GateConfig
from schemas.output_config import OutputConfig
from schemas.pricing import Price, Usd
from schemas.prompts import Dialect, Parameters
from schemas.providers import PROVIDERS, ProviderSpec
from schemas.references import PromptParts
from schemas.testsets import Columns
from schemas.use_cases import USE_CASES
from schemas.values import Value

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
    """The provider of its API: a name in schemas/providers.py."""
    model: str = Field(min_length=1)
    """The provider's name of the model."""
    api: str | None = Field(default=None, json_schema_extra=_apis)
    """OpenAI only: Chat Completions (``chat``, the default) or Responses (``responses``)."""
    parameters: Parameters = Parameters()
    """Parameters of every request. A prompt file's own parameters override them."""
    base_url: str | None = None
    """Another address with the same API: https, or http on this machine. It needs a key of its own."""
    api_key_env: str | None = Field(default=None, pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable with the key for ``base_url``."""
    price: Price | None = None
    """USD per million tokens. By default, from the public price table. A model without a known price is an error."""
    recording: str | None = None
    """``replay`` only: the operator's file of recorded outcomes."""

    @property
    def spec(self) -> ProviderSpec:
        """The facts about its provider."""
        return PROVIDERS[self.provider]

    @property
    def origin(self) -> str:
        """The address of calls, and the only address that gets the key. For a recording, its file."""
        return self.base_url.rstrip("/") if self.base_url else self.spec.origin + (self.recording or "")

    @property
    def default_limit(self) -> int | None:
        """The output limit to send if none is configured: none, unless the API requires one."""
        return self.spec.output_limit

    @property
    def unusual_api(self) -> str | None:
        """The API of a ``Request`` to this model, or ``None`` for the provider's usual one."""
        return None if self.api in self.spec.apis[:1] else self.api


class Defaults(Value):
    """Defaults of lineages."""

    model: str | tuple[str, ...] | None = None
    """A name under ``models``, or several. Each is a separate experiment."""


class RunConfig(Value):
    """Settings of calls. A lineage's own apply to its calls, within the run's concurrency and deadline."""

    max_concurrency: int = Field(default=64, ge=1, le=1024)
    """Most concurrent calls. Each key's own limit is found automatically."""
    timeout_s: float = Field(default=120, gt=0, le=3600)
    """Seconds for one call, including retries."""
    deadline_s: float = Field(default=3600, gt=0)
    """Seconds for the whole run."""
    max_age: str = Field(default="72h", pattern=r"^[1-9][0-9]*(m|h|d)$")
    """How long a stored answer replaces a new call, in minutes, hours or days."""


def duration(text: str) -> timedelta:
    """Returns ``72h``, ``30m`` or ``3d`` as a time span; ``text`` has the form of ``RunConfig.max_age``."""
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[text[-1]]
    return int(text[:-1]) * unit


class Budget(Value):
    """The most that a run may cost. A lineage's own cap is within it."""

    per_run_usd: Usd = Decimal("5.00")
    """A hard cap. Calls in flight count at their worst case."""


class Explain(Value):
    """Finding the part of a change that breaks cases, after a verdict that doesn't approve."""

    budget_usd: Usd | None = None
    """The most that it may cost, within what the run has left. By default, a tenth of ``budget.per_run_usd``. 0
    switches it off."""


class Suggest(Value):
    """Suggested edits by the bot (``/verdict suggest``)."""

    budget_usd: Usd = Decimal(0)
    """The most that one may cost. 0 switches them off."""
    model: str | None = None
    """The model that edits, a name under ``models``. By default, the lineage's judge."""


class Mode(StrEnum):
    """Whether the check blocks or only informs."""

    ENFORCE = "enforce"
    INFORM = "inform"


class CommentPolicy(StrEnum):
    """When a pull-request comment is written. An existing comment is always updated."""

    ALWAYS = "always"
    CHANGES = "changes"
    """If a watched file changes (the default). On other pull requests the status suffices, and empty comments would
    teach people to ignore ours."""
    FAILURES = "failures"
    """If the check doesn't pass."""
    OFF = "off"


class JudgeMode(StrEnum):
    """What a judge says about an answer."""

    GRADES = "grades"
    """A grade from 1 to 5 for each answer by itself."""
    PAIRWISE = "pairwise"
    """Whether it is better than the other version's answer to the same case. Both orders are asked about."""


class JudgeConfig(Value):
    """The judge of generated text."""

    model: str | tuple[str, ...]
    """A name under ``models``, or several: the median of their grades counts."""
    labels: str | None = None
    """People's grades of sample answers, for calibration."""
    mode: JudgeMode = JudgeMode.GRADES
    """``grades`` of each answer, or ``pairwise`` comparisons of the versions' answers."""

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all judges."""
        return (self.model,) if isinstance(self.model, str) else self.model


class ScorerKind(StrEnum):
    """What an own scorer's value is."""

    METRIC = "metric"
    """A score. It is the overall score of generated text without a rubric, else one beside the others."""
    CHECK = "check"
    """Passed or not. An answer that doesn't pass scores 0 overall."""


class ScorerConfig(Value):
    """A team's own scorer."""

    file: str
    """A Python file with ``def handler(output, expected)``, always that of the base commit."""
    kind: ScorerKind = ScorerKind.METRIC
    """What it returns: a ``metric`` from 0 to 1, or a ``check``."""


class ProductionConfig(Value):
    """What the bot keeps of this prompt's calls in production. Figures are always kept, content is not."""

    content: float = Field(default=0.0, ge=0, le=1)
    """The share of traces whose inputs and outputs are kept, from 0 (none) to 1 (all). They may be personal data."""
    content_days: int = Field(default=14, ge=1, le=365)
    """Days until kept content is deleted."""


class LineageConfig(Value):
    """One lineage: a prompt, its tests and how it is judged. Paths are relative to the configuration's folder."""

    use_case: Annotated[str, AfterValidator(_known_use_case), WithJsonSchema({"type": "string"})] = Field(
        json_schema_extra=_use_case_names
    )
    """The use case, which decides the scoring: a name in schemas/use_cases.py."""
    prompt: str | PromptParts
    """A file; a folder with ``system.md`` and ``user.md``; ``file#name`` for a constant or a key; or a map of parts."""
    tests: str | tuple[str, ...] | None = None
    """A file, or several; ``*``, ``**`` and ``?`` stand for parts of names. ``None``: the prompt's ``testData``."""
    columns: Columns | None = None
    """Which keys of the test set are inputs and expectations, where their names don't say it."""
    model: str | tuple[str, ...] | None = None
    """A name under ``models``, or several. Overrides the prompt file's model and ``defaults``."""
    labels: tuple[str, ...] = ()
    """Classification: all labels."""
    multi_label: bool = False
    """Classification: a case may have several labels."""
    aliases: dict[str, tuple[str, ...]] = {}
    """Classification: other spellings of a label that count as the label."""
    defer: tuple[str, ...] = ()
    """Classification: answers such as ``unknown`` that choose no label. Their share is shown."""
    ordinal: bool = False
    """Classification: the labels are in order, so a near miss scores more than a far one."""
    costs: dict[str, dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]] = {}
    """Classification: what a mistake costs, by expected and given label. Unlisted mistakes cost 1."""
    fields: dict[str, FieldRule] = {}
    """Extraction: a rule for each field; ``address.city`` is the city inside the address."""
    tools: str | None = None
    """Agent: a JSON file with the definitions of its tools. It is part of the prompt, so its changes are measured."""
    max_steps: int = Field(default=10, ge=1, le=MAX_STEPS)
    """Agent: most answers of the model in one conversation. A case that reaches it fails."""
    rubric: str | None = None
    """Generation: the rubric of the judge (``promptverdict schema rubric``)."""
    judge: JudgeConfig | None = None
    """The judge that grades by the rubric."""
    checks: tuple[Check, ...] = ()
    """Rules on the output that need no judge."""
    scorer: str | ScorerConfig | None = None
    """A scorer of your own: a Python file of the base commit."""
    canary: str | tuple[str, ...] = ()
    """A text of the prompt that no answer may contain, or several."""
    output: OutputConfig | None = None
    """The form that an answer must have. Without it, answers are repaired, and every format may vary."""
    reference: str | None = None
    """The reference prompt for a new lineage."""
    static: bool = False
    """Whether the prompt takes no inputs, so that every case sends the same request."""
    template: Dialect | None = None
    """How variables are written, for a format that leaves it open; else its text and the cases' inputs tell."""
    gate: GateConfig | None = None
    """Overrides the ``gate`` of the whole file."""
    run: RunConfig | None = None
    """Overrides the ``run`` of the whole file."""
    budget: Budget | None = None
    """Its own cap within the cap of the run."""
    production: ProductionConfig | None = None
    """What the bot keeps of its calls in production."""

    @property
    def pairwise(self) -> bool:
        """Whether the judge compares the answers of both versions."""
        return self.judge is not None and self.judge.mode is JudgeMode.PAIRWISE

    @property
    def own_scorer(self) -> ScorerConfig | None:
        """Its own scorer, in the long form."""
        return ScorerConfig(file=self.scorer) if isinstance(self.scorer, str) else self.scorer

    @property
    def canaries(self) -> tuple[str, ...]:
        """Its canaries."""
        return (self.canary,) if isinstance(self.canary, str) else self.canary

    @property
    def test_paths(self) -> tuple[str, ...]:
        """The paths and patterns of its test set, as written."""
        return (self.tests,) if isinstance(self.tests, str) else self.tests or ()


class Uncovered(StrEnum):
    """The effect of a changed prompt that no lineage covers."""

    WARN = "warn"
    NEEDS_REVIEW = "needs_review"
    IGNORE = "ignore"


class TagsConfig(Value):
    """Rules for the tags of the hub."""

    immutable: tuple[Annotated[str, Field(pattern=r"^[a-z*][a-z0-9._*-]{0,62}$")], ...] = ()
    """Tags that never move once they have a version, such as ``v*``."""
    follow: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$")
    """A file on the default branch that says which commit's prompts each tag has."""


class Config(Value):
    """One ``promptverdict.yaml``."""

    version: Literal[1]
    """Of this format."""
    models: dict[Name, ModelConfig] = {}
    """The models that lineages and judges may use, by a name of your choice."""
    defaults: Defaults = Defaults()
    """Defaults of lineages."""
    run: RunConfig = RunConfig()
    """Settings of calls."""
    budget: Budget = Budget()
    """The most that a pull request may cost."""
    explain: Explain = Explain()
    """Finding the part of a change that breaks cases."""
    suggest: Suggest = Suggest()
    """Suggested edits by the bot."""
    gate: GateConfig = GateConfig()
    """How strict the gate is. Lineages may override it."""
    mode: Mode = Mode.ENFORCE
    """Whether the check blocks, or always passes."""
    comment: CommentPolicy = CommentPolicy.CHANGES
    """When a pull request gets a comment."""
    uncovered: Uncovered = Uncovered.WARN
    """The effect of a changed file that looks like a prompt and belongs to no lineage."""
    lineages: dict[Name, LineageConfig] = {}
    """The prompts that are gated, by name."""
    tags: TagsConfig = TagsConfig()
    """Tags of the hub, whose versions applications read."""
