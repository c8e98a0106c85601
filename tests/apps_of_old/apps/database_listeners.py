import sqlite3
import time

from sanic import Sanic
from sanic.response import json

app = Sanic("database")


@app.listener("before_server_start")
async def setup_db(app, loop):
    app.db = sqlite3.connect(":memory:", check_same_thread=False)
    app.db.execute("create table visits (page text, at real)")


@app.listener("after_server_start")
async def notify_server_started(app, loop):
    app.started = True


@app.listener("after_server_stop")
async def close_db(app, loop):
    app.db.close()


@app.middleware("request")
async def start_timer(request):
    request["started"] = time.time()


@app.middleware("request")
async def record_visit(request):
    request.app.db.execute("insert into visits values (?, ?)", (request.path, request["started"]))


@app.middleware("response")
async def custom_banner(request, response):
    response.headers["Server"] = "Fake-Server"
    response.headers["X-Timed"] = str(time.time() >= request["started"])


@app.middleware("response")
async def prevent_xss(request, response):
    response.headers["x-xss-protection"] = "1; mode=block"


@app.route("/visits")
async def visits(request):
    rows = request.app.db.execute("select page, count(*) from visits group by page order by page")
    return json({"visits": [list(row) for row in rows], "started": request.app.started})


@app.route("/page/<name>")
async def page(request, name):
    return json({"page": name})
