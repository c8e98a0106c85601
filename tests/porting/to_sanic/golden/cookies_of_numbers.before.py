from sanic import Sanic
from sanic.response import text

app = Sanic("numbers")


@app.get("/")
async def index(request):
    response = text("set")
    response.cookies["number"] = 7
    response.cookies["length"] = len(request.path)
    response.cookies["given"] = request.args.get("given", "nothing")
    response.cookies["text"] = "a" + request.path
    return response
