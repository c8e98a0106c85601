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
)
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
    handler = (
        "@app.get('/w')\nasync def w(request):\n"
        + ("    @framed\n" if decorator else "")
        + f"    async def writes(response):\n        {write}\n    return {stream}(writes)\n"
    )
    reader = (
        "async def read(request):\n    return await request.stream.get()\n"
        "@app.post('/r', stream=True)\nasync def r(request):\n"
        f"    return text(repr({draw(st.sampled_from(reads))}))\n"
    )
    parts = draw(st.lists(st.sampled_from([handler, reader]), min_size=1, max_size=2, unique=True))
    way = draw(st.sampled_from(WAYS))
    return {
        "core.py": "from sanic import Sanic\nfrom sanic.response import stream\n"
        "app = Sanic('core', load_env=False)\n",
        "middle.py": "from core import app, Sanic\n",
        **classes,
        "main.py": imports + way + helper + decorator + "".join(parts),
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
