"""Class-based views and a composed one."""

from sanic import Sanic
from sanic.response import stream, text
from sanic.views import CompositionView, HTTPMethodView
from sanic.views import stream as stream_decorator

app = Sanic("views", is_request_stream=True)


class Base(HTTPMethodView):
    prefix = ""

    async def read(self, request):
        result = self.prefix
        while True:
            body = await request.stream.get()
            if body is None:
                return result
            result += body.decode("latin-1")


class Notes(Base):
    prefix = "note: "
    notes = []

    async def get(self, request):
        async def streaming(response):
            for note in self.notes:
                self.line(response, note)

        return stream(streaming)

    def line(self, response, note):
        response.write(note)
        response.write("\n")

    @stream_decorator
    async def post(self, request):
        self.notes.append(await self.read(request))
        return text("noted", status=201)

    async def delete(self, request):
        self.notes.clear()
        return text("", status=204)


async def post_handler(request):
    result = ""
    while True:
        body = await request.stream.get()
        if not body:
            break
        result += body.decode("latin-1")
    return text(result)


async def get_handler(request):
    return text("composed")


view = CompositionView()
view.add(["POST"], post_handler, stream=True)
view.add(["GET"], get_handler)
app.add_route(view, "/composition_view")
app.add_route(Notes.as_view(), "/notes")
