from sanic import Sanic
from sanic.response import json

app = Sanic("lists")


@app.route("/", methods=["GET", "POST"])
async def index(request):
    found = (request.args.getlist("a") or None)
    count = 0
    for _ in request.args.getlist("b") or []:
        count += 1
    given = request.args.getlist("c", ["c"])
    return json([found, count, given, (request.form.getlist("d") or None) is None])
