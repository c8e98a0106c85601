"""An upload whose digest is made while it arrives."""

import hashlib

from sanic import Sanic
from sanic.response import json, text

app = Sanic("digest", is_request_stream=True)
app.config.REQUEST_MAX_SIZE = 1_000_000


@app.stream("/upload/<name>", methods=["POST", "PUT"])
async def upload(request, name):
    digest = hashlib.md5()
    size = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        digest.update(body)
        size += len(body)
    return json({"name": name, "size": size, "md5": digest.hexdigest()})


@app.put("/buffered")
async def buffered(request):
    return text(hashlib.md5(request.body).hexdigest())
