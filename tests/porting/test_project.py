"""Several files together: what one says of another, and what stays together."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamcompat import aliases
from streamcompat.porting.project import Result, port
from streamcompat.verification import load

MAIN = 'from sanic import Sanic\n\napp = Sanic("main", load_env=False)\n'
ECHO = """
@{app}.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            response.write(body)

    return stream(streaming)
"""


def ported(**files: str) -> Result:
    """The keys are paths, with two underscores for a slash and without their ending."""
    return port({name.replace("__", "/") + ".py": text.encode() for name, text in files.items()})


def after(result: Result) -> dict[str, str]:
    return {file.path.removesuffix(".py"): file.after.decode() for file in result.files}


def kinds(result: Result) -> list[tuple[str, int, str]]:
    return [
        (file.path, one.line, one.kind)
        for file in result.files
        for one in file.findings
        if one.kind != "note"
    ]


def test_an_app_that_another_file_imports() -> None:
    for imported, name in (
        ("from main import app", "app"),
        ("from main import app as it", "it"),
        ("import main", "main.app"),
        ("import main as m", "m.app"),
    ):
        source = f"{imported}\nfrom sanic.response import stream\n" + ECHO.format(app=name)
        result = ported(main=MAIN, routes=source)
        assert f'@{name}.post("/echo", stream=True)' in after(result)["routes"], imported
        assert result.counts == {"ported": 1, "left alone": 0, "unknown": 0}


def test_relative_imports_and_names_that_a_package_hands_on() -> None:
    files = {
        "pkg/__init__.py": "from .parts import bp\n",
        "pkg/parts.py": "from sanic import Blueprint\nbp = Blueprint('b')\n",
        "pkg/more.py": "from . import bp\nfrom sanic.response import stream\n" + ECHO.format(app="bp"),
        "main.py": MAIN + "from pkg import bp\nimport pkg.more\napp.blueprint(bp)\n",
    }
    result = port({path: text.encode() for path, text in files.items()})
    assert '@bp.post("/echo", stream=True)' in after(result)["pkg/more"]
    assert result.counts["ported"] == 1


def test_a_file_alone_does_not_know_its_app() -> None:
    source = "from main import app\nfrom sanic.response import stream\n" + ECHO.format(app="app")
    result = ported(routes=source)
    assert after(result)["routes"] == source
    assert result.counts == {"ported": 0, "left alone": 0, "unknown": 1}


def test_a_helper_of_another_file_goes_with_its_callers() -> None:
    helper = "async def size(incoming):\n    return len(await incoming.get())\n"
    handler = (
        '@app.stream("/size")\nasync def h(request):\n    return text(str(await size(request.stream)))\n'
    )
    main = MAIN + "from sanic.response import text\nfrom helper import size\n" + handler
    result = ported(main=main, helper=helper)
    assert "content(await incoming.receive())" in after(result)["helper"]
    # Somebody else's queue is handed to it as well: all stays.
    other = main + "async def j(queue):\n    queue = 1\n    return await size(queue)\n"
    stays = after(ported(main=other.replace("size(request.stream)", "size(x)"), helper=helper))
    assert stays["helper"] == helper


ANSWERS = """
from sanic.response import stream

def lines(words):
    async def write(response):
        for word in words:
            response.write(f"{word}\\n")
    return stream(write)
"""


def test_a_helper_that_makes_responses_is_ported_while_a_ported_handler_uses_it() -> None:
    use = "from answers import lines\n@app.get('/a')\ndef a(request):\n    return lines(request.args)\n"
    queue = '@app.stream("/q")\nasync def q(request):\n    return str(request.stream.qsize())\n'
    other = MAIN.replace("app", "other") + use.replace("app", "other")
    goes = ported(main=MAIN + use, answers=ANSWERS)
    assert 'await channel.send(f"{word}\\n".encode())' in after(goes)["answers"]
    assert goes.counts == {"ported": 1, "left alone": 0, "unknown": 0}
    assert "mach9" in after(ported(main=MAIN + use + queue, other=other, answers=ANSWERS))["answers"]
    assert after(ported(main=MAIN + use + queue, answers=ANSWERS))["answers"] == ANSWERS
    unused = ported(main=MAIN, answers=ANSWERS)
    assert after(unused)["answers"] == ANSWERS
    assert ("answers.py", 4, "unknown") in kinds(unused)


def test_a_sync_helper_of_another_file_that_writes_cannot_become_async() -> None:
    helper = "def emit(response, x):\n    response.write(x)\n"
    main = (
        MAIN + "from sanic.response import stream\nfrom helper import emit\n"
        '@app.get("/a")\nasync def a(request):\n    async def s(response):\n        emit(response, 1)\n'
        "    return stream(s)\n"
    )
    result = ported(main=main, helper=helper)
    assert after(result)["helper"] == helper
    assert ("helper.py", 2, "left") in kinds(result)
    assert result.counts == {"ported": 0, "left alone": 1, "unknown": 0}


def test_exceptions_that_a_staying_app_needs_stay() -> None:
    errors = "from sanic.exceptions import NotFound\n\n\nclass Gone(NotFound):\n    status_code = 410\n"
    left = '@app.websocket("/w")\nasync def w(request, ws):\n    pass\n'
    go = ported(errors=errors, main=MAIN + "from errors import Gone\n")
    stay = ported(errors=errors, main=MAIN + "from errors import Gone\n" + left)
    both = ported(errors=errors, main=MAIN + "import errors\n", old=MAIN + "import errors\n" + left)
    assert "from mach9.exceptions" in after(go)["errors"]
    assert after(stay)["errors"] == after(both)["errors"] == errors
    assert "Mach9" in after(both)["main"] and "Mach9" not in after(both)["old"]


def test_a_blueprint_stays_alone() -> None:
    part = "from sanic import Blueprint\nfrom sanic.response import stream, text\nbp = Blueprint('{}')\n"
    queue = '@bp.stream("/q")\nasync def q(request):\n    return text(str(request.stream.qsize()))\n'
    result = ported(
        main=MAIN + "import old, new\napp.blueprint(old.bp)\napp.blueprint(new.bp)\n",
        old=part.format("old") + queue,
        new=part.format("new") + ECHO.format(app="bp"),
    )
    texts = after(result)
    assert "Mach9" in texts["main"] and "from mach9 import Blueprint" in texts["new"]
    assert texts["old"] == part.format("old") + queue
    assert result.counts == {"ported": 1, "left alone": 1, "unknown": 0}


def test_a_patch_of_sanic_holds_back_only_what_is_beside_it() -> None:
    patch = "import sanic.response\nsanic.response.json = None\n"
    result = ported(a__main=MAIN + "import a.patch\n", a__patch=patch, b__main=MAIN)
    assert after(result)["a/main"] == MAIN + "import a.patch\n"
    assert "Mach9" in after(result)["b/main"]


def test_a_handler_of_sanics_base_exception_needs_all_exceptions_ported() -> None:
    handler = (
        "from sanic.exceptions import MethodNotSupported, SanicException, abort\n"
        "from sanic.response import text\n"
        "@app.exception(SanicException)\ndef failed(request, exception):\n    return text('x')\n"
    )
    use = '@app.get("/a")\ndef a(request):\n    '
    aborts, raises = use + "abort(403)\n", use + "raise MethodNotSupported('no', 'GET', [])\n"
    assert "@app.exception(Mach9Exception)" in after(ported(main=MAIN + handler))["main"]
    assert "@app.exception(Mach9Exception)" in after(ported(main=MAIN + handler + aborts))["main"]
    assert after(ported(main=MAIN + handler + raises))["main"] == MAIN + handler + raises


def test_what_does_not_compile_is_left_with_its_unit(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from streamcompat.porting import project

    real = project._text

    def broken(facts, *given):  # type: ignore[no-untyped-def]
        made = real(facts, *given)
        return made + b"(" if facts.path == "main.py" and made != facts.source else made

    monkeypatch.setattr(project, "_text", broken)
    source = "from main import app\nfrom sanic.response import stream\n" + ECHO.format(app="app")
    result = ported(main=MAIN, routes=source)
    assert after(result) == {"main": MAIN, "routes": source}
    assert ("main.py", 1, "unknown") in kinds(result)


IMPORTS = {
    "a name that is only handed on": ("from sanic import Sanic\n", "from base import Sanic\n"),
    "an exception": ("from sanic.exceptions import SanicException\n", "from base import SanicException\n"),
    "by attribute": ("from sanic import Sanic\n", "import base\nmade = base.Sanic('b', load_env=False)\n"),
    "by the module's attribute": ("import sanic\n", "import base\nassert base.sanic.response\n"),
    "by a star": ("from sanic import Sanic\n", "from base import *\nmade = Sanic('b', load_env=False)\n"),
    "by a star and __all__": (
        "from sanic import Sanic\n__all__ = ['Sanic', 'app']\n",
        "from base import *\n",
    ),
    "the logger": ("from sanic.log import logger\n", "from base import logger\nlogger.debug('x')\n"),
    "a class that is asked for": (
        "from sanic.response import HTTPResponse, StreamingHTTPResponse\n"
        "def kind(r):\n    return isinstance(r, (HTTPResponse, StreamingHTTPResponse))\n",
        "from base import HTTPResponse, StreamingHTTPResponse, kind\n",
    ),
    "in a function": ("from sanic import Sanic\n", "def later():\n    from base import Sanic\nlater()\n"),
    "through a third file": ("from sanic import Sanic\n", "from middle import Sanic\n"),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_names_that_other_files_take_stay_importable(name: str, tmp_path: Path) -> None:
    given, taken = IMPORTS[name]
    base = given + "from sanic import Sanic as _Sanic\napp = _Sanic('m', load_env=False)\n"
    middle = "from base import Sanic\n" if "middle" in taken else ""
    result = ported(base=base, user=f"from base import app\n{taken}", middle=middle)
    for file in result.files:
        (tmp_path / file.path).write_bytes(file.after)
    assert "mach9" in after(result)["base"]
    aliases.install()
    try:
        assert type(load(f"{tmp_path / 'user.py'}:app")).__name__ == "Mach9"
    finally:
        aliases.uninstall()


HINTS = """import dataclasses
import typing
from sanic import Sanic
from sanic.request import Request
from sanic.response import stream, StreamingHTTPResponse

app = Sanic("hints", load_env=False)


def typed(request: "Request", how: 'typing.Dict[str, "StreamingHTTPResponse"]') -> "StreamingHTTPResponse":
    kept: "typing.Optional[StreamingHTTPResponse]" = None
    return typing.cast("StreamingHTTPResponse", kept)


def older(request, made=None):
    # type: (Request, StreamingHTTPResponse) -> typing.Optional[StreamingHTTPResponse]
    note = "StreamingHTTPResponse"  # StreamingHTTPResponse in words
    return note


@dataclasses.dataclass
class Context:
    app: "Sanic"
    made: typing.Optional["StreamingHTTPResponse"] = None


for one in (typed, Context):
    typing.get_type_hints(one)
"""


def test_annotations_in_texts_follow_their_imports(tmp_path: Path) -> None:
    new = after(ported(hints=HINTS))["hints"]
    for name, renamed in (("Sanic", "Mach9"), ("StreamingHTTPResponse", "StreamHTTPResponse")):
        assert f'"{name}"' not in new.replace('note = "StreamingHTTPResponse"', "")
        assert renamed in new
    assert 'note = "StreamingHTTPResponse"  # StreamingHTTPResponse in words' in new
    assert "# type: (Request, StreamHTTPResponse) -> typing.Optional[StreamHTTPResponse]" in new
    (tmp_path / "hints.py").write_text(new)
    aliases.install()
    try:
        load(str(tmp_path / "hints.py"))
    finally:
        aliases.uninstall()
