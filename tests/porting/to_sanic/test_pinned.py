"""What cannot be told keeps the whole project as it is: each kind, in one file or in several."""

from __future__ import annotations

import pytest

from streamcompat.porting.project import port

HEAD = "from sanic import Sanic\nfrom sanic.response import stream, text\n"
APP = f"{HEAD}app = Sanic('x')\n"
WRITES = (
    "@app.get('/w')\nasync def w(request):\n    async def fn(response):\n        {body}\n"
    "    return stream(fn)\n"
)

PROJECTS = {
    "`text` from another file": {
        "base.py": APP,
        "app.py": "from base import app, text\n@app.get('/t')\nasync def t(request):\n    return text(3)\n",
    },
    "`text` from another file by a star": {
        "base.py": APP,
        "app.py": "from base import *\n@app.get('/t')\nasync def t(request):\n    return text(3)\n",
    },
    "`text` by a module of another file": {
        "base.py": "import sanic.response as r\n" + APP,
        "app.py": "import base\n@base.app.get('/t')\nasync def t(request):\n    return base.r.text(3)\n",
    },
    "a class of views from another file": {
        "base.py": APP + "from sanic.views import HTTPMethodView\n",
        "app.py": "from base import app, HTTPMethodView\nclass V(HTTPMethodView):\n    pass\n",
    },
    "an exception with a status from another file": {
        "base.py": APP + "from sanic.exceptions import NotFound\n",
        "app.py": "from base import app, NotFound\ndef fail():\n    raise NotFound('x', 410)\n",
    },
    "middleware in another file that gives another response": {
        "base.py": APP,
        "mw.py": "from base import app\nfrom sanic.response import text\n@app.middleware('response')\n"
        "def other(request, response):\n    return text('other')\n",
        "app.py": "from base import app\nimport mw\n" + HEAD + WRITES.format(body="response.write('a')"),
    },
    "middleware that is registered by a call": {
        "app.py": APP + "def other(request, response):\n    return text('other')\n"
        "app.register_middleware(other, 'response')\n" + WRITES.format(body="response.write('a')"),
    },
    "a cookie that middleware in another file sets too": {
        "base.py": APP,
        "mw.py": "from base import app\n@app.middleware('response')\ndef seen(request, response):\n"
        "    response.cookies['a'] = '1'\n",
        "app.py": "from base import app\nimport mw\n" + HEAD + "@app.get('/c')\ndef c(request):\n"
        "    response = text('c')\n    response.cookies['a'] = '2'\n    return response\n",
    },
    **{
        f"a cookie that is set twice: {name}": {
            "app.py": APP
            + "@app.get('/c')\ndef c(request):\n    out = text('c')\n"
            + "".join(f"    {line}\n" for line in lines)
            + "    return out\n"
        }
        for name, lines in {
            "in two places": ["out.cookies['a'] = '1'", "if request.args:", "    out.cookies['a'] = '2'"],
            "deleted": ["out.cookies['a'] = '1'", "del out.cookies['a']"],
            "in a loop": ["for one in request.args['n']:", "    out.cookies['a'] = one"],
            "by a key that may repeat": ["for one in request.args['n']:", "    out.cookies[one] = '1'"],
            "by two keys": ["out.cookies[request.path] = '1'", "out.cookies['a'] = '2'"],
        }.items()
    },
    "a parameter of type path with two routes": {
        "app.py": APP
        + "@app.get('/a/<p:path>')\n@app.get('/b/<p>')\nasync def a(request, p):\n    return text(p)\n",
    },
    "an override that another file does not see": {
        "base.py": f"{APP}class Emitter:\n    def emit(self, response, x):\n        response.write(x)\n",
        "app.py": (
            f"{HEAD}from base import Emitter, app\nclass Loud(Emitter):\n    def emit(self, response, x):\n"
            "        response.write(x.upper())\n" + WRITES.format(body="Loud().emit(response, 'a')")
        ),
    },
    "a method that a subclass binds to something else": {
        "app.py": f"{APP}class Page:\n    def head(self, response):\n        response.write('x')\n"
        "class Bare(Page):\n    head = lambda self, response: None\n"
        + WRITES.format(body="Bare().head(response)")
    },
    "a route that a loop makes again": {
        "app.py": f"{APP}for verb in ('GET', 'POST'):\n    async def h(request):\n        return text('h')\n"
        "    app.add_route(h, '/h', methods=[verb])\n"
    },
    "a route of a view that a loop makes again": {
        "app.py": f"{APP}async def h(request):\n    return text('h')\n"
        "[app.add_route(h, '/h', methods=[verb], name='h') for verb in ('GET', 'POST')]\n"
    },
    "an app that arrives by a star": {
        "core.py": APP,
        "app.py": f"from core import *\n{WRITES.format(body='response.write(1)')}",
    },
    "an app that arrives by importlib": {
        "core.py": APP,
        "app.py": (
            "import importlib\napp = importlib.import_module('core').app\n@app.post('/p')\n"
            "async def p(request):\n    await request.stream.get()\n"
        ),
    },
    "a fake that a test passes": {
        "app.py": f"{APP}async def emit(response, n):\n    response.write(n)\n"
        + WRITES.format(body="await emit(response, 1)"),
        "test_app.py": (
            "from app import emit\nclass Fake:\n    pass\nasync def test():\n    await emit(Fake(), 1)\n"
        ),
    },
    "a name that another file takes and that is gone": {
        "base.py": f"{APP}\ndef unused():\n    return text('x')\n",
        "app.py": "from base import app, stream\n" + WRITES.format(body="response.write(1)"),
    },
    "a name that another file takes by its module": {
        "base.py": APP,
        "app.py": (
            "import base\n@base.app.get('/w')\nasync def w(request):\n    return base.stream(base.fn)\n"
        ),
    },
    "a status for an exception of another file": {
        "errors.py": "from sanic.exceptions import NotFound\nclass Gone(NotFound):\n    pass\n",
        "app.py": f"{APP}from errors import Gone\n@app.get('/g')\nasync def g(request):\n    app.n = 1\n"
        "    raise Gone('gone', status_code=410)\n",
    },
    "stream under another name": {
        "app.py": f"{APP}st = stream\n{WRITES}".replace("return stream", "return st")
    },
    "a request that is bound to something else": {
        "app.py": f"{APP}@app.post('/p')\nasync def p(request):\n    request = other()\n"
        "    return text(await request.stream.get())\ndef other():\n    return object()\n",
    },
    "a helper that gets a request and something else": {
        "app.py": f"{APP}def user(request):\n    return request['user']\n@app.get('/u')\n"
        "async def u(request):\n    return text(user(request) + user({'user': 'me'}))\n",
    },
    "a response in a container": {
        "app.py": APP + WRITES.format(body="box = {'r': response}; box['r'].write('x')"),
    },
    "a route on an app that no rule sees": {
        "core.py": APP,
        "app.py": "from core import *\n@app.get('/<x>')\nasync def w(request, x):\n    return text(x)\n",
    },
    "an attribute of an app that no rule sees": {
        "core.py": f"{APP}app.n = 1\n",
        "more.py": "from importlib import import_module\napp = import_module('core').app\napp.m = 1\n",
    },
    "two routes of one name on one app, in two files": {
        "core.py": APP,
        "a.py": f"{HEAD}from core import app\n@app.get('/a')\nasync def index(request):\n    pass\n",
        "b.py": f"{HEAD}from core import app\n@app.get('/b')\nasync def index(request):\n    pass\n",
    },
    **{
        f"`abort` of a status whose class another file registers: {name}": {
            "errors.py": "from sanic.exceptions import SanicException, add_status_code\n"
            f"STATUS = 418\n@add_status_code({status})\nclass Teapot(SanicException):\n    pass\n",
            "app.py": f"{APP}import errors\nfrom sanic.exceptions import abort\n"
            f"@app.get('/<status:int>')\nasync def fail(request, status):\n    {call}\n",
        }
        for name, status, call in (
            ("known", "418", "abort(418, 'short and stout')"),
            ("given", "418", "abort(status)"),
            ("a value", "418", "fails = abort; fails(418)"),
            ("not told", "STATUS", "abort(404)"),
        )
    },
    **{
        f"`abort` of a status whose class cannot be raised by its name: {name}": {
            "app.py": f"import sanic.exceptions\n{APP}from sanic.exceptions import NotFound, SanicException\n"
            f"from sanic.exceptions import abort, add_status_code\n{text}"
            "@app.get('/<status:int>')\nasync def fail(request, status):\n    abort(status, 'why')\n",
        }
        for name, text in (
            (
                "of a function",
                "def make():\n    @add_status_code(418)\n    class Own(SanicException):\n"
                "        pass\n    return Own\nOwn = make()\n",
            ),
            (
                "takes other arguments",
                "@add_status_code(418)\nclass Own(SanicException):\n"
                "    def __init__(self, message, **more):\n        super().__init__(message.upper())\n",
            ),
            (
                "so does a base",
                "class Base(SanicException):\n    def __init__(self, message, **more):\n"
                "        super().__init__(message)\n@add_status_code(418)\nclass Own(Base):\n    pass\n",
            ),
            ("bound again", "@add_status_code(418)\nclass Own(SanicException):\n    pass\nOwn = NotFound\n"),
            (
                "two of one status",
                "@add_status_code(418)\nclass Own(SanicException):\n    pass\n"
                "@add_status_code(418)\nclass Other(NotFound):\n    pass\n",
            ),
            (
                "another decorator",
                "def last(one):\n    return NotFound\n@last\n@add_status_code(418)\n"
                "class Own(SanicException):\n    pass\n",
            ),
            ("called", "class Own(SanicException):\n    pass\nadd_status_code(418)(Own)\n"),
            ("a range", "@add_status_code(418)\nclass Own(sanic.exceptions.ContentRangeError):\n    pass\n"),
            ("no exception of Sanic's", "@add_status_code(418)\nclass Own(Exception):\n    pass\n"),
            (
                "a status of its own",
                "@add_status_code(418)\nclass Own(SanicException):\n    status_code = 419\n",
            ),
            (
                "changed later",
                "@add_status_code(418)\nclass Own(SanicException):\n    pass\nOwn.status_code = 419\n",
            ),
            (
                "in an `if`",
                "if app:\n    @add_status_code(418)\n    class Own(SanicException):\n        pass\n",
            ),
        )
    },
    **{
        f"a class that is gone, in a text: {name}": {
            "app.py": f"import typing\nfrom sanic import response\n"
            f"from sanic.response import StreamingHTTPResponse\n{APP}"
            + WRITES.format(body="response.write(1)")
            + text
        }
        for name, text in (
            ("an annotation", "def f(x) -> 'StreamingHTTPResponse':\n    return x\n"),
            ("a part of one", "def f(x: typing.Optional['StreamingHTTPResponse']):\n    return x\n"),
            (
                "in a part of one",
                "def f(x: 'typing.Dict[str, StreamingHTTPResponse | None]'):\n    return x\n",
            ),
            ("a field", 'class Context:\n    out: "StreamingHTTPResponse"\n'),
            ("by its module", "def f(x) -> 'response.StreamingHTTPResponse':\n    return x\n"),
            ("a name for a type", "Answer = typing.Union['StreamingHTTPResponse', str]\n"),
            ("a bound", "T = typing.TypeVar('T', bound='StreamingHTTPResponse')\n"),
            ("a type comment", "def f(x):\n    # type: (StreamingHTTPResponse) -> None\n    return x\n"),
            ("`__all__`", "__all__ = ['app', 'stream']\n"),
            ("added to `__all__`", "__all__ = ['app']\n__all__ += ['stream']\n"),
            ("given to `__all__`", "__all__ = ['app']\n__all__.extend(['stream'])\n"),
        )
    },
    **{
        f"a name that is gone, of a module: {call}": {
            "main.py": APP + WRITES.format(body="response.write(1)"),
            "test_main.py": f"from unittest import mock\nimport main\ndef test(monkeypatch):\n    {call}\n",
        }
        for call in (
            "mock.patch.object(main, 'stream')",
            "monkeypatch.setattr(main, 'stream', None)",
            "getattr(main, 'stream')",
        )
    },
    "a name that is gone, by its path in a test": {
        "main.py": APP + WRITES.format(body="response.write(1)"),
        "test_main.py": "from unittest import mock\nimport main\n@mock.patch('main.stream')\n"
        "def test(fake):\n    assert main.app\n",
    },
    "a name that is Sanic's own": {
        "app.py": f"from sanic import exceptions\n{APP}class Own(exceptions.SanicException):\n    pass\n"
        "exceptions._sanic_exceptions[418] = Own\n"
    },
    "the stream by names that a run shows": {
        "app.py": f"import operator\n{APP}FIELDS = ['stream.get']\n"
        "@app.post('/p', stream=True)\nasync def p(request):\n"
        "    return text(repr(await operator.attrgetter(*FIELDS)(request)()))\n"
    },
    "the stream by `getattr` as a value": {
        "app.py": f"from functools import reduce\n{APP}"
        "@app.post('/p', stream=True)\nasync def p(request):\n"
        "    return text(repr(await reduce(getattr, 'stream.get'.split('.'), request)()))\n"
    },
    "variables of whoever calls": {
        "helper.py": "import sys\ndef out(x):\n    sys._getframe(1).f_locals['response'].write(x)\n",
        "app.py": f"from helper import out\n{APP}" + WRITES.format(body="out('x')"),
    },
    "code in a text": {"app.py": APP + WRITES.format(body="eval(\"response.write('x')\")")},
    "a response by its name in a text": {
        "app.py": APP + WRITES.format(body="locals()['response'].write('x')")
    },
    "a write whose result is tested": {
        "app.py": APP + WRITES.format(body="response.write('a') and response.write('b')")
    },
    "a method that a class of a library calls": {
        "app.py": f"import logging\n{APP}class Log(logging.Handler):\n    def __init__(self, out):\n"
        "        super().__init__()\n        self.out = out\n    def emit(self, record):\n"
        "        self.out.write(record.getMessage())\n"
        + WRITES.format(body="logging.getLogger('a').addHandler(Log(response))")
    },
    "a method that a class of a library calls by way of another file": {
        "base.py": "import logging\nclass Base(logging.Handler):\n    out = None\n",
        "app.py": f"import logging\nfrom base import Base\n{APP}class Log(Base):\n"
        "    def emit(self, record):\n        self.out.write(record.getMessage())\n"
        + WRITES.format(body="log = Log(); log.out = response; logging.getLogger('a').addHandler(log)"),
    },
    "a helper that gives the result of a write": {
        "app.py": f"{APP}def emit(out, x):\n    return out.write(x)\n"
        + WRITES.format(body="emit(response, 'a') and emit(response, 'b')")
    },
    "a result of a write that is tested later": {
        "app.py": APP + WRITES.format(body="done = response.write('a')\n        if done: response.write('b')")
    },
    "the stream by a path of names": {
        "app.py": f"import operator\n{APP}@app.post('/r', stream=True)\nasync def r(request):\n"
        "    return text(str(await operator.attrgetter('stream.get')(request)()))\n"
    },
    "a write that decides between two": {
        "app.py": APP + WRITES.format(body="response.write('b') if response.write('a') else None")
    },
    "a comment": {
        "app.py": f"{APP}app.n = 1\n# streamcompat: leave\n@app.get('/c')\nasync def c(request):\n"
        "    return text('c')\n",
    },
}


@pytest.mark.parametrize("name", PROJECTS)
def test_it_stays_as_a_whole_and_the_report_says_why(name: str) -> None:
    sources = {path: text.encode() for path, text in PROJECTS[name].items()}
    result = port(sources, to="sanic")
    assert [one.path for one in result.files if one.before != one.after] == []
    assert any(finding.kind != "note" for one in result.files for finding in one.findings)
    assert result.counts["ported"] == 0


def test_projects_that_no_import_connects_do_not_keep_each_other() -> None:
    kept = {"kept.py": f"{APP}st = stream\n".encode()}
    free = {"free.py": f"{APP}app.n = 1\n".encode()}
    result = port(kept | free, to="sanic")
    assert [one.path for one in result.files if one.before != one.after] == ["free.py"]


def test_a_file_that_cannot_be_parsed_keeps_none() -> None:
    result = port({"bad.py": b"import sanic\nclass\n", "good.py": f"{APP}app.n = 1\n".encode()}, to="sanic")
    assert [one.path for one in result.files if one.before != one.after] == ["good.py"]
    assert result.files[0].error is not None
