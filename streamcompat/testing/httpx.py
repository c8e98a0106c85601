"""An in-memory transport for httpx that streams in both directions; needs httpx.

The rule: httpx builds the request and reads the response; `Client` carries both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from streamcompat.testing.applications import AnyApp
from streamcompat.testing.client import Client
from streamcompat.testing.connection import Stream

try:
    import httpx
except ImportError as _error:
    raise ImportError("streamcompat.testing.httpx needs httpx: pip install httpx") from _error


class StreamTransport(httpx.AsyncBaseTransport):
    """Serves an app to an `httpx.AsyncClient`, which must be used in an `async with` block.

    Each request has its own connection. Its body is sent while the response is read, so that an echo can be
    read piece by piece. A connection closed without a response, or in the middle of one, raises httpx's
    RemoteProtocolError; a response that does not arrive in time raises its ReadTimeout.

    Args:
        app, options: as for `Client`.

    Attributes:
        client: the underlying client, for its clock.
    """

    def __init__(self, app: AnyApp, **options: Any) -> None:
        self.client: Client = Client(app, **options)

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request; httpx calls it."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        declared = {name.lower() for name, _ in headers} & {"content-length", "transfer-encoding"}
        stream = await self.client.open(
            request.method,
            request.url.raw_path.decode("ascii"),
            headers=headers,
            content=request.stream if declared else b"",
        )
        try:
            head = await stream.head()
            if not head.status:
                raise httpx.RemoteProtocolError("the server closed without a response", request=request)
        except TimeoutError as error:
            await stream.aclose()
            raise httpx.ReadTimeout("timed out waiting for the response", request=request) from error
        except BaseException:
            await stream.aclose()
            raise
        return httpx.Response(
            head.status,
            headers=[(name, value) for name, value in head.headers.multi_items()],
            stream=_ResponseStream(stream, request),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": head.reason.encode("latin-1")},
        )


class _ResponseStream(httpx.AsyncByteStream):
    def __init__(self, stream: Stream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except TimeoutError as error:
            raise httpx.ReadTimeout("timed out in the response's body", request=self._request) from error
        if not self._stream.received.complete:
            raise httpx.RemoteProtocolError("the response is truncated", request=self._request)

    async def aclose(self) -> None:
        await self._stream.aclose()
