from sanic import Sanic
from sanic.response import stream, text


def create_app(name):
    app = Sanic(name, load_env=False)

    @app.stream("/upper")
    async def upper(request):
        async def streaming(response):
            while True:
                body = await request.stream.get()
                if body is None:
                    break
                response.write(body.upper())

        return stream(streaming)

    add_more(app)
    return app


def add_more(app):
    @app.stream("/count")
    async def count(request):
        total = 0
        async for body in request.stream:
            total += len(body)
        return text(str(total))


app = create_app("factory")
