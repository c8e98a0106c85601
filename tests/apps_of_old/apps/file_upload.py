import hashlib

from sanic import Sanic
from sanic.response import html, json, raw, text

app = Sanic(__name__)
app.config.REQUEST_MAX_SIZE = 1000000
stored = {}

FORM = """<form method="post" enctype="multipart/form-data" action="/upload">
<input type="text" name="album"><input type="file" name="photos" multiple><input type="submit">
</form>"""


@app.route("/")
async def form(request):
    return html(FORM)


@app.route("/upload", methods=["POST"])
async def upload(request):
    album = request.form.get("album", "unsorted")
    photos = request.files.getlist("photos")
    if not photos:
        return json({"received": False, "fields": list(request.form.keys())}, status=400)
    for photo in photos:
        stored[photo.name] = photo
    parameters = [
        {"name": photo.name, "type": photo.type, "size": len(photo.body),
         "md5": hashlib.md5(photo.body).hexdigest()}
        for photo in photos
    ]
    return json({"received": True, "album": album, "files": parameters})


@app.route("/photos/<name:[A-z0-9.]+>")
async def photo(request, name):
    if name not in stored:
        return text("No such photo", status=404)
    return raw(stored[name].body, content_type=stored[name].type)
