from datetime import date

from sanic import Blueprint, HTTPResponse, Request, Sanic, json, text
from sanic.exceptions import Forbidden, InvalidUsage, NotFound, SanicException, Unauthorized
from sanic.views import HTTPMethodView

app = Sanic("signals")
app.update_config({"MY_SETTING": 1, "lower": 2})
users = Blueprint("users", url_prefix="/users", version=2, version_prefix="/api/v")
older = users.copy("older", version=1)
inner = Blueprint("inner", url_prefix="/inner")
group = Blueprint.group(inner, url_prefix="/group")


class Teapot(SanicException):
    status_code = 418
    message = "Sorry, I cannot brew coffee"


@app.signal("http.lifecycle.request")
async def begun(request):
    request.ctx.steps = ["request"]


@app.signal("http.routing.after")
async def routed(request, route, handler, kwargs):
    request.ctx.steps.append("routed " + route.path)


@app.signal("http.lifecycle.exception")
async def failed(request, exception):
    request.ctx.steps.append(type(exception).__name__)


@app.signal("http.lifecycle.response")
async def answered(request, response):
    response.headers["x-steps"] = "|".join(request.ctx.steps)


@users.get("/<uid:int>")
async def user(request: Request, uid: int) -> HTTPResponse:
    return json({"uid": uid, "name": request.name, "route": request.route.path})


@group.middleware("request")
async def grouped(request):
    request.ctx.group = True


@inner.get("/x")
async def x(request):
    return json({"group": request.ctx.group, "name": request.name})


@app.before_server_start
async def setup(app, loop):
    app.ctx.events = []


@app.signal("shop.sold.<thing>")
async def sold(thing, **context):
    app.ctx.events.append([thing, sorted(context.items())])


@app.get("/sell/<thing:str>")
async def sell(request, thing):
    await app.dispatch("shop.sold." + thing, context={"count": 1}, inline=True)
    return json(app.ctx.events)


@app.get("/numbers/<ratio:float>/<day:ymd>/<whole:int>")
async def numbers(request, ratio, day: date, whole):
    return json([ratio, day.isoformat(), whole])


@app.get("/decoded/<value:str>", unquote=True)
async def decoded(request, value):
    return text(value)


@app.get("/as-sent/<value:str>")
async def as_sent(request, value):
    return text(value)


class View(HTTPMethodView):
    async def get(self, request):
        return text("view")


app.add_route(View.as_view(), "/view")


@app.get("/teapot")
async def teapot(request):
    raise Teapot


@app.get("/text-error", error_format="text")
async def text_error(request):
    raise NotFound("in text")


@app.get("/json-error", error_format="json")
async def json_error(request):
    raise Forbidden("in json")


@app.get("/who")
async def who(request):
    raise Unauthorized("who are you?", scheme="Basic", realm="r")


@app.exception(InvalidUsage)
async def invalid(request, exception):
    return json({"invalid": str(exception)}, exception.status_code)


@app.post("/json")
async def as_json(request):
    return json(request.json)


@app.get("/label", ctx_label="hello")
async def label(request):
    return text(request.route.ctx.label)


@app.get("/lines")
async def lines(request):
    response = await request.respond(status=202, content_type="text/csv")
    for number in range(3):
        await response.send("{},".format(number))
    await response.eof()


app.blueprint(users)
app.blueprint(older)
app.blueprint(group)
