from sanic import Sanic
from sanic.response import stream, text
from sanic.views import CompositionView, HTTPMethodView
from sanic.views import stream as stream_decorator

app = Sanic("views", load_env=False)


class Upload(HTTPMethodView):
    async def get(self, request):
        return text("send something")

    @stream_decorator
    async def post(self, request):
        total = await self.count(request)
        return text(str(total))

    async def count(self, request):
        total = 0
        while True:
            body = await request.stream.get()
            if body is None:
                return total
            total += len(body)

    @stream_decorator
    async def put(self, request):
        async def echo(response):
            while True:
                body = await request.stream.get()
                if body is None:
                    break
                response.write(body)

        return stream(echo)


async def post_handler(request):
    return text(str(len(await request.stream.get())))


view = CompositionView()
view.add(["POST"], post_handler, stream=True)
app.add_route(view, "/composed")
app.add_route(Upload.as_view(), "/upload")
