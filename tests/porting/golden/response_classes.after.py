from mach9 import Mach9
from mach9.response import HTTPResponse, StreamHTTPResponse, text
from sanic.response import redirect

app = Mach9("classes", load_env=False)


@app.middleware("response")
async def count(request, response):
    if isinstance(response, (StreamHTTPResponse, str)):
        response.headers["X-Streamed"] = "1"


def user_of(request):
    return request.args.get("name") or redirect(request.path + "?name=")


@app.get("/user")
async def user(request):
    found = user_of(request)
    if isinstance(found, HTTPResponse):
        return found
    return HTTPResponse(found)
