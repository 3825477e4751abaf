"""OpenAI and compatible servers: Chat Completions and Responses, through the official SDK."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from adapters.providers.connection import Connection
from adapters.providers.openai_chat import chat_body, read_chat
from adapters.providers.openai_responses import read_response, responses_body
from adapters.providers.sdk import SdkProvider
from schemas.config import ModelConfig
from schemas.outcomes import Completion
from schemas.prompts import Request
from schemas.providers import PROVIDERS

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

OWN_HOSTS = (PROVIDERS["openai"].host, ".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
LIMITS = ("max_tokens", "max_completion_tokens")
REASONING_MODEL = re.compile(r"(?:^|[/.:@])(?:o[1-9][0-9]*|gpt-(?:[5-9]|[1-9][0-9]+)|codex)(?:[-.:@]|$)")
"""Models that only accept the newer name of the output limit, on any gateway."""
NO_SUCH = re.compile(
    r"unsupported|not supported|unknown|unrecogni[sz]ed|not permitted|not allowed|unexpected|extra inputs"
)


def opened(model: ModelConfig, connection: Connection) -> OpenAiProvider:
    """Opens Chat Completions or the Responses API, of OpenAI or of a compatible server."""
    return OpenAiProvider(
        model.origin,
        connection.key,
        responses=model.api == "responses",
        proxy=connection.proxy,
        ca_bundle=connection.ca_bundle,
    )


class OpenAiProvider(SdkProvider):
    """Calls OpenAI's API. ``responses`` uses the Responses API instead of Chat Completions."""

    def __init__(
        self,
        origin: str,
        key: str,
        *,
        responses: bool = False,
        proxy: str | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        super().__init__(origin, key, proxy=proxy, ca_bundle=ca_bundle)
        self._responses = responses
        host = urlsplit(origin).hostname or ""
        self._own = host.endswith(OWN_HOSTS)
        self._google = host.endswith("googleapis.com")
        self._learned: dict[str, str] = {}
        """The name of the output limit by model, once the server has told it."""

    def open(self, origin: str, key: str, http: httpx2.AsyncClient) -> AsyncOpenAI:
        """Returns the SDK's client, without retries of its own."""
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=key, base_url=origin, max_retries=0, timeout=None, http_client=http)
        client.organization = client.project = None  # the environment's
        return client

    def written(self, request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Returns path, body and headers."""
        if self._responses:
            return "/responses", responses_body(request), {}
        return "/chat/completions", chat_body(request, own=self._own, limit=self._limit(request.model)), {}

    def read(self, answer: dict[str, Any], latency_s: float, request: Request) -> Completion:
        """Returns the completion of an answer."""
        of = read_response if self._responses else read_chat
        completion = of(answer, latency_s, asked=request.model, google=self._google)
        usage = completion.usage
        if usage is None or usage.web_searches or not _searches(request):
            return completion
        # One search for each call, as these models are charged.
        return completion.model_copy(update={"usage": usage.model_copy(update={"web_searches": 1})})

    def learns(self, request: Request, refusal: str) -> bool:
        """Switches to the other name of the limit if the server refuses the one that was sent."""
        sent = self._limit(request.model)
        other = LIMITS[LIMITS[0] == sent]
        said = refusal.lower()
        if self._responses or request.parameters.max_tokens is None or request.model in self._learned:
            return False
        # Only a refusal of this very parameter: others would be repeated for nothing.
        if not re.search(rf"\b{sent}\b", said) or not (other in said or NO_SUCH.search(said)):
            return False
        self._learned[request.model] = other
        return True

    def _limit(self, model: str) -> str:
        newer = self._own or REASONING_MODEL.search(model.lower()) is not None
        return self._learned.get(model, LIMITS[newer])


def _searches(request: Request) -> bool:
    """Returns whether every call is charged for a search that the usage doesn't report."""
    name = request.model.lower()
    return (
        "search-preview" in name
        or name.endswith(("search-api", ":online"))
        or bool({"web_search_options", "plugins"} & request.parameters.extra.keys())
    )
