from sanic import Sanic
from sanic.response import text

app = Sanic("numbers")


@app.get("/")
async def index(request):
    response = text("set")
    response.add_cookie("number", str(7), secure=False, samesite=None)
    response.add_cookie("length", str(len(request.path)), secure=False, samesite=None)
    response.add_cookie("given", request.args.get("given", "nothing"), secure=False, samesite=None)
    response.add_cookie("text", "a" + request.path, secure=False, samesite=None)
    return response
