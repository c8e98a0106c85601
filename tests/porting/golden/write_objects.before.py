from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


class Feed:
    async def __call__(self, response):
        response.write("a")


class Table:
    def __init__(self, rows):
        self.rows = rows

    async def run(self, response):
        self.head(response)
        for row in self.rows:
            self.line(response, row)

    def head(self, response):
        response.write("head\n")

    def line(self, response, row):
        response.write(",".join(row))
        response.write("\n")


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
