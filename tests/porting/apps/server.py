"""An app inside of a class, as servers of larger programs have it."""

import json

from sanic import Sanic
from sanic.response import stream
from sanic.response import text as plain


class Server:
    def __init__(self, name):
        self.app = Sanic(name, load_env=False)
        self.seen = 0
        self.app.add_route(self.report, "/report/<rows:int>")
        self.app.add_route(self.collect, "/collect", methods=["POST"], stream=True)

    async def report(self, request, rows):
        self.rows = rows
        return stream(self.write_report, content_type="application/json")

    async def write_report(self, response):
        response.write("[")
        for number in range(self.rows):
            if number:
                response.write(",")
            response.write(json.dumps({"n": number}))
        response.write("]")

    async def collect(self, request):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            self.seen += len(body)
        return plain("collected")


app = Server("server").app
