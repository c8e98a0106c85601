from sanic import Blueprint, Sanic
from sanic.app import Sanic as Application
from sanic.blueprints import Blueprint as Part
from sanic.exceptions import InvalidUsage, NotFound, SanicException
from sanic.log import logger
from sanic.request import Request
from sanic.response import HTTPResponse, json as as_json, redirect, text
from sanic.views import CompositionView, HTTPMethodView

app = Sanic("names", load_env=False)
other = Application("other", load_env=False)
part = Blueprint("part", url_prefix="/part")
second = Part("second")


class Broken(SanicException):
    status_code = 418


@app.get("/a")
def a(request: Request) -> HTTPResponse:
    logger.info("asked")
    if not request.args:
        raise NotFound("nothing")
    return as_json({"a": 1})


@part.post("/b")
async def b(request):
    text = "a local of that name"
    raise InvalidUsage(text)


@second.get("/c")
async def c(request):
    return redirect("/a")


class View(HTTPMethodView):
    async def get(self, request):
        return text("view")


app.add_route(View.as_view(), "/view")
app.blueprint(part)
app.blueprint(second)
