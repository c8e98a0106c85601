
from sanic import Blueprint, Sanic, response
from sanic.exceptions import Forbidden, NotFound, ServerError, InvalidUsage
from sanic.response import json, text, redirect

app = Sanic("s193")
v1 = Blueprint("v1", url_prefix="/v1")
v2 = Blueprint("v2", url_prefix="/v2")
sub = Blueprint("sub", url_prefix="/sub")
content = Blueprint.group(v1, v2, url_prefix="/content")
api = Blueprint.group(content, sub, url_prefix="/api")
trace = []


@v1.route("/")
async def one(request):
    return text("v1 " + request.endpoint)


@v2.route("/", methods=["GET", "OPTIONS"])
async def two(request):
    return text("v2 " + app.url_for("v2.two"))


@v2.websocket("/ws")
async def ws(request, ws):
    await ws.send("from v2")


@sub.listener("before_server_start")
async def before(app, loop):
    trace.append("before")


@sub.route("/trace")
async def traces(request):
    return json(trace)


@app.middleware("request")
async def m1(request):
    trace.append("m1 " + request.path)


@app.middleware("request")
async def m2(request):
    if request.args.get("stop"):
        return text("stopped", 299 if False else 202)


@app.middleware("response")
async def r1(request, response):
    response.headers["X-Order"] = response.headers.get("X-Order", "") + "1"


@app.middleware("response")
async def r2(request, response):
    response.headers["X-Order"] = response.headers.get("X-Order", "") + "2"


@app.route("/form", methods=["POST"])
async def form(request):
    return json({"form": request.form, "one": request.form.get("a"), "list": request.form.getlist("a"),
                 "ct": request.content_type, "files": sorted(request.files)})


@app.route("/headers")
async def headers(request):
    r = response.text("h", headers={"X-Int": 5})
    r.headers["X-Bool"] = True
    r.headers.add("X-Twice", "a") if hasattr(r.headers, "add") else None
    r.headers.add("X-Twice", "b") if hasattr(r.headers, "add") else None
    return r


@app.route("/file-missing")
async def missing(request):
    return await response.file("/nonexistent")


@app.exception(ServerError, ZeroDivisionError)
async def server_error(request, exception):
    return text("handled {}".format(type(exception).__name__), status=getattr(exception, "status_code", 500))


@app.route("/zero")
async def zero(request):
    1 / 0


@app.route("/boom")
async def boom(request):
    raise ServerError("boom", status_code=503)


@app.route("/forbidden")
async def forbidden(request):
    raise Forbidden("nope")


@app.route("/int/<n:int>")
async def n(request, n):
    return json({"n": n, "uri": request.uri_template})


@app.get("/redirect")
async def redir(request):
    return redirect("http://example.com/ä?x=1", status=301)


app.blueprint(api)
