import asyncio

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.get("/lambda")
async def in_lambda(request):
    async def streaming(response):
        say = lambda line: response.write(line)
        say("a")

    return stream(streaming)


@app.get("/comprehension")
async def in_comprehension(request):
    async def streaming(response):
        [response.write(line) for line in ("a", "b")]

    return stream(streaming)


@app.get("/callback")
async def in_callback(request):
    async def streaming(response):
        def tick():
            response.write("tick")

        asyncio.get_event_loop().call_soon(tick)
        await asyncio.sleep(0)

    return stream(streaming)


@app.get("/generator")
async def in_generator(request):
    async def streaming(response):
        def steps():
            response.write("step")
            yield 1

        for step in steps():
            pass

    return stream(streaming)


@app.get("/method")
async def as_method(request):
    async def streaming(response):
        for line in map(response.write, ["a"]):
            pass

    return stream(streaming)


@app.get("/kept")
async def kept(request):
    async def streaming(response):
        clients.add(response)
        await asyncio.sleep(0)

    return stream(streaming)


clients = set()
