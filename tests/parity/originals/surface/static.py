"""Static files and folders, modification times, ranges of bytes."""

import os

from tests.parity.originals.surface import flag
from tests.parity.originals.surface.cases import case, get, request

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
WRITTEN = 1500000000


def app(web):
    app = web.App("static")
    for folder, _, names in os.walk(FILES):
        for name in names:
            os.utime(os.path.join(folder, name), (WRITTEN, WRITTEN))
    hello = os.path.join(FILES, "hello.txt")
    data = os.path.join(FILES, "data.bin")
    app.static("/hello.txt", hello)
    app.static("/folder", FILES, **flag(app.static, name="folder"))
    app.static("/slashed/", FILES, **flag(app.static, name="slashed"))
    app.static("/css", FILES, pattern=r"/[a-z]+\.css", **flag(app.static, name="css"))
    app.static("/unaware", FILES, use_modified_since=False, **flag(app.static, name="unaware"))
    app.static("/ranges", FILES, use_content_range=True, **flag(app.static, name="ranges"))
    app.static("/range.bin", data, use_content_range=True, **flag(app.static, name="range"))
    app.static(
        "/large", FILES, **flag(app.static, name="large", use_content_range=True, stream_large_files=100)
    )
    app.static("/typed.txt", hello, **flag(app.static, name="typed", content_type="text/x-own"))
    app.static("/hosted.txt", hello, **flag(app.static, name="hosted", host="one.example"))
    app.static("/missing.txt", os.path.join(FILES, "missing.txt"), **flag(app.static, name="missing"))

    blueprint = web.Blueprint("area", url_prefix="/area")
    blueprint.static("/hello.txt", hello)
    blueprint.static("/folder", FILES, **flag(app.static, name="folder"))
    blueprint.static("/named.txt", hello, **flag(app.static, name="area.named"))
    app.blueprint(blueprint)

    urls = {
        "file": lambda: app.url_for("static"),
        "folder": lambda: app.url_for("static", name="folder", filename="style.css"),
        "slash": lambda: app.url_for("static", name="folder", filename="/style.css"),
        "below": lambda: app.url_for("static", name="folder", filename="sub/in side.txt"),
        "external": lambda: app.url_for(
            "static", name="folder", filename="style.css", _external=True, _server="www.example"
        ),
        "anchor": lambda: app.url_for("static", name="folder", filename="style.css", _anchor="x", q="1"),
        "blueprint": lambda: app.url_for("area.static", filename=""),
        "blueprint-folder": lambda: app.url_for("static", name="area.folder", filename="style.css"),
        "blueprint-named": lambda: app.url_for("static", name="area.named"),
        "unknown": lambda: app.url_for("static", name="nobody", filename="x"),
    }

    @app.route("/url_for/<name>")
    def url_for(request, name):
        try:
            return web.response.text(urls[name]())
        except Exception as error:
            return web.response.text("%s: %s" % (type(error).__name__, error))

    return app


WHEN = "Fri, 14 Jul 2017 02:40:00 GMT"


def ranged(name, field, target="/range.bin"):
    return case("range " + name, get(target, range=field))


CASES = [
    case("file", get("/hello.txt")),
    case("file with a query", get("/hello.txt?v=1")),
    case("file HEAD", request("HEAD", "/hello.txt")),
    case("file POST", request("POST", "/hello.txt")),
    case("file with a slash", get("/hello.txt/")),
    case("file unchanged", get("/hello.txt", if_modified_since=WHEN)),
    case("file changed", get("/hello.txt", if_modified_since="Thu, 13 Jul 2017 02:40:00 GMT")),
    case("file since nonsense", get("/hello.txt", if_modified_since="x")),
    case("file missing at its place", get("/missing.txt")),
    case("folder text", get("/folder/hello.txt")),
    case("folder css", get("/folder/style.css")),
    case("folder html", get("/folder/page.html")),
    case("folder binary", get("/folder/data.bin")),
    case("folder without an extension", get("/folder/README")),
    case("folder below", get("/folder/sub/in%20side.txt")),
    case("folder missing", get("/folder/nothing.txt")),
    case("folder itself", get("/folder")),
    case("folder itself with a slash", get("/folder/")),
    case("folder in it", get("/folder/sub")),
    case("folder two slashes", get("/folder//hello.txt")),
    case("folder above", get("/folder/../responses.py")),
    case("folder above encoded", get("/folder/%2e%2e/responses.py")),
    case("folder above all encoded", get("/folder/%2e%2e%2fresponses.py")),
    case("folder dots within", get("/folder/sub/../hello.txt")),
    case("folder NUL", get("/folder/hello%00.txt")),
    case("folder HEAD", request("HEAD", "/folder/style.css")),
    case("slashed", get("/slashed/hello.txt")),
    case("pattern", get("/css/style.css")),
    case("pattern that does not fit", get("/css/hello.txt")),
    case("unaware", get("/unaware/hello.txt", if_modified_since=WHEN)),
    case("ranges without one", get("/ranges/hello.txt")),
    case("ranges HEAD", request("HEAD", "/ranges/hello.txt")),
    case("ranges of a folder", get("/ranges/hello.txt", range="bytes=0-4")),
    ranged("first", "bytes=0-9"),
    ranged("middle", "bytes=10-19"),
    ranged("from", "bytes=2040-"),
    ranged("last", "bytes=-8"),
    ranged("all", "bytes=0-"),
    ranged("beyond", "bytes=2040-9999"),
    ranged("after the end", "bytes=5000-6000"),
    ranged("backwards", "bytes=9-0"),
    ranged("of another unit", "lines=0-5"),
    ranged("of nothing", "bytes=-"),
    ranged("that is none", "bytes=x-5"),
    ranged("that ends in none", "bytes=1-y"),
    ranged("without a unit", "0-5"),
    ranged("several", "bytes=0-1,3-4"),
    case("large", get("/large/data.bin"), since="0.6.0"),
    case("large range", get("/large/data.bin", range="bytes=0-9"), since="0.6.0"),
    case("large small", get("/large/hello.txt"), since="0.6.0"),
    case("large missing", get("/large/nothing"), since="0.6.0"),
    case("typed", get("/typed.txt"), since="0.8.3"),
    case("hosted", get("/hosted.txt", host="one.example"), since="0.7.0"),
    case("hosted elsewhere", get("/hosted.txt", host="two.example"), since="0.7.0"),
    case("blueprint file", get("/area/hello.txt")),
    case("blueprint folder", get("/area/folder/style.css")),
] + [
    case("url_for " + name, get("/url_for/" + name), since="0.7.0")
    for name in (
        "file",
        "folder",
        "slash",
        "below",
        "external",
        "anchor",
        "blueprint",
        "blueprint-folder",
        "blueprint-named",
        "unknown",
    )
]
