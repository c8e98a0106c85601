from mach9 import Mach9
from mach9.response import stream, text
from streamcompat.ported import content

app = Mach9("a", load_env=False)


def make(kind):
    async def handler(request):
        return text(kind + str(content(await request.stream.receive())))

    return handler


class Words:
    async def __call__(self, request):
        async def streaming(channel):
            await channel.send(b"word")

        return stream(streaming)


app.add_route(make("a"), "/a", methods=["POST"], stream=True)
app.add_route(make("b"), "/b", methods=["PUT"], stream=True)
app.add_route(Words(), "/words")
