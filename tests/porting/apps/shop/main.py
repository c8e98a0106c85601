"""Blueprints across several files, with a helper module and exceptions of their own."""

from sanic import Sanic
from sanic.response import text

from .catalogue import catalogue
from .errors import OutOfStock
from .orders import bp as orders

app = Sanic("shop", is_request_stream=True)
app.blueprint(catalogue, url_prefix="/catalogue")
app.blueprint(orders)


@app.exception(OutOfStock)
def out_of_stock(req, exc):
    return text("{}: {}".format(req.path, exc), status=409)


@app.middleware("response")
async def name_it(request, response):
    response.headers["X-Shop"] = "shop"
