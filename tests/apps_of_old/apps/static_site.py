import os

from sanic import Sanic
from sanic.response import file, redirect

HERE = os.path.dirname(os.path.abspath(__file__))
SITE = os.path.join(HERE, "static_site_files")

app = Sanic(__name__)

app.static("/static", SITE, use_modified_since=False)
app.static("/robots.txt", os.path.join(SITE, "robots.txt"), use_modified_since=False)


@app.route("/")
async def home(request):
    return redirect("/index.html")


@app.route("/index.html")
async def index(request):
    return await file(os.path.join(SITE, "index.html"), headers={"Cache-Control": "max-age=60"})


@app.route("/old/<page>")
async def moved(request, page):
    return redirect("/" + page, status=301)
