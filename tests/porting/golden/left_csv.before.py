import csv

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.get("/table")
async def table(request):
    async def rows(response):
        writer = csv.writer(response)
        for number in range(3):
            writer.writerow([number, number * number])

    return stream(rows, content_type="text/csv")


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            response.write(body)

    return stream(streaming)


@app.get("/plain")
async def plain(request):
    return text("plain")
