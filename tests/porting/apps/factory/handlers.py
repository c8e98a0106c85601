from sanic.response import stream, text
from sanic.views import HTTPMethodView, stream as streaming_request


class Count(HTTPMethodView):
    @streaming_request
    async def post(self, request):
        return text(str(await self._count(request.stream)))

    async def _count(self, incoming):
        size = 0
        while True:
            body = await incoming.get()
            if body is None:
                break
            size += len(body)
        return size


async def upper(request):
    async def streaming(response):
        async for body in request.stream:
            response.write(body.upper())

    return stream(streaming)
