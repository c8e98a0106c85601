"""An app written for Mach9, without any change.

`streamcompat run examples/old_mach9_app.py --alias` serves it: `import mach9` then finds streamcompat, and
Mach9 itself need not be installed.
"""

from mach9 import Mach9
from mach9.blueprints import Blueprint
from mach9.response import stream, text

app = Mach9(__name__)
bp = Blueprint("reports")


@app.route("/")
async def index(request):
    async def sample_streaming_fn(channel):
        await channel.send(b"foo,")
        await channel.send(b"bar")

    return stream(sample_streaming_fn, content_type="text/csv")


@bp.post("/lines", stream=True)
async def count_lines(request):
    lines = 0
    while True:
        body_chunk = await request.stream.receive()
        if body_chunk["more_content"] is False:
            break
        lines += body_chunk["content"].count(b"\n")
    return text(f"{lines} lines")


app.blueprint(bp)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
