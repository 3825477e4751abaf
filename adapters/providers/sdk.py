"""The base of the two SDK providers: one timed and bounded call, with failures as values."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic import ValidationError

from adapters.masking import encodings
from adapters.providers.transport import BoundClient, BoundTransport, NoConnectionError, UnreadableAnswerError
from adapters.providers.wire import (
    FILTER_CODES,
    BrokenOffError,
    MalformedError,
    allowance,
    error_details,
    error_kind,
    retry_after_s,
    safe_message,
    strict_json,
)
from schemas.outcomes import Completion, CompletionError, ErrorKind, Finish, Usage
from schemas.prompts import Parameters, Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI


NOT_FOUND = "check base_url (it often ends in /v1) and the model's name"


class UnsupportedParameterError(ValueError):
    """A parameter that this API doesn't have."""


class SdkProvider(ABC):
    """``ModelProvider`` on an official SDK.

    The SDK builds, signs and sends the request, and classifies failures. This class reads the raw answer, strictly. The
    SDK's response models would cost more CPU than the rest of a call, and they accept malformed answers.
    """

    def __init__(self, origin: str, key: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> None:
        self._http = BoundClient(BoundTransport(origin, proxy=proxy, ca_bundle=ca_bundle))
        self._origin = origin.rstrip("/")
        self._key = key
        self._key_forms = [form.encode() for form in sorted(encodings(key), key=len, reverse=True)]
        self._client = self.open(origin, key, self._http)
        self._client._custom_headers = {}  # noqa: SLF001 - drops ANTHROPIC_CUSTOM_HEADERS, which could replace the key
        for name in ("openai", "anthropic", "httpx2"):
            logging.getLogger(name).setLevel(logging.WARNING)  # OPENAI_LOG=debug would print prompts

    @abstractmethod
    def open(self, origin: str, key: str, http: httpx2.AsyncClient) -> AsyncOpenAI | AsyncAnthropic:
        """Returns the SDK's client, without retries of its own."""

    @abstractmethod
    def written(self, request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Returns path, body and headers to add to the SDK's. Raises UnsupportedParameterError."""

    @abstractmethod
    def read(self, answer: dict[str, Any], latency_s: float, request: Request) -> Completion:
        """Returns the parsed answer. Raises MalformedError, BrokenOffError or pydantic's ValidationError."""

    def learns(self, request: Request, refusal: str) -> bool:  # noqa: ARG002 - subclasses use it
        """Returns whether a refused request would now be written differently. ``refusal`` is the provider's message."""
        return False

    async def complete(
        self,
        request: Request,
        *,
        repetition: int,  # noqa: ARG002 - seeds only what is simulated
        timeout_s: float,
    ) -> Completion | CompletionError:
        """Returns one attempt. The timeout is total: a body that drips doesn't prolong it."""
        started = time.monotonic()
        answer = await self._attempt(request, timeout_s)
        if isinstance(answer, CompletionError) and answer.kind is ErrorKind.BAD_REQUEST:
            left_s = timeout_s - (time.monotonic() - started)
            # A refused parameter costs nothing. Learning from the refusal saves a setting per server.
            if left_s > 0 and self.learns(request, answer.message):
                return await self._attempt(request, left_s)
        return answer

    async def _attempt(self, request: Request, timeout_s: float) -> Completion | CompletionError:
        try:
            path, body, headers = self.written(request)
        except UnsupportedParameterError as error:
            return CompletionError(kind=ErrorKind.BAD_REQUEST, message=str(error))
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._client.post(
                    self._origin + path,
                    body=body,
                    cast_to=httpx2.Response,
                    options={"headers": headers} if headers else {},
                )
        except TimeoutError:
            message = f"no answer within {timeout_s:g} s"
            return CompletionError(kind=ErrorKind.TIMEOUT, message=message, billed=True)
        except Exception as error:  # noqa: BLE001 - each SDK has its own exceptions; _failure sorts them
            return self._failure(error, request.model)
        return self._understood(answer, time.monotonic() - started, request)

    def _understood(self, answer: httpx2.Response, latency_s: float, request: Request) -> Completion | CompletionError:
        # Masked before it is parsed, so no field of the answer can contain the key.
        body = self._without_key(answer.content)
        try:
            value = strict_json(body, answer.headers.get("content-type", ""))
            # Some gateways report failures with status 200.
            if value.get("error"):
                return self._refused_in_200(body)
            completion = self.read(value, latency_s, request)
        except BrokenOffError as error:
            return CompletionError(kind=ErrorKind.SERVER, message=safe_message(str(error), self._key), billed=True)
        except MalformedError as error:
            return self._malformed(str(error))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            return self._malformed(f"the answer's {place}: {first['msg']}")
        left = allowance(answer.headers, datetime.now(UTC))
        return completion if left is None else completion.model_copy(update={"allowance": left})

    def _without_key(self, body: bytes) -> bytes:
        """Returns ``body`` with the key masked: a gateway may quote the key, and comments may quote the gateway."""
        for form in self._key_forms:
            if form in body:
                body = body.replace(form, "•••".encode())
        return body

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._client.close()
        await self._http.aclose()

    def _failure(self, error: Exception, model: str) -> Completion | CompletionError:
        response = getattr(error, "response", None)
        if isinstance(response, httpx2.Response):
            return self._refusal(response.status_code, response.content, response.headers, model)
        cause = error.__cause__ or error
        if isinstance(cause, UnreadableAnswerError):
            return self._malformed(str(cause))
        # Once the request was sent, the provider may bill it even if the answer was lost.
        sent = not isinstance(cause, httpx2.ConnectError | httpx2.UnsupportedProtocol)
        message = safe_message(str(cause) or type(cause).__name__, self._key)
        hint = cause.hint if isinstance(cause, NoConnectionError) else ""
        return CompletionError(kind=ErrorKind.TRANSPORT, message=message, hint=hint, billed=sent)

    def _refusal(
        self, status: int, body: bytes, headers: Mapping[str, str], model: str
    ) -> Completion | CompletionError:
        codes, message = error_details(body)
        if status == 400 and codes & FILTER_CODES:
            # A filtered prompt is an answer that scores 0, not a gap: it will be filtered in production too.
            return Completion(text="", finish=Finish.FILTER, usage=Usage(input=0, output=0), model=model, latency_s=0)
        kind = error_kind(status, codes, message)
        if kind is ErrorKind.REDIRECT:
            message = f"redirected to {headers.get('location', 'nowhere')}"
        return CompletionError(
            kind=kind,
            message=safe_message(f"{status} {message}".strip(), self._key),
            hint=NOT_FOUND if status == 404 else "",
            # Only for statuses that mean "later": elsewhere the header says nothing about our rate.
            retry_after_s=retry_after_s(headers, datetime.now(UTC)) if status in (429, 503, 529) else None,
        )

    def _refused_in_200(self, body: bytes) -> CompletionError:
        """Returns the failure that some gateways put into an answer with status 200."""
        codes, message = error_details(body)
        status = next((int(code) for code in codes if code.isdecimal() and len(code) == 3), 500)
        text = safe_message(f"200 with an error inside: {message}", self._key)
        return CompletionError(kind=error_kind(status, codes, message), message=text)

    def _malformed(self, why: str) -> CompletionError:
        return CompletionError(kind=ErrorKind.MALFORMED, message=safe_message(why, self._key), billed=True)


def refuse(parameters: Mapping[str, object], api: str, *names: str) -> None:
    """Raises UnsupportedParameterError if one of ``names`` is set. Ignoring it would measure another request."""
    for name in names:
        if parameters.get(name) not in (None, ()):
            raise UnsupportedParameterError(f"{api} has no parameter {name}")


def with_extra(fields: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    """Returns a body: the fields that are set, and the extra parameters.

    Raises UnsupportedParameterError if an extra parameter would replace our field."""
    body = {name: value for name, value in fields.items() if value is not None}
    for name, value in parameters.extra.items():
        ours = body.get(name)
        if ours is None:
            body[name] = value
        # Objects are joined if no key is in both: servers add options of their own to shared ones.
        elif isinstance(ours, dict) and isinstance(value, dict) and not ours.keys() & value.keys():
            body[name] = ours | value
        else:
            raise UnsupportedParameterError(f"extra can't replace {name}, which is already sent")
    return body
