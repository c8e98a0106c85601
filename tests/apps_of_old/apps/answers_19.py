import os

from sanic import Blueprint, Sanic, response
from sanic.exceptions import SanicException, Unauthorized, abort
from sanic.handlers import ErrorHandler
from sanic.request import Request
from sanic.response import HTTPResponse, StreamingHTTPResponse, empty, file, file_stream, html, json, raw, redirect, stream, text

HERE = os.path.dirname(os.path.abspath(__file__))
app = Sanic("files19", load_env="FILES_")
app.config.PROXIES_COUNT = 1


@app.route("/file")
async def f(request):
    return await file(os.path.join(HERE, "static_site_files", "main.css"))


@app.route("/stream")
async def s(request):
    return await file_stream(os.path.join(HERE, "files", "data.bin"), chunked=False, status=206)


@app.route("/whole", methods=["POST"])
async def whole(request: Request):
    return json({"json": request.json, "host": request.host, "addr": request.remote_addr, "scheme": request.scheme,
                 "name": request.server_name, "port": request.server_port, "path": request.server_path, "fwd": bool(request.forwarded)})


@app.route("/q")
async def q(request):
    return json({"args": request.args, "query_args": request.query_args, "qs": request.query_string, "url": request.url,
                 "blank": request.get_args(keep_blank_values=True), "one": request.args.get("a"), "list": request.args.getlist("a")})


@app.route("/unauth")
async def unauth(request):
    raise Unauthorized("Auth required.", scheme="Digest", realm="R", qop="auth, auth-int", algorithm="MD5", nonce="abc", opaque="z")


@app.route("/empty")
async def e(request):
    return empty(headers={"X-E": "1"})


@app.route("/raw")
async def r(request):
    return raw(b"\x00\x01", headers={"Content-Type": "image/png"})


@app.route("/json")
async def j(request):
    return json({"a": "ä", "n": None, "f": 1.5, "slash": "a/b", "list": [1, 2]}, status=203, headers={"X-J": "1"}, content_type="application/vnd.api+json")


@app.route("/cookie")
async def c(request):
    resp = text("cookie")
    resp.cookies["a"] = "1"
    resp.cookies["a"]["samesite"] = "Lax"
    resp.cookies["a"]["max-age"] = 10
    resp.cookies["b"] = "x y"
    del resp.cookies["c"]
    return resp


@app.route("/abort/<code:int>")
async def ab(request, code):
    abort(code)


@app.route("/abortm/<code:int>")
async def abm(request, code):
    abort(code, message="because {}".format(code))


@app.route("/direct")
async def direct(request):
    async def write(resp):
        await resp.write("1,")
        await resp.write("2")
    return StreamingHTTPResponse(write, 201, {"X-S": "1"}, "text/csv", chunked=True)


class Err(ErrorHandler):
    pass


@app.exception(ValueError)
async def value_error(request, exc):
    return text(f"value error {exc}", status=422)


@app.route("/ve")
async def ve(request):
    int("x")


@app.route("/ctx")
async def ctx(request):
    request.ctx.a = 1
    return json({"a": request.ctx.a, "missing": getattr(request.ctx, "b", None)})


@app.listener("before_server_stop")
async def stop(app, loop):
    print("stopping", flush=True)


