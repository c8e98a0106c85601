from sanic import Sanic
from sanic.response import StreamingHTTPResponse, stream

app = Sanic(__name__, load_env=False)


def lines(words):
    async def write(response):
        for word in words:
            response.write(f"{word}\n")

    return stream(write)


class Feed:
    async def _write(self, response):
        response.write("feed")

    def answer(self):
        return StreamingHTTPResponse(self._write, content_type="text/plain")


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
