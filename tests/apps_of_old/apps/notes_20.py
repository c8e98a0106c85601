from sanic import Blueprint, Sanic
from sanic.exceptions import InvalidUsage, abort
from sanic.response import file_stream, html, json, stream, text

app = Sanic("notes")
notes = Blueprint("notes", url_prefix="/notes", version=2)
private = Blueprint("private", url_prefix="/private")


@app.listener("before_server_start")
async def setup(app, loop):
    app.notes = ["first"]


@app.middleware("request")
async def user(request):
    request.ctx.user = request.headers.get("x-user", "nobody")


@private.middleware("response")
async def unstored(request, response):
    response.headers["Cache-Control"] = "no-store"


@private.route("/")
async def private_index(request):
    return text("for {}".format(request.ctx.user))


@notes.route("/")
async def every(request):
    return json(app.notes)


@notes.route("/", methods=["POST"])
async def add(request):
    if "text" not in request.form:
        raise InvalidUsage("no text")
    app.notes.append(request.form.get("text"))
    return json({"number": len(app.notes)}, status=201)


@notes.route("/<number:int>")
async def one(request, number):
    if number >= len(app.notes):
        abort(404, "no such note")
    return text(app.notes[number])


@app.route("/page")
async def page(request):
    return html("<p>{}</p>".format(request.ctx.user))


@app.route("/fails")
async def fails(request):
    raise RuntimeError("on purpose")


@app.route("/self")
async def own_source(request):
    return await file_stream(__file__, mime_type="text/x-python", chunked=True)


@app.route("/count")
async def count(request):
    async def write(response):
        for number in range(3):
            await response.write(str(number))

    return stream(write, content_type="text/plain")


@app.route("/upload", methods=["POST"], stream=True)
async def upload(request):
    parts = []
    while True:
        part = await request.stream.read()
        if part is None:
            break
        parts.append(part)
    return text(str(len(b"".join(parts))))


app.blueprint(Blueprint.group(notes, private, url_prefix="/api"))
