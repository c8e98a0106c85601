from sanic import Blueprint, Sanic
from sanic.response import text
from sanic.views import HTTPMethodView
from sanic.views import stream as stream_decorator

app = Sanic("names_and_routes", router=None, error_handler=None)
part = Blueprint("the_part", url_prefix="/part")


@app.route("/", name="index_2")
@app.route("/index")
async def index(request):
    return text("index")


@app.get("/words/<word:str>/<number:float>", unquote=True)
async def words(request, word, number):
    return text(word + str(number))


@app.delete("/body", ignore_body=False)
async def with_body(request):
    return text(request.body.decode())


@part.get("/<name>", unquote=True)
def named(request, name):
    return text(str(name))


class Notes(HTTPMethodView):
    @stream_decorator
    async def post(self, request):
        size = 0
        async for body in request.stream:
            size += len(body)
        return text(str(size))

    async def put(self, request):
        await request.receive_body()
        return text(request.body.decode())


app.add_route(Notes.as_view(), "/notes")
app.add_route(lambda request: text("one"), "/one")
app.add_route(lambda request: text("two"), "/two", name="lambda_2")
app.blueprint(part)

if __name__ == "__main__":
    app.run("127.0.0.1", 8000, debug=True)
