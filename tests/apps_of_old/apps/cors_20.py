from sanic import Blueprint, Sanic
from sanic.exceptions import NotFound
from sanic.response import json, text
from sanic_cors import CORS, cross_origin

app = Sanic("cors")
CORS(app, resources={r"/api/*": {"origins": ["https://a.example", "https://b.example"]}}, supports_credentials=True)
posts = Blueprint("posts", url_prefix="/api/posts")


@posts.route("/")
async def index(request):
    return json(["first"])


@posts.route("/<number:int>", methods=["GET", "PUT", "DELETE"])
async def one(request, number):
    if number > 1:
        raise NotFound("no such post")
    return json({"number": number})


@app.route("/open", methods=["GET", "POST", "OPTIONS"])
@cross_origin(app, expose_headers="X-Count", max_age=600)
async def is_open(request):
    return text("open", headers={"X-Count": "1"})


@app.route("/closed")
async def closed(request):
    return text("closed")


@app.route("/api/broken")
async def broken(request):
    return text(1 / 0)


app.blueprint(posts)
