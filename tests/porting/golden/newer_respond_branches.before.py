from sanic import Sanic
from sanic.response import text

app = Sanic(__name__, load_env=False)
COUNT = 0


@app.get("/if")
async def inside_if(request):
    if request.args:
        response = await request.respond()
        await response.send("a")
        return
    return text("b")


@app.get("/elif/<word>")
async def inside_elif(request, word):
    count = 0
    if word == "a":
        count += 1
        response: object = await request.respond(content_type="text/plain")
        await response.send("a")
        count += 1
        await response.send(str(count))
        await response.eof()
    elif word == "b":
        # b is for two
        response = await request.respond(status=201, headers={"X-B": "2"})
        for x in range(3):
            count += x
            await response.send(f"{x} {count}")
    else:
        if request.args:
            response = await request.respond()
            await response.send("args", True)
            return response
        return text("else")


@app.post("/try", stream=True)
async def inside_try(request):
    size = 0
    if request.headers.get("x-no"):
        return text("no", status=400)
    try:
        # first the head
        response = await request.respond(content_type="text/plain")  # at once
        while True:
            body = await request.stream.read()
            if body is None:
                break
            size += len(body)
    except ValueError as error:
        await response.send(str(error))
    finally:
        size += 1
    await response.send(f"all: {size}")
    return response


@app.get("/shared")
async def shared(request):
    global COUNT
    name = None
    response = await request.respond()
    COUNT += 1
    if name is None:
        with open("/dev/null") as name:
            await response.send(str(COUNT))


@app.get("/returned")
async def returned(request):
    return await inside_if(request)
