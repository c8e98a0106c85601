"""As Sanic 21 has it: the handler itself sends."""

from sanic import Sanic
from sanic.response import text

app = Sanic("newer")


@app.post("/echo", stream=True)
async def echo(request):
    response = await request.respond(content_type="text/plain")
    async for chunk in request.stream:
        await response.send(chunk)
    await response.eof()


@app.post("/sum", stream=True)
async def total(request):
    sum_of_bytes = 0
    response = await request.respond(status=202, headers={"X-Sum": "bytes"}, content_type="text/plain")
    while True:
        body = await request.stream.read()
        if body is None:
            break
        sum_of_bytes += sum(body)
        await response.send(f"{sum_of_bytes}\n")
    await response.send("end", True)


@app.get("/plain")
async def plain(request):
    return text("plain")


@app.get("/lines/<word>")
async def lines(request, word):
    count = 0
    if word.isdigit():
        response = await request.respond(content_type="text/plain")
        for digit in word:
            count += int(digit)
            await response.send(f"{count}\n")
    elif request.args:
        return text("no lines")
    else:
        try:
            response = await request.respond(status=201)
            await response.send(str(int(word)))
        except ValueError as error:
            await response.send(str(error))
            await response.eof()
