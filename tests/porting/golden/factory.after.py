from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected
from streamcompat.ported import content


def create_app(name):
    app = Mach9(name, load_env=False)

    @app.post("/upper", stream=True)
    async def upper(request):
        async def streaming(channel):
            while True:
                message = await request.stream.receive()
                if message["closed"]:
                    raise ClientDisconnected
                if message["more_content"] is False:
                    break
                body = message["content"]
                await channel.send(body.upper())

        return stream(streaming)

    add_more(app)
    return app


def add_more(app):
    @app.post("/count", stream=True)
    async def count(request):
        total = 0
        while (body := content(await request.stream.receive())) is not None:
            total += len(body)
        return text(str(total))


app = create_app("factory")
