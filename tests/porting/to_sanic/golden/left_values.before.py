import csv

import sanic.response
from sanic import Sanic
from sanic.exceptions import NotFound, abort
from sanic.response import HTTPResponse, StreamingHTTPResponse, stream, text
from sanic.views import CompositionView

app = Sanic("left_values")
make = sanic.response.stream


@app.get("/table")
async def table(request):
    async def streaming(response):
        csv.writer(response).writerow([1, 2])

    return stream(streaming)


@app.get("/later")
async def later(request):
    async def streaming(response):
        response.write("x")

    answer = stream(streaming)
    answer.headers["X-Later"] = "1"
    return answer


@app.get("/inside")
async def inside(request):
    async def streaming(response):
        response.write("x")

    try:
        return stream(streaming)
    except ValueError:
        return text("no")


@app.get("/value")
async def value(request):
    return make(lambda response: response.write("x"))


@app.get("/status/<status:int>")
async def by_status(request, status):
    request[status] = dict(request)
    if getattr(request, "stream", None):
        raise NotFound("no", status_code=410)
    abort(status)


@app.middleware("response")
async def seen(request, response):
    if isinstance(response, (HTTPResponse, StreamingHTTPResponse)):
        response.cookies.clear()


@app.post("/queue", stream=True)
async def queue(request):
    if request.stream is not None:
        await request.stream.get_nowait()
    for part in list(request.items()):
        print(part)
    await later(request)


view = CompositionView()
app.add_route(view, "/view")
app.config.from_envvar("SETTINGS")
app.remove_route("/view")
sanic.response.text = text
