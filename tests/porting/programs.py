"""Makes programs for Sanic: apps of several handlers, in many ways of writing each."""

from __future__ import annotations

from hypothesis import strategies as st

IMPORTS = (
    ("from sanic import Sanic\nfrom sanic.response import stream, text\n", "Sanic", "stream", "text"),
    (
        "import sanic\nimport sanic.response as r  # the responses\n",
        "sanic.Sanic",
        "r.stream",
        "r.text",
    ),
    (
        "from sanic.app import Sanic as App\nfrom sanic import response\n",
        "App",
        "response.stream",
        "response.text",
    ),
    (
        "from streamcompat.sanic_api import Sanic\n"
        "from streamcompat.sanic_api.response import (\n    stream as as_stream,\n    text,\n)\n",
        "Sanic",
        "as_stream",
        "text",
    ),
)
VALUES = (
    '"a"', "'é'", 'b"b"', "1", "name", "name + '!'", 'f"{name}\\n"', "str(name)", "name.encode()", "[name]",
    '"%s" % name', "len(name)", "None", "('a' 'b')", "name if name else 'x'", "body", "json.dumps(name)",
    "repr(name).encode()", "('a', name)", "(name)", "str.join('-', name)", "int.to_bytes(65, 1, 'big')",
)  # fmt: skip
LOOPS = (
    "while True:\n    body = await request.stream.get()\n    if body is None:\n        break\n{uses}",
    "while True:\n    body = await request.stream.get()\n    if not body: break\n{uses}",
    "while (body := await request.stream.get()) is not None:\n{uses}",
    "async for body in request.stream:\n{uses}",
    "body = await request.stream.get()\nwhile body:\n{uses}    body = await request.stream.get()\n",
    "incoming = request.stream\nwhile True:\n    body = await incoming.read()\n"
    "    if body is None:\n        break\n{uses}",
    "async for body in request.stream:\n{uses}else:\n    pass\n",
    "body = b''.join([each async for each in request.stream])\n",
    "while True:\n    body = await request.stream.get()\n    if body is not None:\n        pass\n"
    "    else:\n        break\n{uses}",
)
UNTOUCHED = (
    "# a comment: response.write(request.stream.get())\n",
    'NOTE = """\nfrom sanic import Sanic\n    response.write(1)\n"""\n',
    "settings = {'stream': 1}\nsize = settings.get('stream')\n",
    "def write(response):\n    return response\n\n\n",
    "class Other:\n    stream = None\n\n    def get(self):\n        return self.stream\n\n\n",
    "\n\n\x0c\n",
    "x = 1 ;  y = 2   \n",
)


def indented(text: str, by: str = "    ") -> str:
    return "".join(by + line if line.strip() else line for line in text.splitlines(keepends=True))


@st.composite
def programs(draw: st.DrawFn, with_left: bool = True) -> tuple[str, list[str]]:
    """A program, and those of its lines that no rule has anything to do with."""
    imports, app, stream, text = draw(st.sampled_from(IMPORTS))
    source = "import csv\nimport json\n" + imports
    untouched: list[str] = []
    made = draw(st.sampled_from(["'app'", "'app', is_request_stream=True", "__name__, load_env=False"]))
    source += f"\napp = {app}({made})\n\n\n"
    count = draw(st.integers(0, 4))
    for number in range(count):
        if draw(st.booleans()):
            piece = draw(st.sampled_from(UNTOUCHED))
            source += piece
            untouched += piece.splitlines(keepends=True)
        kinds = ["writes", "echoes", "reads", "plain"] + (["left"] if with_left else [])
        source += _handler(draw, number, draw(st.sampled_from(kinds)), stream, text)
    return source, untouched


def _handler(draw: st.DrawFn, number: int, kind: str, stream: str, text: str) -> str:
    reading = kind in ("echoes", "reads")
    methods = draw(st.sampled_from(["", ", methods=['PUT']", ", methods=['POST', 'PUT']"]))
    route = f"@app.stream('/{number}/<name>'{methods})" if reading else f"@app.get('/{number}/<name>')"
    parameter = draw(st.sampled_from(["response", "out", "resp"]))
    write = draw(st.sampled_from([f"{parameter}.write", f"await {parameter}.write"]))
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))
    if not reading:
        values = [value for value in values if value != "body"] or ["name"]
    writes = "".join(f"{write}({value})\n" for value in values)
    head = f"{route}\nasync def handler{number}(request, name):\n"
    if kind == "plain":
        return head + f"    return {text}(name)\n\n\n"
    if kind == "reads":
        loop = draw(st.sampled_from(LOOPS)).format(uses="    found.append(body)\n")
        return head + indented("found = []\n" + loop + f"return {text}(repr(found))\n") + "\n\n"
    if kind == "left":
        writes = f"csv.writer({parameter}).writerow([1, name])\n" + writes
    elif kind == "echoes":
        writes = draw(st.sampled_from(LOOPS)).format(uses=indented(writes))
    if draw(st.booleans()):
        writes = f"def say(x):\n    {parameter}.write(x)\n\nsay(name)\n" + writes
    body = f"async def streaming({parameter}):\n" + indented(writes) + f"\nreturn {stream}(streaming)\n"
    return head + indented(body) + "\n\n"
