"""Facts about each model provider that need no call, one ``ProviderSpec`` each.

A new provider is an entry of ``PROVIDERS`` and the module that ``opens`` names. This module imports nothing of ours,
because the calling process reads it before anything else is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ProviderSpec:
    """Facts about a provider for planning, configuration and shells."""

    opens: str
    """``module:function``, which takes a ModelConfig and a Connection and returns a ModelProvider. Imported on use."""
    origin: str
    """Address of calls if a model has no ``base_url``."""
    own_origins: tuple[str, ...] = ()
    """Every spelling of the provider's own address that is allowed as ``base_url``."""
    key: str | None = None
    """The environment variable with the operator's key. ``None``: the provider makes no network calls."""
    sdk: str | None = None
    """The package of its official SDK, imported early if the key is set."""
    apis: tuple[str, ...] = ()
    """Values of ``api:`` in the configuration. The first is the default."""
    output_limit: int | None = None
    """Output limit in tokens if none is configured and the API requires one."""
    model_prefixes: tuple[str, ...] = ()
    """Prefixes of bare model ids, so that a prompt file may name a model that no configuration lists."""
    cheap_model: str | None = None
    """The model that ``doctor`` asks for one token."""
    first_model: str | None = None
    """The model that ``init`` proposes if this provider's key is set."""
    price: tuple[str, str] | None = None
    """USD per million tokens of input and output, for all of its models. ``None``: see the public price table."""
    price_table: str | None = None
    """Its name in the public price table. ``None``: models are looked up by their own name."""
    recorded: bool = False
    """Whether it answers from a file of the operator, which ``recording:`` names."""

    @property
    def host(self) -> str:
        """The host of its address: ``api.example.com``."""
        return self.origin.partition("://")[2].partition("/")[0]


PROVIDERS: dict[str, ProviderSpec] = {
    "anthropic": ProviderSpec(
        opens="adapters.providers.anthropic:opened",
        origin="https://api.anthropic.com",
        own_origins=("https://api.anthropic.com",),
        key="ANTHROPIC_API_KEY",
        sdk="anthropic",
        apis=("messages",),
        output_limit=4096,
        model_prefixes=("claude",),
        cheap_model="claude-haiku-4-5",
        first_model="claude-haiku-4-5",
        price_table="anthropic",
    ),
    "openai": ProviderSpec(
        opens="adapters.providers.openai:opened",
        origin="https://api.openai.com/v1",
        own_origins=("https://api.openai.com", "https://api.openai.com/v1"),
        key="OPENAI_API_KEY",
        sdk="openai",
        apis=("chat", "responses"),
        model_prefixes=("gpt-", "o1", "o3", "o4"),
        cheap_model="gpt-4.1-nano",
        first_model="gpt-4o-mini",
        price_table="openai",
    ),
    "offline": ProviderSpec(
        opens="demo.toy_model:opened",
        origin="offline:",
        output_limit=4096,  # like Anthropic's, so that the demo shows the effect of a limit
        model_prefixes=("offline-",),
        price=("1.00", "5.00"),  # invented, so that cost gates can be tried without a key
    ),
    "replay": ProviderSpec(opens="adapters.providers.replay:opened", origin="replay:", recorded=True),
}


def keys() -> dict[str, str]:
    """Returns the variable of the operator's key of each provider that has one, by provider."""
    return {name: spec.key for name, spec in PROVIDERS.items() if spec.key is not None}
