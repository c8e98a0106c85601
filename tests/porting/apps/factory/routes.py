from sanic.response import stream, text

import handlers


def register(app):
    app.add_route(handlers.Count.as_view(), "/count")
    app.add_route(handlers.upper, "/upper", methods=["POST"], stream=True)

    @app.get("/started")
    async def started(request):
        return text(str(app.started))

    @app.stream("/reverse")
    async def reverse(request):
        async def streaming(response):
            while True:
                body = await request.stream.get()
                if body is None:
                    break
                response.write(body[::-1])

        return stream(streaming)
