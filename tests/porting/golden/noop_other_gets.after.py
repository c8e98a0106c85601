import asyncio

from starlette.applications import Starlette

response = open("/dev/null", "w")


async def handler(request):
    async for chunk in request.stream():
        response.write(chunk)
    queue = asyncio.Queue()
    return await queue.get(), {}.get("stream")
