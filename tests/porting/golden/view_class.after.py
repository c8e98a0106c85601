from mach9 import Mach9
from mach9.response import stream, text
from mach9.views import CompositionView, HTTPMethodView
from mach9.views import stream as stream_decorator
from mach9.exceptions import ClientDisconnected
from streamcompat.ported import content

app = Mach9("views", load_env=False)


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
            message = await request.stream.receive()
            if message["closed"]:
                raise ClientDisconnected
            if message["more_content"] is False:
                return total
            body = message["content"]
            total += len(body)

    @stream_decorator
    async def put(self, request):
        async def echo(channel):
            while True:
                message = await request.stream.receive()
                if message["closed"]:
                    raise ClientDisconnected
                if message["more_content"] is False:
                    break
                body = message["content"]
                await channel.send(body)

        return stream(echo)


async def post_handler(request):
    return text(str(len(content(await request.stream.receive()))))


view = CompositionView()
view.add(["POST"], post_handler, stream=True)
app.add_route(view, "/composed")
app.add_route(Upload.as_view(), "/upload")
