from mach9 import Mach9
from mach9.response import HTTPResponse, text
from sanic.response import redirect
from streamcompat.ported import StreamedResponse, WholeResponse

app = Mach9("classes", load_env=False)


@app.middleware("response")
async def count(request, response):
    if isinstance(response, (StreamedResponse, str)):
        response.headers["X-Streamed"] = "1"


def user_of(request):
    return request.args.get("name") or redirect(request.path + "?name=")


@app.get("/user")
async def user(request):
    found = user_of(request)
    if isinstance(found, WholeResponse):
        return found
    return HTTPResponse(found)
