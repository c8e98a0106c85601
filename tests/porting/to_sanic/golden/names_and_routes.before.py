from sanic import Blueprint, Sanic
from sanic.response import text
from sanic.views import HTTPMethodView
from sanic.views import stream as stream_decorator

app = Sanic("names and routes", None, None, True)
part = Blueprint("the_part", url_prefix="/part")


@app.route("/")
@app.route("/index")
async def index(request):
    return text("index")


@app.get("/words/<word:string>/<number:number>")
async def words(request, word, number):
    return text(word + str(number))


@app.delete("/body")
async def with_body(request):
    return text(request.body.decode())


@part.get("/<name>")
def named(request, name):
    return text(name)


class Notes(HTTPMethodView):
    @stream_decorator
    async def post(self, request):
        size = 0
        while True:
            body = await request.stream.get()
            if body is None:
                break
            size += len(body)
        return text(size)

    async def put(self, request):
        return text(request.body.decode())


app.add_route(Notes.as_view(), "/notes")
app.add_route(lambda request: text("one"), "/one")
app.add_route(lambda request: text("two"), "/two")
app.register_blueprint(part)

if __name__ == "__main__":
    app.go_fast("127.0.0.1", 8000, True)
