from mach9 import Mach9 as Sanic
from mach9.response import stream
from mach9.exceptions import ClientDisconnected
from streamcompat.ported import content as content_2, encoded as encoded_2

Mach9 = "a name that is taken"
content = encoded = message = None
app = Sanic("taken", load_env=False)


@app.post("/a", stream=True)
async def a(request):
    async def write(response):
        channel = message
        while True:
            body_chunk = await request.stream.receive()
            if body_chunk["closed"]:
                raise ClientDisconnected
            if body_chunk["more_content"] is False:
                break
            body = body_chunk["content"]
            await response.send(body)
        await response.send(str(channel).encode())
        await response.send(encoded_2(content_2(await request.stream.receive())))

    return stream(write)
