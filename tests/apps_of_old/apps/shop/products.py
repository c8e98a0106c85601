from sanic import Blueprint
from sanic.response import json

bp = Blueprint("products", url_prefix="/products")
PRODUCTS = {1: "lamp", 2: "chair"}


@bp.route("/")
async def index(request):
    urls = [request.app.url_for("products.show", number=number) for number in sorted(PRODUCTS)]
    return json(urls)


@bp.route("/<number:int>")
async def show(request, number):
    return json({"number": number, "name": PRODUCTS[number]})


@bp.exception(KeyError)
def unknown(request, exception):
    return json({"unknown": str(exception)}, status=404)


@bp.listener("before_server_start")
async def count(app, loop):
    app.config.PRODUCTS = len(PRODUCTS)
