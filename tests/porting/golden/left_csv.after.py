import csv

from mach9 import Mach9
from mach9.response import text, stream as mach9_stream
from sanic.response import stream
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__, load_env=False)


@app.get("/table")
async def table(request):
    async def rows(response):
        writer = csv.writer(response)
        for number in range(3):
            writer.writerow([number, number * number])

    return stream(rows, content_type="text/csv")


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            message = await request.stream.receive()
            if message["closed"]:
                raise ClientDisconnected
            if message["more_content"] is False:
                break
            body = message["content"]
            await channel.send(body)

    return mach9_stream(streaming)


@app.get("/plain")
async def plain(request):
    return text("plain")
