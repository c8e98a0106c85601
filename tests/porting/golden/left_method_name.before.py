from sanic import Sanic
from sanic.response import stream

from elsewhere import canvas_of

app = Sanic(__name__, load_env=False)


class Table:
    async def run(self, response):
        self.line(response, "a")

    def line(self, response, row):
        response.write(row)


@app.get("/table")
async def table(request):
    return stream(Table().run)


@app.get("/picture")
async def picture(request):
    canvas = canvas_of(request.args)
    canvas.line(1, 2)
    return canvas.image()
