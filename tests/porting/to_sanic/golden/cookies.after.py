from sanic import Sanic, response
from sanic.response import HTTPResponse, text

app = Sanic("cookies")


@app.get("/set")
async def set_cookies(request):
    answer = text("set")
    answer.add_cookie("a", "1", secure=False, samesite=None)
    answer.add_cookie("b", request.args.get("b", "2"), secure=False, samesite=None, httponly=True, max_age=60, path="/set")
    return answer


@app.get("/gone")
async def gone(request):
    answer = response.json({"a": request.cookies.get("a")})
    answer.cookies.delete_cookie("a", secure=False)
    return answer


@app.get("/bytes")
async def as_bytes(request):
    return HTTPResponse(body=b"\xff", status=201, content_type="text/plain")


@app.middleware("response")
async def visited(request, answer):
    answer.add_cookie("seen", "yes", secure=False, samesite=None)
