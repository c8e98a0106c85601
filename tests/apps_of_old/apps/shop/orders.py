from sanic import Blueprint
from sanic.response import json, text

bp = Blueprint("orders", url_prefix="/orders")
bp_v2 = Blueprint("orders_v2", url_prefix="/orders", version=2)
ORDERS = []


@bp.middleware("request")
async def tag(request):
    request["shop"] = "old shop"


@bp.post("/")
async def create(request):
    ORDERS.append({"product": int(request.form.get("product")), "shop": request["shop"]})
    return json(ORDERS[-1], status=201)


@bp.get("/")
async def index(request):
    return json(ORDERS)


@bp_v2.get("/")
async def index_v2(request):
    return json({"orders": ORDERS, "total": len(ORDERS)})


async def cancel(request, number):
    del ORDERS[number]
    return text("cancelled")


bp.add_route(cancel, "/<number:int>/cancel", methods=["POST"])
