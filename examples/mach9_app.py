"""An app with Mach9's API: `receive()` returns each chunk as a dict, and `send()` takes bytes.

Serve it with `streamcompat run examples/mach9_app.py`.
"""

import csv
import hashlib
import io

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.blueprints import Blueprint
from streamcompat.mach9_api.response import json, stream
from streamcompat.mach9_api.views import HTTPMethodView
from streamcompat.mach9_api.views import stream as stream_decorator

app = Mach9("mach9_example")
tables = Blueprint("mach9_tables")


@app.get("/countdown/<number:int>")
async def countdown(request, number):
    async def lines(channel):
        for left in range(number, 0, -1):
            await channel.send(f"{left}\n".encode())
        await channel.send(b"lift off\n")

    return stream(lines, content_type="text/plain; charset=utf-8")


@app.post("/upper", stream=True)
async def upper(request):
    """Respond while the request is still arriving: each chunk is sent back in capitals."""

    async def capitals(channel):
        while True:
            chunk = await request.stream.receive()
            if chunk["more_content"] is False:
                break
            await channel.send(chunk["content"].upper())
        await channel.send(b"\n")

    return stream(capitals, content_type="text/plain; charset=utf-8")


class Digest(HTTPMethodView):
    """Hashes an upload of any size, and holds only one chunk of it at a time."""

    @stream_decorator
    async def post(self, request):
        digest, size = hashlib.sha256(), 0
        while True:
            chunk = await request.stream.receive()
            if chunk["more_content"] is False:
                break
            digest.update(chunk["content"])
            size += len(chunk["content"])
        return json({"bytes": size, "sha256": digest.hexdigest()})


@tables.get("/squares.csv")
async def squares(request):
    rows = int(request.args.get("rows", 3))

    async def table(channel):
        line = io.StringIO()
        writer = csv.writer(line)
        writer.writerow(["number", "square"])
        for number in range(1, rows + 1):
            writer.writerow([number, number * number])
            await channel.send(line.getvalue().encode())
            line.seek(0)
            line.truncate()

    return stream(table, content_type="text/csv; charset=utf-8")


app.add_route(Digest.as_view(), "/digest")
app.blueprint(tables)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
