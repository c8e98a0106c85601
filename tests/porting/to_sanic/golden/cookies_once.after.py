from sanic import Sanic
from sanic.response import text

app = Sanic("cookies_once")


@app.middleware("response")
async def seen(request, response):
    response.add_cookie("seen", "1", secure=False, samesite=None)


@app.get("/branches")
async def branches(request):
    response = text("a")
    if request.args.get("x"):
        response.add_cookie("a", "2", secure=False, samesite=None, max_age=3)
    elif request.args.get("y"):
        response.add_cookie("a", "1", secure=False, samesite=None)
    else:
        response.cookies.delete_cookie("a", secure=False)
    response.add_cookie("b", "b", secure=False, samesite=None)
    return response
