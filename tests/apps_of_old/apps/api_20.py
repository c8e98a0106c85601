import asyncio
from uuid import UUID

from sanic import Blueprint, Sanic
from sanic.exceptions import Forbidden, InvalidUsage, NotFound, SanicException, ServiceUnavailable, Unauthorized, abort
from sanic.handlers import ErrorHandler
from sanic.request import Request
from sanic.response import HTTPResponse, StreamingHTTPResponse, empty, json, redirect, stream, text
from sanic.views import HTTPMethodView
from sanic.log import logger


class Problem(SanicException):
    status_code = 409

    def __init__(self, message, status_code=None, quiet=None):
        super().__init__(message, status_code)


app = Sanic("s2012")
app.config.FALLBACK_ERROR_FORMAT = "json"
v1 = Blueprint("v1", url_prefix="/v1", version=1)


@v1.middleware("request")
async def only_v1(request):
    request.ctx.seen = ["v1"]


@app.middleware("request")
async def everywhere(request):
    request.ctx.app = True


@v1.get("/who/<id:uuid>")
async def who(request: Request, id: UUID):
    return json({"id": str(id), "seen": request.ctx.seen, "app": request.ctx.app, "endpoint": request.endpoint})


@app.get("/global")
async def glob(request):
    return json({"seen": getattr(request.ctx, "seen", None), "app": Sanic.get_app("s2012") is app})


@app.route("/problem")
async def problem(request):
    raise Problem("conflict")


@app.route("/unauth")
async def unauth(request):
    raise Unauthorized("no", scheme="Bearer")


@app.route("/abort")
async def ab(request):
    abort(418)


@app.route("/crash")
async def crash(request):
    return text({}["k"])


@app.post("/up", stream=True)
async def up(request):
    n = 0
    while True:
        data = await request.stream.read()
        if data is None:
            break
        n += len(data)
    return json(n)


@app.post("/unread", stream=True)
async def unread(request):
    return text("unread")


@app.post("/body")
async def body(request):
    await request.receive_body() if hasattr(request, "receive_body") else None
    return json({"n": len(request.body), "stream": request.stream is not None})


class Items(HTTPMethodView):
    def get(self, request, n=0):
        return json(n)

    async def post(self, request, n=0):
        return json(request.json, 201)


app.add_route(Items.as_view(), "/items/<n:int>")
app.add_route(Items.as_view(), "/items", name="items_all")


@app.route("/url")
async def url(request):
    return text(app.url_for("Items", n=4) + " " + app.url_for("items_all") + " " + app.url_for("v1.who", id="0" * 8 + "-0000-0000-0000-" + "0" * 12))


async def task(app):
    await asyncio.sleep(0)
    app.task_done = True


app.add_task(task)
app.add_task(task(app))


@app.get("/task")
async def t(request):
    return json(app.task_done)


@app.get("/stream")
async def st(request):
    async def w(response):
        await response.write("x" * 10)
        await response.write(b"y")
    return stream(w)


@app.get("/empty")
async def em(request):
    return empty(205)


@app.get("/headers")
async def hd(request):
    return text("\n".join("{}={}".format(k, v) for k, v in sorted(request.headers.items()) if k.startswith("x-")))


app.blueprint(v1)
