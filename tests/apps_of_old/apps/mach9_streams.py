from mach9 import Mach9
from mach9.blueprints import Blueprint
from mach9.response import stream, text
from mach9.views import CompositionView, HTTPMethodView
from mach9.views import stream as stream_decorator

bp = Blueprint("blueprint_request_stream")
app = Mach9("request_stream")


class SimpleView(HTTPMethodView):

    @stream_decorator
    async def post(self, request):
        result = ""
        while True:
            body = await request.stream.receive()
            if body["more_content"] is False:
                break
            result += body["content"].decode("utf-8")
        return text(result)


@app.post("/stream", stream=True)
async def handler(request):
    async def streaming(channel):
        while True:
            body = await request.stream.receive()
            if body["more_content"] is False:
                break
            await channel.send(body["content"].replace(b"1", b"A"))
    return stream(streaming)


@bp.put("/bp_stream", stream=True)
async def bp_handler(request):
    result = b""
    while True:
        body = await request.stream.receive()
        result += body["content"]
        if not body["more_content"]:
            break
    return text(result.decode())


async def post_handler(request):
    result = ""
    while True:
        body = await request.stream.receive()
        if body["more_content"] is False:
            break
        result += body["content"].decode("utf-8")
    return text(result)


async def sample_streaming_fn(channel):
    for word in (b"foo", b"bar", b"", b"baz"):
        await channel.send(word)


@app.route("/download")
async def download(request):
    return stream(sample_streaming_fn, content_type="text/csv", headers={"X-Rows": "3"})


app.blueprint(bp)
app.add_route(SimpleView.as_view(), "/method_view")
view = CompositionView()
view.add(["POST"], post_handler, stream=True)
app.add_route(view, "/composition_view")

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
