from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


def head(response, name):
    response.write(name)


def row(response, values):
    head(response, "row")
    for value in values:
        response.write(value)


@app.get("/rows")
async def rows(request):
    def local(line):
        response_line(line)

    async def streaming(response):
        nonlocal_holder.append(1)
        row(response, [1, 2])
        emit = 3

        def say(line):
            response.write(line)

        say("one")
        if emit:
            say("two")

    nonlocal_holder = []
    return stream(streaming)


def response_line(line):
    return line
