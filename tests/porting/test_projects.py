"""Generated projects of several files: each is ported, both are served, and a client sees no difference."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamcompat import aliases
from streamcompat.porting.project import port
from streamcompat.verification import compare, load
from tests.porting.programs import indented

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck))
WAYS = (
    "from core import app\n",
    "from core import *\n",
    "import core\napp = core.app\n",
    "import importlib\napp = importlib.import_module('core').app\n",
    "from middle import app\n",
)
STREAMS = (
    ("from sanic.response import stream, text\n", "stream"),
    ("from sanic.response import stream, text\nst = stream\n", "st"),
    ("from sanic import response\nfrom sanic.response import text\n", "response.stream"),
    ("from core import stream\nfrom sanic.response import text\n", "stream"),
    ("import core as made\nfrom sanic.response import text\n", "made.stream"),
    ("from functools import partial\nfrom sanic.response import stream, text\nst = partial(stream)\n", "st"),
)
WRITERS = (
    ("", "response.write('x')"),
    ("def emit(out, x):\n    out.write(x)\n", "emit(response, 'x')"),
    (
        "async def call(fn, *a):\n    fn(*a)\ndef emit(out):\n    out.write('x')\n",
        "await call(emit, response)",
    ),
    ("class Box:\n    def __init__(self, out):\n        self.out = out\n", "Box(response).out.write('x')"),
    (
        "class Base:\n    async def body(self, out):\n        pass\n    async def run(self, out):\n"
        "        await self.body(out)\n"
        "class Own(Base):\n    async def body(self, out):\n        out.write('x')\n",
        "await Own().run(response)",
    ),
    ("", "box = [response]; box[0].write('x')"),
    ("", "write = response.write; write('x'); del write"),
    ("", "out, times = response, 2; out.write('x' * times)"),
    ("", "request['out'] = response; request['out'].write('x')"),
    ("", "list(map(response.write, 'ab'))"),
    ("", "[response.write(one) for one in 'ab']"),
    ("", "(out := response).write('x')"),
    ("", "getattr(response, 'write')('x')"),
    ("import asyncio\n", "await asyncio.gather(response.write('a'), response.write('b'))"),
    ("import asyncio\n", "await asyncio.ensure_future(response.write('a'))"),
    ("def writer(out):\n    return out.write\n", "writer(response)('x')"),
    ("OUT = []\ndef say(x):\n    OUT[-1].write(x)\n", "OUT.append(response); say('x')"),
    (
        "OUT = None\ndef say(x):\n    OUT.write(x)\ndef use(out):\n    global OUT\n    OUT = out\n",
        "use(response); say('x')",
    ),
    (
        "import contextvars\nHELD = contextvars.ContextVar('held')\ndef say():\n    HELD.get().write('x')\n",
        "HELD.set(response); say()",
    ),
    (
        "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def around(out):\n"
        "    out.write('[')\n    yield out\n    out.write(']')\n",
        "async with around(response) as out: out.write('x')",
    ),
    (
        "from contextlib import contextmanager\n@contextmanager\ndef around(out):\n"
        "    try:\n        yield out.write\n    finally:\n        out.write(']')\n",
        "with around(response) as write: write('x')",
    ),
    (
        "class Held:\n    def __init__(self, out):\n        self._out = out\n"
        "    def __getattr__(self, name):\n        return getattr(self._out, name)\n",
        "Held(response).write('x')",
    ),
    (
        "class Held:\n    def __init__(self, out):\n        self._out = out\n"
        "    @property\n    def out(self):\n        return self._out\n",
        "Held(response).out.write('x')",
    ),
    (
        "class Held:\n    def run(self, out):\n        self.out = out\n        self.one()\n"
        "    def one(self):\n        self.out.write('x')\n",
        "Held().run(response)",
    ),
    (
        "class Job:\n    def __init__(self, on_row):\n        self.on_row = on_row\n"
        "    def run(self):\n        self.on_row('x')\n",
        "Job(response.write).run()",
    ),
    (
        "def walk(depth, out):\n    out.write(str(depth))\n    if depth:\n        walk(depth - 1, out)\n",
        "walk(2, response)",
    ),
    (
        "def rows(out):\n    for row in range(2):\n        out.write('g')\n        yield row\n",
        "for row in rows(response): response.write(str(row))",
    ),
    (
        "from functools import singledispatch\n@singledispatch\ndef put(x, out):\n    out.write(str(x))\n"
        "@put.register(list)\ndef _(x, out):\n    put(x[0], out)\n",
        "put([1], response)",
    ),
    (
        "def one(out):\n    out.write('1')\ndef two(out):\n    out.write('2')\n",
        "(one if request.args else two)(response); {'a': one, 'b': two}['b'](response)",
    ),
    (
        "import io\ndef put(out):\n    out.write('x')\nBUFFER = io.StringIO()\nput(BUFFER)\n",
        "put(response)",
    ),
)
DEFINED_TWICE = (
    ("if {}:\n    def log(out):\n        out.write('log')\nelse:\n    def log(out):\n        pass\n"),
    (
        "class Log:\n    def log(self, out):\n        out.write('log')\n"
        "    def run(self, out):\n        self.log(out)\n"
        "class Quiet(Log):\n    def log(self, out):\n        {}\n"
        "def log(out):\n    Log().run(out)\n    Quiet().run(out)\n"
    ),
    ("def log(out):\n    out.write('log')\nquiet = {}\nif quiet:\n    log = lambda out: None\n"),
)
"""Functions of one name, of which one writes."""

READS = (
    "await request.stream.get()",
    "await getattr(request, 'stream').get()",
    "await read(request)",
    "await (lambda r: r.stream.get())(request)",
    "await pulled(request.stream.get)",
    "await asyncio.wait_for(request.stream.get(), 5)",
    "[chunk async for chunk in Chunks(request)]",
    "[chunk async for chunk in pieces(request)]",
    "await Reading(request).read()",
)
READERS = """
import asyncio
async def pulled(get):
    return await get()
class Chunks:
    def __init__(self, request):
        self.stream = request.stream
    def __aiter__(self):
        return self
    async def __anext__(self):
        chunk = await self.stream.get()
        if chunk is None:
            raise StopAsyncIteration
        return chunk
async def pieces(request):
    while (chunk := await request.stream.get()) is not None:
        yield chunk
class Reading:
    def __init__(self, request):
        self.request = request
    async def read(self):
        return await self.request.stream.get()
"""
REGISTERED = (
    "@app.get('/w')\nasync def w(request):\n{}",
    "async def w(request):\n{}app.add_route(w, '/w')\n",
    "async def w(request):\n{}for uri, one in {{'/w': w}}.items():\n    app.add_route(one, uri)\n",
    "import functools\nasync def w(request, kind):\n{}app.add_route(functools.partial(w, kind='x'), '/w')\n",
    "class Page:\n    def __init_subclass__(cls, uri):\n        app.add_route(cls().w, uri)\n"
    "class W(Page, uri='/w'):\n    async def w(self, request):\n{}",
    "class Meta(type):\n    def __init__(cls, name, bases, body):\n        app.add_route(body['w'], '/w')\n"
    "class W(metaclass=Meta):\n    async def w(request):\n{}",
    "from sanic.views import HTTPMethodView\nclass W(HTTPMethodView):\n    async def get(self, request):\n{}"
    "app.add_route(W.as_view(), '/w')\n",
    "if app:\n    @app.get('/w')\n    async def w(request):\n{}",
)
"""How a handler is registered, around its body."""
DECORATED = (
    "",
    "def framed(f):\n    async def inner(response):\n        response.write('<')\n        await f(response)\n"
    "    return inner\n",
)


HOOKS = ("before", "body", "after")
RUN = "".join(f"        await self.{hook}(out)\n" for hook in HOOKS)
CHUNKS = ("b'none'", "await super().chunk(request)", "await request.stream.get()")
CHUNK = "    async def chunk(self, request):\n        return "


@st.composite
def hierarchies(draw: st.DrawFn) -> dict[str, str]:
    """Classes that write in hooks and read in a method, some overridden, in one file or in one file each.

    The last class is called `Last`, in `last.py`.
    """
    count = draw(st.integers(1, 3))
    texts = []
    for level in range(count):
        name, base = "Last" if level == count - 1 else f"Level{level}", f"(Level{level - 1})" if level else ""
        text = f"class {name}{base}:\n    level = {level}\n"
        for hook in HOOKS:
            said = draw(
                st.sampled_from(["", "pass", f"out.write('{hook}{level}')", "self.say(out)", "super"])
            )
            if said == "super":
                said = f"await super().{hook}(out); out.write('s')" if level else "pass"
            if said or not level:
                text += f"    async def {hook}(self, out):\n        {said or 'pass'}\n"
        if not level:
            text += f"    async def run(self, out):\n{RUN}"
            text += f"{CHUNK}await request.stream.get()\n"
        elif draw(st.booleans()):
            text += CHUNK + draw(st.sampled_from(CHUNKS)) + "\n"
        if not level or draw(st.booleans()):
            text += f"    def say(self, out):\n        out.write('say{level}')\n"
        texts.append(text)
    if draw(st.booleans()):
        return {"last.py": "".join(texts)}
    names = [f"level{level}" for level in range(count - 1)] + ["last"]
    return {
        f"{name}.py": (f"from level{level - 1} import Level{level - 1}\n" if level else "") + text
        for level, (name, text) in enumerate(zip(names, texts, strict=True))
    }


@st.composite
def projects(draw: st.DrawFn) -> dict[str, str]:
    """The files of an app: its core, a file that hands it on, and handlers that write and read."""
    imports, stream = draw(st.sampled_from(STREAMS))
    classes: dict[str, str] = {}
    helper, write = draw(st.sampled_from(WRITERS))
    reads = READS
    if draw(st.booleans()):
        classes = draw(hierarchies())
        helper = "from last import Last\n"
        write = draw(
            st.sampled_from(["await Last().run(response)", "last = Last(); await last.body(response)"])
        )
        reads = (*READS, "await Last().chunk(request)")
    if draw(st.booleans()):
        helper += draw(st.sampled_from(DEFINED_TWICE)).format(draw(st.sampled_from(["True", "None"])))
        write += "; log(response)"
    decorator = draw(st.sampled_from(DECORATED))
    body = (
        "@framed\n" if decorator else ""
    ) + f"async def writes(response):\n    {write}\nreturn {stream}(writes)\n"
    way = draw(st.sampled_from(REGISTERED))
    deep = way.rpartition("{}")[0].splitlines()[-1]
    handler = way.format(indented(body, " " * (len(deep) - len(deep.lstrip()) + 4)))
    reader = READERS + (
        "async def read(request):\n    return await request.stream.get()\n"
        "@app.post('/r', stream=True)\nasync def r(request):\n"
        f"    return text(repr({draw(st.sampled_from(reads))}))\n"
    )
    parts = draw(st.lists(st.sampled_from([handler, reader]), min_size=1, max_size=2, unique=True))
    comes = draw(st.sampled_from(WAYS))
    return {
        "core.py": "from sanic import Sanic\nfrom sanic.response import stream\n"
        "app = Sanic('core', load_env=False)\n",
        "middle.py": "from core import app, Sanic\n",
        **classes,
        "main.py": imports + comes + helper + decorator + "".join(parts),
    }


def check(files: dict[str, str]) -> None:
    result = port({path: text.encode() for path, text in files.items()})
    with tempfile.TemporaryDirectory() as folder:
        for name in ("before", "after"):
            Path(folder, name).mkdir()
        for file in result.files:
            Path(folder, "before", file.path).write_bytes(file.before)
            Path(folder, "after", file.path).write_bytes(file.after)
        aliases.install()
        try:
            before, after = (load(f"{folder}/{name}/main.py:app") for name in ("before", "after"))
        finally:
            aliases.uninstall()
        differences = [str(one) for one in compare(before, after, requests=4).differences]
    assert differences == [], files["main.py"]


@given(projects())
@settings(SLOW, max_examples=10)
def test_no_project_is_ported_in_half(files: dict[str, str]) -> None:
    check(files)


@pytest.mark.long
@given(projects())
@settings(SLOW, max_examples=10_000)
def test_no_project_is_ported_in_half_at_length(files: dict[str, str]) -> None:
    check(files)
