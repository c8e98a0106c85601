from sanic import Blueprint
from sanic.response import stream

catalogue = Blueprint("catalogue")

ITEMS = ["pen", "paper", "ink"]


async def write_items(response):
    for item in ITEMS:
        response.write(item + "\n")


@catalogue.get("/items")
async def items(request):
    return stream(write_items, content_type="text/plain")
