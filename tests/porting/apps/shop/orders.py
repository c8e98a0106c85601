from sanic.blueprints import Blueprint
from sanic.response import json, stream

from shop import reading
from shop.errors import OutOfStock
from shop.reading import lines_of

bp = Blueprint("orders", url_prefix="/orders", strict_slashes=True)


@bp.stream("/new")
async def new(request):
    found = []
    async for line in lines_of(request):
        if line == b"none":
            raise OutOfStock("none left")
        found.append(line.decode("latin-1"))
    return json({"lines": found})


@bp.stream("/echo", methods=["PUT"])
async def echo(request):
    data = await reading.whole(request.stream)

    async def streaming(response):
        response.write(data)

    return stream(streaming)
