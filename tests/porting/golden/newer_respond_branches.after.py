from mach9 import Mach9
from mach9.response import text
from mach9.exceptions import ClientDisconnected
from mach9.response import stream

app = Mach9(__name__, load_env=False)
COUNT = 0


@app.get("/if")
async def inside_if(request):
    if request.args:
        async def streaming(channel):
            await channel.send(b"a")

        return stream(streaming, content_type=None)
    return text("b")


@app.get("/elif/<word>")
async def inside_elif(request, word):
    count = 0
    if word == "a":
        count += 1
        async def streaming(channel):
            nonlocal count
            await channel.send(b"a")
            count += 1
            await channel.send(str(count).encode())

        return stream(streaming, content_type="text/plain")
    elif word == "b":
        # b is for two
        async def streaming(channel):
            nonlocal count
            for x in range(3):
                count += x
                await channel.send(f"{x} {count}".encode())

        return stream(streaming, status=201, headers={"X-B": "2"}, content_type=None)
    else:
        if request.args:
            async def streaming(channel):
                await channel.send(b"args")

            return stream(streaming, content_type=None)
        return text("else")


@app.post("/try", stream=True)
async def inside_try(request):
    size = 0
    if request.headers.get("x-no"):
        return text("no", status=400)
    async def streaming(channel):  # at once
        nonlocal size
        try:
            # first the head
            while True:
                message = await request.stream.receive()
                if message["closed"]:
                    raise ClientDisconnected
                if message["more_content"] is False:
                    break
                body = message["content"]
                size += len(body)
        except ValueError as error:
            await channel.send(str(error).encode())
        finally:
            size += 1
        await channel.send(f"all: {size}".encode())

    return stream(streaming, content_type="text/plain")


@app.get("/shared")
async def shared(request):
    global COUNT
    name = None
    async def streaming(channel):
        nonlocal name
        global COUNT
        COUNT += 1
        if name is None:
            with open("/dev/null") as name:
                await channel.send(str(COUNT).encode())

    return stream(streaming, content_type=None)


@app.get("/returned")
async def returned(request):
    return await inside_if(request)
