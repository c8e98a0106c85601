"""A proxying handler: what comes from upstream is passed on, with a head of its own."""

import asyncio

from sanic import Sanic
from sanic.response import StreamingHTTPResponse, text

app = Sanic("proxy", is_request_stream=True)


class Upstream:
    """In the place of an HTTP client."""

    status = 203
    headers = {"X-Upstream": "1"}

    def __init__(self, sent):
        self.sent = sent

    async def iter_chunked(self, size):
        for at in range(0, len(self.sent), size):
            await asyncio.sleep(0)
            yield self.sent[at : at + size]


async def forward(request):
    sent = b""
    while True:
        body = await request.stream.get()
        if body is None:
            return Upstream(sent)
        sent += body


@app.stream("/proxy/<path:path>", methods=["POST", "PUT", "PATCH"])
async def proxy(request, path):
    upstream = await forward(request)

    async def streaming(response):
        async for chunk in upstream.iter_chunked(7):
            await response.write(chunk)

    headers = dict(upstream.headers)
    headers["X-Path"] = path
    return StreamingHTTPResponse(
        streaming, status=upstream.status, headers=headers, content_type="application/octet-stream"
    )


@app.route("/health", methods=["GET", "HEAD"])
def health(request):
    return text("ok")
