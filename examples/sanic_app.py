"""An app with Sanic's API: `get()` returns each chunk as bytes, and `write()` takes any object.

Serve it with `streamcompat run examples/sanic_app.py`.
"""

import csv
import hashlib

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.blueprints import Blueprint
from streamcompat.sanic_api.response import json, stream
from streamcompat.sanic_api.views import HTTPMethodView
from streamcompat.sanic_api.views import stream as stream_decorator

app = Sanic("sanic_example", is_request_stream=True)
tables = Blueprint("sanic_tables")


@app.get("/countdown/<number:int>")
async def countdown(request, number):
    async def lines(response):
        for left in range(number, 0, -1):
            response.write(f"{left}\n")
        response.write("lift off\n")

    return stream(lines, content_type="text/plain; charset=utf-8")


@app.stream("/upper")
async def upper(request):
    """Respond while the request is still arriving: each chunk is sent back in capitals."""

    async def capitals(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            response.write(body.upper())
        response.write("\n")

    return stream(capitals, content_type="text/plain; charset=utf-8")


class Digest(HTTPMethodView):
    """Hashes an upload of any size, and holds only one chunk of it at a time."""

    @stream_decorator
    async def post(self, request):
        digest, size = hashlib.sha256(), 0
        while True:
            body = await request.stream.get()
            if body is None:
                break
            digest.update(body)
            size += len(body)
        return json({"bytes": size, "sha256": digest.hexdigest()})


@tables.get("/squares.csv")
async def squares(request):
    rows = int(request.args.get("rows", 3))

    async def table(response):
        # csv cannot await write(), but the response still waits for a slow client.
        writer = csv.writer(response)
        writer.writerow(["number", "square"])
        for number in range(1, rows + 1):
            writer.writerow([number, number * number])

    return stream(table, content_type="text/csv; charset=utf-8")


app.add_route(Digest.as_view(), "/digest")
app.blueprint(tables)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
