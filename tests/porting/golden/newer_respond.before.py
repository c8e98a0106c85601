from sanic import Sanic

app = Sanic("newer")


@app.post("/echo", stream=True)
async def echo(request):
    response = await request.respond(content_type="text/plain", headers={"X-Echo": "1"})
    async for chunk in request.stream:
        await response.send(chunk)
    await response.eof()


@app.get("/count/<n:int>")
async def count(request, n):
    total = 0
    response = await request.respond()
    for number in range(n):
        total += number
        await response.send(f"""{number}
then {total}
""", False)
    await response.send("", True)
    return response


@app.get("/maybe")
async def maybe(request):
    response = await request.respond(status=202)
    if not request.args:
        await response.send("nothing")
        return response
    await response.send("something")
    # that is all
    await response.eof()
    return response
