"""Prompts as committed, and the requests made from them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from schemas.conversations import Step
from schemas.values import Value, canonical_json, digest_of


class Role(StrEnum):
    """The speaker of a message."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    """What newer OpenAI models call the system."""
    USER = "user"
    ASSISTANT = "assistant"


INSTRUCTING = (Role.SYSTEM, Role.DEVELOPER)
"""Roles that say what to do, and ask nothing."""


class Dialect(StrEnum):
    """The syntax of variables in a template. Only JINJA, HANDLEBARS and MUSTACHE have logic."""

    GITHUB = "github"
    """``{{name}}`` with dots and dashes allowed (GitHub .prompt.yml)."""
    JINJA = "jinja"
    """Jinja2, sandboxed."""
    BRACES = "braces"
    """``{name}`` (Studio YAML, str.format without its escapes); any other brace is literal."""
    FSTRING = "fstring"
    """``{name}`` as str.format reads it: ``{{`` and ``}}`` are braces, any other brace is an error (LangChain)."""
    SHELL = "shell"
    """``${name}`` and ``$name``; ``$$`` is a dollar sign (Python's string.Template)."""
    JAVASCRIPT = "javascript"
    """``${name}`` alone."""
    KERNEL = "kernel"
    """``{{$name}}`` (Semantic Kernel)."""
    GO = "go"
    """``{{.name}}``, without Go's actions."""
    HANDLEBARS = "handlebars"
    """Handlebars without HTML escapes, sandboxed."""
    MUSTACHE = "mustache"
    """Mustache without HTML escapes: variables and sections, sandboxed."""
    BRACKETS = "brackets"
    """``[[name]]``; only where the configuration says so."""
    ANGLES = "angles"
    """``<name>``; only where the configuration says so."""


LOGICAL = (Dialect.JINJA, Dialect.HANDLEBARS, Dialect.MUSTACHE)
"""Dialects that are rendered in the sandbox."""


class RoleSyntax(StrEnum):
    """How a rendered text is split into messages."""

    PROMPTY = "prompty"
    """A line ``system:`` or ``# user:`` starts a message; text before the first is the system's."""
    PROMPTFLOW = "promptflow"
    """The same lines. Jinja drops the line break after a tag."""
    DOTPROMPT = "dotprompt"
    """``{{role "system"}}`` starts a message; text before the first is the user's."""


class Message(Value):
    """One message. ``content`` is a template in a PromptFile and final text in a Request."""

    role: Role
    content: str


LIMIT_NAMES = ("max_completion_tokens", "max_output_tokens")
"""Output limit; some APIs call it ``max_tokens``."""
NOT_EXTRA = frozenset({
    "model", "messages", "input", "system", "instructions", "prompt", "stream", "stream_options", "n",
    "best_of", "background", "store", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens",
    "max_output_tokens", "seed", "stop", "stop_sequences", "frequency_penalty", "presence_penalty",
    "response_format", "json_schema", "tools", "reasoning",
})  # fmt: skip
"""Keys that ``extra`` can't have: they have a field of their own, or would make answers unreadable or unbillable."""


class Parameters(Value):
    """Parameters sent with the messages. ``None``: not sent."""

    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, gt=0)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2, allow_inf_nan=False)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2, allow_inf_nan=False)
    response_format: str | None = Field(default=None, pattern="^(text|json_object|json_schema)$")
    json_schema: dict[str, JsonValue] | None = None
    """``{"name": …, "schema": {…}}`` if ``response_format`` is json_schema."""
    tools: tuple[dict[str, JsonValue], ...] = ()
    """Tool definitions, passed through unchanged."""
    reasoning: dict[str, JsonValue] | None = None
    """Provider-specific reasoning or thinking settings, passed through unchanged."""
    extra: dict[str, JsonValue] = {}
    """Other parameters of the API, added to the body unchanged: ``{verbosity: low}``."""

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_the_limit(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        # Two limits at once have no defined order, so neither may win silently.
        named = [name for name in ("max_tokens", *LIMIT_NAMES) if name in given]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are the same setting; keep one of them")
        return {"max_tokens" if name in named else name: value for name, value in given.items()}

    @field_validator("extra")
    @classmethod
    def _has_no_other_place(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := sorted(NOT_EXTRA & extra.keys()):
            raise ValueError(f"extra can't contain {taken[0]}; write it beside extra, if it can be set at all")
        return extra

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Omits an empty ``extra``, so that requests keep the digests from before it existed."""
        written: dict[str, object] = write(self)
        if not self.extra:
            written.pop("extra", None)
        return written


class ChoiceScore(Value):
    """One possible answer of a judge in a GitHub prompt file, and its score."""

    choice: str
    score: float


class InlineEvaluator(Value):
    """An entry of ``evaluators`` in a GitHub prompt file: exactly one of the three kinds."""

    name: str
    equals: str | None = None
    contains: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    judge_model: str | None = None
    judge_prompt: str | None = None
    judge_system_prompt: str | None = None
    choices: tuple[ChoiceScore, ...] = ()
    uses: str | None = Field(default=None, pattern=r"^github/(similarity|relevance|coherence|fluency|groundedness)$")


class Finding(Value):
    """A finding for people: what, where (``file:line``), and how to fix it."""

    what: str
    where: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}{f' ({self.hint})' if self.hint else ''}"


class Origin(Value):
    """The place of a message that was read from a part of a file."""

    path: str
    key: str
    """The constant or key; empty: the whole file."""
    lines: tuple[tuple[int, int], ...]
    """First and last line of everything that it is made of, the constant itself first."""

    def __str__(self) -> str:
        first, last = self.lines[0]
        lines = f"line {first}" if first == last else f"lines {first}–{last}"
        return f"{self.path}#{self.key} ({lines})" if self.key else self.path


class PromptFile(Value):
    """A prompt as parsed by one reader. Immutable. ``digest`` covers what a model would see."""

    path: str
    """The path in the repository, ``/``-separated. For a folder pair, the folder; for a reference, the places."""
    format: str
    """The reader's name: ``github``, ``prompty``, ``plain`` …"""
    dialect: Dialect
    messages: tuple[Message, ...] = Field(min_length=1)
    roles: RoleSyntax | None = None
    """How the rendered text of the one message is split into messages; ``None``: not at all."""
    defaults: dict[str, JsonValue] = {}
    """Values of variables that a case doesn't give."""
    guessed: bool = False
    """Whether the format leaves the dialect open: the configuration may say it, and the cases' inputs tell it."""
    asks: str | None = None
    """The input that was added as the user's message, since the prompt asks nothing itself."""
    name: str | None = None
    description: str | None = None
    model: str | None = None
    """The model that the file names, as written."""
    parameters: Parameters = Parameters()
    test_data: tuple[dict[str, JsonValue], ...] = ()
    evaluators: tuple[InlineEvaluator, ...] = ()
    origins: tuple[Origin, ...] = ()
    """Of a reference: where its messages were read, but for the one that ``asks``."""
    partials: tuple[str, ...] = ()
    """Paths of shared partials that were included."""
    included: dict[str, str] = {}
    """Text of every partial, by the name with which the template includes it, as a RenderJob needs it."""
    unread: dict[str, JsonValue] = {}
    """Values in the file that the reader ignores, by their place. Their changes can't be measured."""
    warnings: tuple[Finding, ...] = ()

    @property
    def text(self) -> tuple[object, ...]:
        """Everything that the template engine reads."""
        return self.dialect, self.messages, self.included, self.roles, self.defaults

    @cached_property
    def digest(self) -> str:
        """Equal exactly if messages, dialect, included partials, model and parameters are equal."""
        return digest_of(
            [
                self.dialect,
                [m.model_dump() for m in self.messages],
                self.included,
                self.model,
                self.parameters.model_dump(mode="json"),
                *([[self.roles, self.defaults]] if self.roles or self.defaults else []),
            ]
        )


class Request(Value):
    """One complete call to a model. The store's key is derived from it."""

    provider: str
    """``anthropic``, ``openai``, ``offline`` or ``replay``."""
    origin: str
    """The base URL of the call; ``offline:`` for the offline model, ``replay:…`` for a recording."""
    api: str | None = None
    """``responses`` for OpenAI's Responses API, else the provider's usual one."""
    model: str
    messages: tuple[Message, ...]
    steps: tuple[Step, ...] = ()
    """The conversation so far, after the prompt's own messages."""
    parameters: Parameters

    @cached_property
    def digest(self) -> str:
        """Content address: 64 hexadecimal digits."""
        return digest_of(self._content())

    def digests(self, messages: Iterable[tuple[Message, ...]]) -> list[str]:
        """Returns the digest of this request with each of these messages instead of its own."""
        content = self._content()
        # The keys of canonical JSON are sorted, so only its middle differs.
        head = canonical_json({name: value for name, value in content.items() if name < "messages"})[:-1]
        tail = canonical_json({name: value for name, value in content.items() if name > "messages"})[1:]
        head += b',"messages":' if len(head) > 1 else b'"messages":'
        every = (canonical_json([{"role": one.role, "content": one.content} for one in each]) for each in messages)
        return [sha256(b"%b%b,%b" % (head, text, tail)).hexdigest() for text in every]

    def _content(self) -> dict[str, object]:
        # What is absent is left out, so that stored answers from before the field existed keep their keys.
        absent = {name for name in ("api", "steps") if not getattr(self, name)}
        return self.model_dump(mode="json", exclude=absent)

    def sending(self, messages: tuple[Message, ...], digest: str | None = None) -> Request:
        """Returns this request with other messages. ``digest``: that of the result, if it is known."""
        made = self.model_copy(update={"messages": messages})
        if digest is not None:
            made.__dict__["digest"] = digest
        return made
