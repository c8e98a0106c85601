"""A tar archive: an upload that is unpacked as a whole, and a download that tarfile writes."""

import io
import tarfile

from sanic import Sanic
from sanic import response as responses
from sanic.exceptions import InvalidUsage

app = Sanic("archive", is_request_stream=True)


async def body_of(request):
    pieces = []
    async for piece in request.stream:
        pieces.append(piece)
    return b"".join(pieces)


@app.stream("/unpack")
async def unpack(request):
    data = await body_of(request)
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return responses.json(archive.getnames())
    except tarfile.TarError as error:
        raise InvalidUsage("no archive")


@app.get("/archive.tar")
async def download(request):
    async def streaming(response):
        with tarfile.open(fileobj=response, mode="w|") as archive:
            data = b"hello"
            info = tarfile.TarInfo("hello.txt")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

    return responses.stream(streaming, content_type="application/x-tar")
