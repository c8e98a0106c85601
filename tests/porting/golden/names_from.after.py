from mach9 import Blueprint, Mach9
from mach9.app import Mach9 as Application
from mach9.blueprints import Blueprint as Part
from mach9.exceptions import InvalidUsage, NotFound, Mach9Exception
from mach9.log import log
from mach9.request import Request
from mach9.response import HTTPResponse, json as as_json, redirect, text
from mach9.views import CompositionView, HTTPMethodView

app = Mach9("names", load_env=False)
other = Application("other", load_env=False)
part = Blueprint("part", url_prefix="/part")
second = Part("second")


class Broken(Mach9Exception):
    status_code = 418


@app.get("/a")
def a(request: Request) -> HTTPResponse:
    log.info("asked")
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
