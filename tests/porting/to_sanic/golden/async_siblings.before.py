from sanic import Sanic
from sanic.response import stream

VERBOSE = False
app = Sanic("siblings")


if VERBOSE:

    def log(response, line):
        response.write(line)
else:

    def log(response, line):
        pass


class Page:
    def head(self, response):
        response.write("<")

    def say(self, response):
        self.head(response)
        response.write("page")


class Bare(Page):
    def head(self, response):
        return None


@app.get("/log")
async def logs(request):
    async def streaming(response):
        log(response, "begin")
        response.write("end")

    return stream(streaming)


@app.get("/page")
async def page(request):
    async def streaming(response):
        Page().say(response)
        Bare().say(response)

    return stream(streaming)


@app.get("/inner")
async def inner(request):
    async def streaming(response):
        if request.args.get("loud"):

            def emit(x):
                response.write(x.upper())
        else:

            def emit(x):
                return x

        emit("a")
        response.write("b")

    return stream(streaming)
