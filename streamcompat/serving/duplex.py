"""A transport for httpx that reads while it writes, for `app.test_client`; it needs httpx.

The rule: what the server sends while a request is being sent is kept in memory, so a server that answers
early never waits for this client. httpx itself reads nothing before it has sent the whole request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import anyio
import httpcore
import httpx

_READ: Final = 64 * 1024
"""The most bytes of one read."""


class DuplexStream(httpcore.AsyncNetworkStream):
    """A connection that reads ahead while it writes."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._ahead = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._ahead:
            return await self._stream.read(max_bytes, timeout)
        data = bytes(self._ahead[:max_bytes])
        del self._ahead[:max_bytes]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read_ahead)
            try:
                await self._stream.write(buffer, timeout)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error  # raised outside of the group, which would wrap it
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _read_ahead(self) -> None:
        """Read until the writing is done; a read after it meets the end, or the error, again."""
        try:
            while data := await self._stream.read(_READ):
                self._ahead += data
        except httpcore.NetworkError:
            pass

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> DuplexStream:
        return DuplexStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> DuplexStream:
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return DuplexStream(stream)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    """The body of a response."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.aiter_stream():
                yield piece
        except _FAILURES as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


_FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


def _as_httpx(error: Exception) -> Exception:
    """The error of httpx that stands for one of httpcore; they have the same names."""
    kind = vars(httpx).get(type(error).__name__, httpx.TransportError)
    return kind(str(error)) if issubclass(kind, Exception) else error


class DuplexTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over connections that read while they write; certificates are not verified."""

    def __init__(self) -> None:
        context = httpx.create_ssl_context(verify=False)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=_Backend())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = await self._pool.handle_async_request(asked)
        except _FAILURES as error:
            raise _as_httpx(error) from error
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
