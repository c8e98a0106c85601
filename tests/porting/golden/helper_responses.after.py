from mach9 import Mach9
from mach9.response import StreamHTTPResponse, stream as mach9_stream
from sanic.response import stream

app = Mach9(__name__, load_env=False)


def lines(words):
    async def write(channel):
        for word in words:
            await channel.send(f"{word}\n".encode())

    return mach9_stream(write)


class Feed:
    async def _write(self, channel):
        await channel.send(b"feed")

    def answer(self):
        return StreamHTTPResponse(self._write, content_type="text/plain")


def nothing_uses_it():
    async def write(response):
        response.write("nothing")

    return stream(write)


FEED = Feed()


@app.get("/feed")
async def feed(request):
    return FEED.answer()


def upper(words):
    return lines([word.upper() for word in words])


@app.get("/lines")
async def some(request):
    return upper(["a", "b"])
