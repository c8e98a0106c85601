from sanic import Sanic
from sanic.response import text

app = Sanic("cookies_once")


@app.middleware("response")
async def seen(request, response):
    response.cookies["seen"] = "1"


@app.get("/branches")
async def branches(request):
    response = text("a")
    if request.args.get("x"):
        response.cookies["a"] = "2"
        response.cookies["a"]["max-age"] = 3
    elif request.args.get("y"):
        response.cookies["a"] = "1"
    else:
        del response.cookies["a"]
    response.cookies["b"] = "b"
    return response
