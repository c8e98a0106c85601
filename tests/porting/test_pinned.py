"""What no port can know keeps every app that it may belong to as it is, and the report names it."""

from __future__ import annotations

import pytest

from streamcompat.porting.project import Result, port

HEAD = "from sanic import Sanic\nfrom sanic.response import stream, text\napp = Sanic('x', load_env=False)\n"
APP = "from sanic import Sanic\napp = Sanic('x', load_env=False)\n"
READ = (
    "@app.post('/p', stream=True)\nasync def p(request):\n    return text(repr(await request.stream.get()))\n"
)
WRITE = (
    "@app.get('/p')\nasync def p(request):\n    async def w(response):\n        {}\n    return stream(w)\n"
)
TEXT = "from sanic.response import text\n"

FIXED = "class Fixed:\n    def __init__(self): self.stream = self\n    async def get(self): return b'x'\n"
WRITES = WRITE.format("response.write('x')")


def made_by(name: str) -> str:
    return WRITES.replace("return stream", f"return {name}")


def under(decorator: str) -> str:
    return WRITES.replace("    async def w", f"    @{decorator}\n    async def w")


CASES: dict[str, dict[str, str]] = {
    "`stream` as an attribute of a class that other files use": {
        "core.py": HEAD + "class Makes:\n    stream = staticmethod(stream)\n",
        "app.py": "from core import Makes, app\n" + made_by("Makes.stream"),
    },
    "an exception handler on an app that comes by a star": {
        "core.py": HEAD,
        "app.py": "from core import *\n@app.exception(KeyError)\ndef failed(req, e):\n    return text('x')\n",
    },
    "a method that a subclass overrides": {
        "app.py": HEAD
        + "class Export:\n    async def body(self, response):\n        raise NotImplementedError\n"
        "    async def __call__(self, request):\n        async def w(response):\n"
        "            await self.body(response)\n        return stream(w)\n"
        "class Csv(Export):\n    async def body(self, response):\n        response.write('1,2')\n"
        "app.add_route(Csv(), '/p')\n"
    },
    "a function that another file replaces": {
        "core.py": HEAD + "class Page:\n    def head(self, response):\n        response.write('head')\n"
        "    def all(self, response):\n        self.head(response)\n" + WRITE.format("Page().all(response)"),
        "app.py": "from core import Page, app\nPage.head = lambda self, response: None\n",
    },
    "an app that comes by a star": {"core.py": APP, "app.py": "from core import *\n" + TEXT + READ},
    "an app that comes by two stars": {
        "core.py": APP,
        "mid.py": "from core import *\n",
        "app.py": "from mid import *\n" + TEXT + READ,
    },
    "an app that comes by importlib": {
        "core.py": APP,
        "app.py": "import importlib\napp = importlib.import_module('co' + 're').app\n" + TEXT + READ,
    },
    "an app that comes by __import__": {
        "core.py": APP,
        "app.py": "app = getattr(__import__('core'), 'app')\n" + TEXT + READ,
    },
    "an app in a table": {"app.py": HEAD + "apps = {'a': app}\n" + READ.replace("@app.", "@apps['a'].")},
    "a subclass of a streamed response": {
        "app.py": HEAD.replace("stream,", "StreamingHTTPResponse,")
        + "class Sse(StreamingHTTPResponse):\n    async def event(self, x):\n        await self.write(x)\n"
        "@app.get('/p')\nasync def p(request):\n    async def w(response):\n"
        "        await response.event('a')\n    return Sse(w)\n"
    },
    "a streaming function under a decorator": {
        "app.py": HEAD + "def framed(f):\n    async def inner(response):\n        response.write('<')\n"
        "        await f(response)\n    return inner\n" + under("framed")
    },
    "a decorator of the library": {
        "app.py": "import contextlib\n" + HEAD + under("contextlib.asynccontextmanager")
    },
    "a response in a named tuple": {
        "app.py": "from typing import NamedTuple\n"
        + HEAD
        + "class T(NamedTuple):\n    out: object\n"
        + WRITE.format("t = T(response); t.out.write('x')")
    },
    "a response in a data class": {
        "app.py": "from dataclasses import dataclass\n"
        + HEAD
        + "@dataclass\nclass T:\n    out: object\n    def say(self, x):\n        self.out.write(x)\n"
        + WRITE.format("T(response).say('x')")
    },
    "a response in an attribute that others fill": {
        "app.py": "import sys\n"
        + HEAD
        + "class T:\n    def __init__(self, out):\n        self.out = out\n    def say(self, x):\n"
        "        self.out.write(x)\nT(sys.stdout)\n" + WRITE.format("T(response).say('x')")
    },
    "a response through *args": {
        "app.py": HEAD + "async def call(fn, *a):\n    return await fn(*a)\n"
        "async def emit(response, x):\n    response.write(x)\n"
        + WRITE.format("await call(emit, response, 'a')")
    },
    "a response through **kwargs": {
        "app.py": HEAD + "async def call(fn, **k):\n    return await fn(**k)\n"
        "async def emit(response):\n    response.write('x')\n"
        + WRITE.format("await call(emit, response=response)")
    },
    "a helper that a test calls with a fake": {
        "app.py": HEAD
        + "async def emit(response, n):\n    response.write(n)\n"
        + WRITE.format("await emit(response, 1)"),
        "test_app.py": "from app import emit\nclass Fake:\n    def write(self, x): self.x = x\n"
        "async def test_emit():\n    f = Fake()\n    await emit(f, 3)\n    assert f.x == 3\n",
    },
    "a handler that a test calls with a fake": {
        "app.py": HEAD + READ,
        "test_app.py": "from app import p\nclass Fake:\n    pass\nasync def test_p():\n    await p(Fake())\n",
    },
    "stream by another name": {"app.py": HEAD + "st = stream\n" + made_by("st")},
    "stream of the package by another name": {
        "app.py": "import sanic.response\n" + HEAD + "st = sanic.response.stream\n" + made_by("st")
    },
    "the module as a value": {
        "app.py": "from sanic import response as mod\n"
        + HEAD
        + "def helper(m, fn):\n    return m.stream(fn)\n"
        + WRITES.replace("return stream(w)", "return helper(mod, w)")
    },
    "stream in a partial": {
        "app.py": "from functools import partial\n"
        + HEAD
        + "csv = partial(stream, content_type='text/csv')\n"
        + made_by("csv")
    },
    "stream as an attribute of a class": {
        "app.py": HEAD + "class Kinds:\n    make = staticmethod(stream)\n" + made_by("Kinds.make")
    },
    "a lambda as a handler": {
        "app.py": HEAD + "app.add_route(lambda request: stream(lambda r: r.write('x')), '/p')\n"
    },
    "the stream by getattr": {
        "app.py": HEAD + READ.replace("request.stream.get", "getattr(request, 'stream').get")
    },
    "the stream by attrgetter": {
        "app.py": "from operator import attrgetter\n"
        + HEAD
        + READ.replace("request.stream.get", "attrgetter('stream')(request).get")
    },
    "the stream by a path of names": {
        "app.py": "import operator\n"
        + HEAD
        + READ.replace("request.stream.get()", "operator.attrgetter('stream.get')(request)()")
    },
    "an attribute whose name is made": {
        "app.py": HEAD + READ.replace("request.stream.get", "getattr(request, 'str' + 'eam').get")
    },
    "a write by methodcaller": {
        "app.py": "from operator import methodcaller\n"
        + HEAD
        + WRITE.format("methodcaller('write', 'x')(response)")
    },
    "a request that is something else": {
        "app.py": HEAD + FIXED + READ.replace("    return", "    request = Fixed()\n    return")
    },
    "a request that a loop names": {
        "app.py": HEAD
        + FIXED
        + READ.replace("    return", "    for request in [Fixed()]:\n        pass\n    return")
    },
    "middleware that takes the streaming function": {
        "app.py": HEAD + "@app.middleware('response')\nasync def end(request, response):\n"
        "    fn = getattr(response, 'streaming_fn', None)\n    if fn:\n        async def both(r):\n"
        "            await fn(r)\n            await r.write('|end')\n        response.streaming_fn = both\n"
        + WRITES
    },
    **{
        f"code in a text: {code}": {"app.py": HEAD + WRITE.format(code)}
        for code in (
            "eval(\"response.write('x')\")",
            "exec(CODE)",
            "locals()['response'].write('x')",
            "vars().get('response').write('x')",
        )
    },
    "the stream by names that a run shows": {
        "app.py": f"import operator\n{HEAD}FIELDS = ['stream.get']\n"
        "@app.post('/p', stream=True)\nasync def p(request):\n"
        "    return text(repr(await operator.attrgetter(*FIELDS)(request)()))\n"
    },
    "the stream by `getattr` as a value": {
        "app.py": f"from functools import reduce\n{HEAD}"
        "@app.post('/p', stream=True)\nasync def p(request):\n"
        "    return text(repr(await reduce(getattr, 'stream.get'.split('.'), request)()))\n"
    },
    "variables of whoever calls": {
        "helper.py": "import sys\ndef out(x):\n    sys._getframe(1).f_locals['response'].write(x)\n",
        "app.py": "from helper import out\n" + HEAD + WRITE.format("out('x')"),
    },
    "code in a text of the handler's": {
        "app.py": HEAD + READ.replace("repr(", "repr(eval(request.args['a']), ")
    },
    "a class that is asked for by its name": {
        "app.py": HEAD + READ + "assert type(app).__name__ == 'Sanic'\n"
    },
}


def ported(files: dict[str, str]) -> Result:
    return port({path: text.encode() for path, text in files.items()})


@pytest.mark.parametrize("to", ["mach9", "sanic"])
def test_a_file_without_sanic_that_none_is_connected_with_keeps_nothing(to: str) -> None:
    app = (HEAD + WRITE.format("await response.write(b'x')")).encode()
    result = port({"debug.py": b"def show(frame):\n    return frame.f_locals\n", "app.py": app}, to=to)
    assert [one.path for one in result.files if one.before != one.after] == ["app.py"]
    assert result.files[0].findings == ()


@pytest.mark.parametrize("name", CASES)
def test_every_app_that_it_may_belong_to_stays(name: str) -> None:
    files = CASES[name]
    result = ported(files)
    assert {file.path: file.after.decode() for file in result.files} == files
    assert any(one.kind == "unknown" for file in result.files for one in file.findings)
    for file in result.files:
        for one in file.findings:
            assert 1 <= one.line <= len(files[file.path].splitlines())


def test_what_is_not_connected_is_ported_all_the_same() -> None:
    result = ported({**CASES["a lambda as a handler"], "other.py": APP})
    assert result.files[0].before == result.files[0].after
    assert b"Mach9" in result.files[1].after


@pytest.mark.parametrize(
    "code",
    ["str(eval('1 + 2'))", "str(eval(CODE, {'a': 1}))", "'{name}'.format(**locals())", "exec('a = 1')"],
)
def test_code_in_a_text_that_reaches_no_response_keeps_nothing(code: str) -> None:
    (file,) = ported({"app.py": HEAD + WRITE.format(f"response.write({code})")}).files
    assert b"channel.send" in file.after


@pytest.mark.parametrize(
    "handler",
    [
        *map(
            WRITE.format,
            [
                "(out := response).write('x')",
                "(a := (b := response)).write('x')",
                "[out := response][0].write('x')",
                "d = {'r': (out := response)}\n        d['r'].write('x')",
            ],
        ),
        READ.replace("request.stream.get", "(s := request.stream).get"),
        READ.replace("request.stream.get", "[s := request.stream][0].get"),
        READ.replace("request.stream.get", "{'s': (s := request.stream)}['s'].get"),
    ],
)
@pytest.mark.parametrize("to", ["mach9", "sanic"])
def test_what_a_walrus_names_and_hands_on_keeps_the_handler(handler: str, to: str) -> None:
    (file,) = port({"app.py": (HEAD + handler).encode()}, to=to).files
    assert file.after.decode().endswith(handler)
    assert file.findings
