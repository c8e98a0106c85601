from mach9 import Mach9
from mach9.exceptions import NotFound
from streamcompat.ported import Unauthorized, abort
from mach9.response import text
from sanic.response import file, file_stream, json, redirect

app = Mach9("kept", load_env=False)


@app.get("/file")
async def whole(request):
    return await file("a.txt", filename="b.txt")


@app.get("/pieces")
async def pieces(request):
    return await file_stream("a.txt")


@app.get("/to/<where>")
async def to(request, where):
    return redirect(where)


@app.get("/json")
async def as_json(request):
    return json({}, dumps=str)


@app.get("/no")
async def no(request):
    if request.args:
        raise Unauthorized("who?", scheme="Basic")
    if request.body:
        raise NotFound("nobody")
    abort(403)


@app.get("/text")
async def plain(request):
    return text("plain")
