from datetime import date

from sanic import Blueprint, Sanic
from sanic.exceptions import NotFound, SanicException
from sanic.response import empty, html, json, redirect, stream, text
from sanic.views import HTTPMethodView

app = Sanic("team")
app.config.FALLBACK_ERROR_FORMAT = "json"
app.config.PROXIES_COUNT = 1
app.ctx.seen = []

people = Blueprint("people", url_prefix="/people", version=1)
teams = Blueprint("teams", url_prefix="/teams", strict_slashes=True)
api = Blueprint.group(people, teams, url_prefix="/api")
PEOPLE = {1: {"name": "Ann", "team": "red"}, 2: {"name": "Bert", "team": "blue"}}


class OutOfOffice(SanicException):
    status_code = 503


@app.before_server_start
async def connect(app, loop):
    app.ctx.seen.append("connected")


@app.after_server_start
async def announce(app, loop):
    app.ctx.seen.append("announced")


@people.middleware("request")
async def note(request):
    request.ctx.noted = True


@teams.middleware("response")
async def stamp(request, response):
    response.headers["x-team"] = "1"


@people.route("/called/<name>")
async def by_name(request, name):
    for number, one in PEOPLE.items():
        if one["name"] == name:
            return redirect(app.url_for("people.by_number", number=number))
    raise NotFound("nobody is called {}".format(name))


@people.route("/<number:int>", methods=["GET", "DELETE"])
async def by_number(request, number):
    if number not in PEOPLE:
        raise NotFound("there is no number {}".format(number))
    if request.method == "DELETE":
        return text("", status=204)
    return json(dict(PEOPLE[number], noted=request.ctx.noted, match=request.match_info))


@people.route("/born/<day:ymd>", name="born")
async def born(request, day: date):
    return text("{} {} {}".format(type(day).__name__, day.isoformat(), request.endpoint))


@teams.get("/<name>/<role>")
async def role(request, name, role):
    return text("{} of {}".format(role, name))


@teams.get("/<name>/lead")
async def lead(request, name):
    return text("the lead of {}".format(name))


@teams.get("/")
async def all_teams(request):
    return json(sorted({one["team"] for one in PEOPLE.values()}))


class Desk(HTTPMethodView):
    async def get(self, request, place="any"):
        return text("{} {}".format(place, request.name))

    async def put(self, request, place="any"):
        return empty()


app.add_route(Desk.as_view(), "/desk", name="desk")
app.add_route(Desk.as_view(), "/desk/<place>", name="desk_at")


@app.route("/café/<dish>")
async def menu(request, dish):
    return text(dish)


@app.route("/decoded/<dish>", unquote=True)
async def decoded(request, dish):
    return text(dish)


@app.route("/files/<path:path>")
async def below(request, path):
    return text("<{}>".format(path))


@app.route("/where")
async def where(request):
    return json([request.scheme, request.remote_addr, request.server_name, request.url, app.url_for("team.menu", dish="x")])


@app.route("/away")
async def away(request):
    raise OutOfOffice("back on monday")


@app.route("/broken")
async def broken(request):
    return text(1 / 0)


@app.route("/page")
async def page(request):
    return html("<p>page</p>")


@app.route("/started")
async def started(request):
    return json(app.ctx.seen)


@app.route("/rows")
async def rows(request):
    async def write(response):
        for number in sorted(PEOPLE):
            await response.write("{},{}\n".format(number, PEOPLE[number]["name"]))

    return stream(write, content_type="text/csv")


@app.post("/import", stream=True)
async def take(request):
    size = 0
    while True:
        piece = await request.stream.read()
        if piece is None:
            break
        size += len(piece)
    return text(str(size))


@app.exception(ZeroDivisionError)
async def zero(request, exception):
    return text("nothing is divided by zero", status=400)


@app.exception(ArithmeticError)
async def arithmetic(request, exception):
    return text("arithmetic", status=400)


app.blueprint(api)
