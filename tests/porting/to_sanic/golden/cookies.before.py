from sanic import Sanic, response
from sanic.response import HTTPResponse, text

app = Sanic("cookies")


@app.get("/set")
async def set_cookies(request):
    answer = text("set")
    answer.cookies["a"] = "1"
    answer.cookies["b"] = request.args.get("b", "2")
    answer.cookies["b"]["httponly"] = True
    answer.cookies["b"]["max-age"] = 60
    answer.cookies["b"]["path"] = "/set"
    return answer


@app.get("/gone")
async def gone(request):
    answer = response.json({"a": request.cookies.get("a")})
    del answer.cookies["a"]
    return answer


@app.get("/bytes")
async def as_bytes(request):
    return HTTPResponse(body_bytes=b"\xff", status=201)


@app.middleware("response")
async def visited(request, answer):
    answer.cookies["seen"] = "yes"
