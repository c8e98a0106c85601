from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.get("/a")
async def a(request):
    for name in request.args:
        response = await request.respond()
        await response.send(name)
        return response
    return text("none")


@app.get("/b")
async def b(request):
    if request.args:
        response = await request.respond()
        await response.send("b")
    return response


@app.get("/c")
async def c(request):
    try:
        request.app.count += 1
        response = await request.respond()
        await response.send("c")
    finally:
        request.app.count -= 1


@app.get("/d")
async def d(request):
    try:
        response = await request.respond(headers=dict(request.args))
        await response.send("d")
    except ValueError:
        pass


@app.get("/e")
async def e(request):
    await (await request.respond()).send("e")
