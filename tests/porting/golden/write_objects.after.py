from mach9 import Mach9
from mach9.response import stream, text

app = Mach9(__name__, load_env=False)


class Feed:
    async def __call__(self, channel):
        await channel.send(b"a")


class Table:
    def __init__(self, rows):
        self.rows = rows

    async def run(self, channel):
        await self.head(channel)
        for row in self.rows:
            await self.line(channel, row)

    async def head(self, response):
        await response.send(b"head\n")

    async def line(self, response, row):
        await response.send(",".join(row).encode())
        await response.send(b"\n")


class Other:
    def head(self):
        return self.rows

    def line(self):
        return self.head()


@app.get("/feed")
async def feed(request):
    return stream(Feed())


@app.get("/table")
async def table(request):
    made = Table([("a", "b")])
    return stream(made.run, content_type="text/csv")


@app.get("/at-once")
async def at_once(request):
    return stream(Table([]).run)


@app.get("/other")
async def other(request):
    return text(Other().line())
