from sanic import Sanic
from sanic.response import stream, text

app = Sanic("a", load_env=False)


def make(kind):
    async def handler(request):
        return text(kind + str(await request.stream.get()))

    return handler


class Words:
    async def __call__(self, request):
        async def streaming(response):
            response.write("word")

        return stream(streaming)


app.add_route(make("a"), "/a", methods=["POST"], stream=True)
app.add_route(make("b"), "/b", methods=["PUT"], stream=True)
app.add_route(Words(), "/words")
