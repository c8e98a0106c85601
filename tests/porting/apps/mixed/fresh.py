from sanic import Blueprint
from sanic.response import text

fresh = Blueprint("fresh", url_prefix="/fresh")


@fresh.stream("/size")
async def size(request):
    total = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        total += len(body)
    return text(str(total))
