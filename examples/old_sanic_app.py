"""An app written for Sanic in 2018, without any change.

`streamcompat run examples/old_sanic_app.py --alias` serves it: `import sanic` then finds streamcompat, and
Sanic itself need not be installed.
"""

from sanic import Sanic
from sanic.blueprints import Blueprint
from sanic.response import stream, text

app = Sanic(__name__)
bp = Blueprint("reports")


@app.route("/")
async def index(request):
    async def sample_streaming_fn(response):
        response.write("foo,")
        response.write("bar")

    return stream(sample_streaming_fn, content_type="text/csv")


@bp.stream("/lines")
async def count_lines(request):
    lines = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        lines += body.count(b"\n")
    return text(f"{lines} lines")


app.blueprint(bp)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
