from mach9 import Mach9
from mach9.exceptions import InvalidUsage, NotFound
from mach9.response import html, json, redirect, text

app = Mach9("notes")
app.notes = {}


@app.listener("before_server_start")
async def fill(app, loop):
    app.notes["first"] = "written at the start"


@app.middleware("request")
async def limit(request):
    if request.headers.get("X-Blocked"):
        return text("blocked", status=403)


@app.middleware("response")
async def stamp(request, response):
    response.headers["X-Notes"] = str(len(app.notes))


@app.get("/")
async def index(request):
    items = "".join("<li>{}</li>".format(name) for name in sorted(app.notes))
    return html("<ul>{}</ul>".format(items))


@app.get("/notes/<name>")
async def show(request, name):
    if name not in app.notes:
        raise NotFound("no note {}".format(name))
    return json({"name": name, "note": app.notes[name], "bold": request.args.get("bold")})


@app.put("/notes/<name>")
async def write(request, name):
    if not request.json:
        raise InvalidUsage("write something")
    app.notes[name] = request.json["note"]
    response = redirect(app.url_for("show", name=name), status=303)
    response.cookies["last"] = name
    return response


@app.exception(NotFound)
def missing(request, exception):
    return text("nothing here: {}".format(exception), status=404)
