from sanic import Sanic
from sanic.response import HTTPResponse, StreamingHTTPResponse, redirect, text

app = Sanic("classes", load_env=False)


@app.middleware("response")
async def count(request, response):
    if isinstance(response, (StreamingHTTPResponse, str)):
        response.headers["X-Streamed"] = "1"


def user_of(request):
    return request.args.get("name") or redirect(request.path + "?name=")


@app.get("/user")
async def user(request):
    found = user_of(request)
    if isinstance(found, HTTPResponse):
        return found
    return HTTPResponse(found)
