from mach9 import Mach9
from sanic.response import stream
import asyncio
import logging

app = Mach9("a", load_env=False)


@app.get("/x")
async def x(request):
    async def streaming(response):
        pending = response.write("a")
        await pending

    return stream(streaming)


@app.get("/y")
async def y(request):
    async def streaming(response):
        both = [response.write("a"), response.write("b")]
        await asyncio.gather(*both)

    return stream(streaming)


@app.get("/z")
async def z(request):
    async def streaming(response):
        response.write("a") and response.write("b")
        response.write("c") if request.args else response.write("d")

    return stream(streaming)


@app.get("/tested")
async def tested(request):
    def emit(response, text):
        return response.write(text)

    async def streaming(response):
        written = response.write("a")
        if written and (again := response.write("b")):
            response.write("c")
        if emit(response, "d"):
            response.write("e")

    return stream(streaming)


class Log(logging.Handler):
    def __init__(self, response):
        super().__init__()
        self.response = response

    def emit(self, record):
        self.response.write(record.getMessage())


@app.get("/called")
async def called(request):
    async def streaming(response):
        logging.getLogger("a").addHandler(Log(response))
        logging.getLogger("a").error("x")

    return stream(streaming)
