import asyncio

from sanic import Blueprint
from sanic.response import text

legacy = Blueprint("legacy", url_prefix="/legacy")


@legacy.stream("/size")
async def size(request):
    assert isinstance(request.stream, asyncio.Queue)
    total = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        total += len(body)
        request.stream.task_done()
    return text(str(total))
