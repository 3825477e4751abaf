"""The transport below the official SDKs: bounded, tied to one origin, independent of the environment.

Both SDKs use httpx2. Its own connection pool costs more CPU per call than everything else we do, so aiohttp carries the
bytes (benchmarks/throughput.py). The SDKs read environment variables that could send a key elsewhere or add headers.
This layer below them prevents that.
"""

from __future__ import annotations

import ssl
import zlib
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2

CONNECT_S = 5.0
MOST_BYTES = 8 << 20
"""Most bytes of one answer. The longest outputs are a few hundred kilobytes."""
HEADERS = {
    b"accept", b"anthropic-beta", b"anthropic-version", b"authorization", b"content-length", b"content-type",
    b"idempotency-key", b"user-agent", b"x-api-key",
}  # fmt: skip
"""Headers that may be sent. Others may come from an environment variable or a file."""


class UnreadableAnswerError(httpx2.RemoteProtocolError):
    """The answer is too large, or has an unrequested compression."""


class NoConnectionError(httpx2.ConnectError):
    """There is no connection. ``hint`` says how to fix it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _why_not(error: aiohttp.ClientError, host: str) -> tuple[str, str]:
    """Returns why there is no connection, and how to fix it."""
    behind = "behind a proxy, set PROMPTVERDICT_PROXY"
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        said = f"{error.status} {error.message}" if isinstance(error, aiohttp.ClientHttpProxyError) else str(error)
        return f"no connection to {host}: the proxy refused: {said}", "check PROMPTVERDICT_PROXY"
    if isinstance(error, aiohttp.ClientSSLError):
        return (
            f"no connection to {host}: its certificate is not trusted: {error}",
            "check base_url; if a host or proxy has its own certificate authority, add that to PROMPTVERDICT_CA_BUNDLE",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no connection to {host}: its name can't be resolved: {error}", f"check base_url; {behind}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection to {host} within {CONNECT_S:g} s", f"check base_url and the firewall; {behind}"
    return f"no connection to {host}: {error}", f"check that the server runs and that base_url is right; {behind}"


class BoundTransport(httpx2.AsyncBaseTransport):
    """Sends only to ``origin``. ``proxy`` and ``ca_bundle`` (a file of certificates) are the operator's."""

    def __init__(self, origin: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> None:
        self._origin = _place(origin)
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request and returns the complete response. Raises httpx2's errors, which the SDKs understand."""
        url = str(request.url)
        # The last line of defense: whatever an SDK or a setting decides, the key goes to one origin only.
        if _place(url) != self._origin:
            raise httpx2.UnsupportedProtocol(f"a request to {request.url.host} is not for this key's origin")
        # An allowlist, since SDKs add telemetry headers and read extra ones from the environment.
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw if k.lower() in HEADERS]
        try:
            async with self._opened().request(
                request.method, url, headers=headers, data=request.content, allow_redirects=False, proxy=self._proxy
            ) as answer:
                # Refused before reading: a wrong address may serve a file of any size.
                if (answer.content_length or 0) > MOST_BYTES:
                    raise UnreadableAnswerError(f"the answer has {answer.content_length} bytes")
                # A known length was checked above. A chunked answer is bounded while it is read.
                body = await answer.content.read(-1) if answer.content_length is not None else await _bounded(answer)
                got = answer.raw_headers
                if (packing := answer.headers.get("Content-Encoding")) is not None:
                    body = _unpacked(body, packing)
                    # The body is plain now. The header would make httpx2 unpack it again.
                    got = tuple(pair for pair in got if pair[0].lower() != b"content-encoding")
                return httpx2.Response(answer.status, headers=got, content=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError) as error:
            raise NoConnectionError(*_why_not(error, request.url.host)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ReadError(f"the connection broke: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit of connections here: the rate limiter above decides how many calls are in flight.
            secure = self._origin[0] == "https"
            connector = aiohttp.TCPConnector(
                limit=0, keepalive_timeout=60, ssl=self._certificates() if secure else False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                # A cookie would tie calls together that must be independent.
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                # The total is the caller's, which also covers the time in the SDK.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            )
        return self._session

    def _certificates(self) -> ssl.SSLContext:
        """Returns a context that trusts certifi's and the operator's certificates. Unlike the default one, it reads no
        variables."""
        import certifi

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certifi.where())
        if self._ca_bundle:
            context.load_verify_locations(self._ca_bundle)
        return context


class BoundClient(httpx2.AsyncClient):
    """A minimal httpx2 client for the SDKs.

    A real client's settings, cookies, authentication, redirects and hooks, which we don't use, cost a fifth of each
    call. This one builds a request from the SDK's arguments and sends it.
    """

    def __init__(self, transport: BoundTransport) -> None:
        super().__init__(transport=transport, trust_env=False, follow_redirects=False)
        self._bound = transport
        self._urls: dict[str, httpx2.URL] = {}

    def build_request(self, method: str, url: httpx2.URL | str, **given: Any) -> httpx2.Request:
        """Returns a request with exactly these headers and this body."""
        address = str(url)
        # Parsed once for each path: a provider calls the same address thousands of times.
        if address not in self._urls:
            self._urls[address] = httpx2.URL(address)
        return httpx2.Request(method, self._urls[address], headers=given["headers"], content=given["content"])

    async def send(self, request: httpx2.Request, **_: Any) -> httpx2.Response:
        """Sends the request and returns the complete response."""
        response = await self._bound.handle_async_request(request)
        response.request = request
        return response


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise UnreadableAnswerError(f"the answer has more than {MOST_BYTES} bytes")
    return bytes(body)


def _unpacked(body: bytes, packing: str) -> bytes:
    """Returns the bytes of an answer that a gateway compressed unasked. A small answer may unpack to gigabytes, so this
    is bounded."""
    if packing.strip().lower() == "identity":
        return body
    if packing.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableAnswerError(f"the answer is packed with {packing[:20]!r}, which was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # detects gzip and zlib
    try:
        whole = unpacker.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise UnreadableAnswerError(f"the answer can't be unpacked: {error}") from None
    if not unpacker.eof:
        raise UnreadableAnswerError(f"the answer is cut off or has more than {MOST_BYTES} bytes")
    return whole


def _place(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
