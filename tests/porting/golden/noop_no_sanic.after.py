import asyncio
import queue

options = {"stream": 1}
jobs = queue.Queue()


class Request:
    stream = asyncio.Queue()


async def work(request, response):
    body = await request.get()
    response.write(options.get("stream"))
    while True:
        job = await asyncio.Queue().get()
        if job is None:
            break
    return jobs.get(), body
