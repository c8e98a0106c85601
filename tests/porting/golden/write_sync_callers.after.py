from mach9 import Mach9
from mach9.response import stream, text
from streamcompat.ported import encoded

app = Mach9(__name__)


async def head(response, name):
    await response.send(encoded(name))


async def row(response, values):
    await head(response, "row")
    for value in values:
        await response.send(encoded(value))


@app.get("/rows")
async def rows(request):
    def local(line):
        response_line(line)

    async def streaming(channel):
        nonlocal_holder.append(1)
        await row(channel, [1, 2])
        emit = 3

        async def say(line):
            await channel.send(encoded(line))

        await say("one")
        if emit:
            await say("two")

    nonlocal_holder = []
    return stream(streaming)


def response_line(line):
    return line
