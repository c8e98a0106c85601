from datetime import date

from sanic import Blueprint, Request, Sanic, json, text
from sanic.exceptions import NotFound, SanicException
from sanic.response import empty, html, redirect, stream

app = Sanic("inventory")
app.ctx.items = {1: "hammer", 2: "saw"}
app.config.PROXIES_COUNT = 1

items = Blueprint("items", url_prefix="/items", version=1)
reports = Blueprint("reports", url_prefix="/reports")
api = Blueprint.group(items, reports, url_prefix="/api")


@items.on_request
async def counted(request: Request):
    request.ctx.counted = True


@reports.on_response
async def stamped(request, response):
    response.headers["X-Report"] = "1"


@items.get("/<item_id:int>")
async def item(request: Request, item_id: int):
    if item_id not in app.ctx.items:
        raise NotFound("no item {}".format(item_id))
    return json({"name": app.ctx.items[item_id], "counted": request.ctx.counted})


@items.delete("/<item_id:int>")
async def remove(request, item_id):
    app.ctx.items.pop(item_id, None)
    return empty()


@items.post("/")
async def add(request):
    if not request.json:
        raise SanicException("a name is needed", status_code=422, context={"field": "name"})
    app.ctx.items[3] = request.json["name"]
    return json({"id": 3}, status=201)


@reports.get("/<day:ymd>", name="by_day")
async def by_day(request, day: date):
    return text("{} of {}".format(type(day).__name__, day.isoformat()))


@reports.get("/<name:slug>/as/<kind:str>")
async def by_name(request, name, kind):
    return text("{} as {}".format(name, kind))


@app.get("/")
async def index(request):
    return redirect(app.url_for("items.item", item_id=1))


@app.get("/query")
async def query(request):
    return json([[name, value] for name, value in request.query_args])


@app.get("/client")
async def client(request):
    return json({"address": request.remote_addr, "name": request.server_name, "port": request.server_port})


@app.get("/page")
async def page(request):
    class Page:
        def __html__(self):
            return "<p>page</p>"

    return html(Page())


@app.get("/lines")
async def lines(request):
    async def write(response):
        for number in range(3):
            await response.write("line {}\n".format(number))

    return stream(write, content_type="text/csv")


@app.get("/respond")
async def respond(request):
    response = await request.respond(content_type="text/plain")
    await response.send("one ")
    await response.send("two")
    await response.eof()


@app.post("/upload", stream=True)
async def upload(request):
    size = 0
    async for chunk in request.stream:
        size += len(chunk)
    return text(str(size))


@app.signal("item.seen.<number>")
async def seen(number):
    app.ctx.seen = number


@app.get("/signal")
async def signalled(request):
    await app.dispatch("item.seen.7", inline=True)
    return text(str(app.ctx.seen))


app.blueprint(api)
