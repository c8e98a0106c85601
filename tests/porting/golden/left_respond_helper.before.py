from sanic import Sanic

app = Sanic(__name__, load_env=False)


async def send_all(request, items):
    response = await request.respond(content_type="text/plain")
    for item in items:
        await response.send(item)


@app.get("/a")
async def a(request):
    await send_all(request, ["a", "b"])


@app.get("/b")
async def b(request):
    response = await request.respond()
    await response.send("b")


@app.get("/c")
async def c(request):
    if request.args:
        await b(request)
    else:
        await send_all(request, ["c"])
