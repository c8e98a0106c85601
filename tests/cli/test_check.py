"""`streamcompat check`: what it says of a project that it does not run, and what it says to type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamcompat.checking.advice import commands
from streamcompat.checking.judge import judge
from streamcompat.checking.scan import scan
from streamcompat.cli.command import main

NOW = (3, 13)
APP = "from sanic import Sanic\nfrom sanic.response import text\napp = Sanic(__name__)\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(source: str, *others: str, version: tuple[int, int] = NOW) -> list[tuple[str, str]]:
    """The kind and the name of each finding, of a project of some files."""
    files = [scan(f"{name}.py", text.encode()) for name, text in zip("abc", [source, *others], strict=False)]
    return [(one.kind, one.name) for one in judge(files, version).findings]


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        # Names of the originals, however they are imported.
        ("from sanic.response import streem", "missing", "sanic.response.streem"),
        ("import sanic.respond", "missing", "sanic.respond"),
        ("from mach9.response import streem", "missing", "mach9.response.streem"),
        ("import sanic\nsanic.response.streem", "missing", "sanic.response.streem"),
        (
            "from sanic import response as r\ndef f():\n    return r.streem()",
            "missing",
            "sanic.response.streem",
        ),
        ("from sanic.server import serve\nserve()", "missing", "sanic.server.serve"),
        (APP + "app.trigger_events", "missing", "sanic.app.Sanic.trigger_events"),
        (APP + "@app.get('/')\ndef h(request):\n    request.app.trigger_events", "missing", "trigger_events"),
        (
            APP + "def h(request):\n    return request.parsed_json",
            "missing",
            "sanic.request.Request.parsed_json",
        ),
        ("from sanic.response import file\nfile('a', 'b', 'c')", "differs", "sanic.response.file"),
        ("from sanic import Blueprint\nBlueprint()", "differs", "sanic.Blueprint"),
        (APP + "app.run('h', 1, True, None, None, 2)", "differs", "sanic.app.Sanic.run"),
        # A name that is hidden elsewhere.
        (
            "from sanic import response\ndef f(response): pass\ndef g(x=response.streem):\n    pass",
            "missing",
            "sanic.response.streem",
        ),
        (
            "from sanic import response\ndef f():\n    [1 for response in x]\n    response.streem",
            "missing",
            "sanic.response.streem",
        ),
        (
            "from sanic import response\ndef f():\n    global response\n    response = response.streem",
            "missing",
            "sanic.response.streem",
        ),
        ("from sanic import Sanic\nSanic('a', None, None)", "differs", "sanic.Sanic"),
        (APP + "def h(request):\n    return request.user", "unknown", "sanic.request.Request.user"),
        # What Python removed.
        ("from collections import Mapping", "option", "collections.Mapping"),
        ("import collections as c\nisinstance([], c.Iterable)", "option", "collections.Iterable"),
        ("import asyncio\n@asyncio.coroutine\ndef f():\n    yield", "option", "asyncio.coroutine"),
        ("from asyncio import Task\nTask.all_tasks()", "option", "asyncio.Task.all_tasks"),
        ("import asyncio\nasyncio.Queue(loop=None)", "option", "asyncio.Queue(loop=...)"),
        ("from asyncio import sleep\nawait_ = sleep(1, loop=1)", "option", "asyncio.sleep(loop=...)"),
        ("import asyncio\nasyncio.wait([f() for f in x])", "option", "asyncio.wait of coroutines"),
        ("import asyncio\nasyncio.wait({f(), g()}, timeout=1)", "option", "asyncio.wait of coroutines"),
        ("def f(l):\n    with (yield from l):\n        pass", "option", "with (yield from lock)"),
        ("import json\njson.loads('1', encoding='utf-8')", "option", "json.loads(encoding=...)"),
        ("from typing.io import TextIO", "option", "typing.io"),
        ("import threading\nthreading.Thread().isAlive()", "option", "threading.Thread.isAlive"),
        # Packages.
        ("from sanic.__version__ import __version__", "missing", "sanic.__version__"),
        ("from sanic_plugin_toolkit import SanicPlugin", "differs", "sanic_plugin_toolkit"),
        ("from sanic_testing import TestManager", "install", "sanic_testing"),
        ("from sanic_cors import CORS", "install", "sanic_cors"),
        ("import no_such_package_here.part", "install", "no_such_package_here"),
        # What cannot be parsed.
        ("import asyncio\nasyncio.async(f())", "broken", "a.py"),
        ("print 'x'", "broken", "a.py"),
        ("x = '\0'", "broken", "a.py"),
        ("x = " + "(" * 400 + ")" * 400, "broken", "a.py"),
    ],
)
def test_what_is_found(source: str, kind: str, name: str) -> None:
    assert [(kind, True)] == [(one, shown.endswith(name)) for one, shown in found(source)]


@pytest.mark.parametrize(
    "source",
    [
        APP
        + "@app.route('/')\nasync def h(request):\n    return text(await request.stream.get())\n"
        + "app.run(port=1)",
        "from mach9 import Mach9\napp = Mach9()\ndef h(request):\n    request.headers; request.app.config.X",
        "from sanic import Sanic\nSanic('a')",
        "import sanic\nsanic.__version__.split('.')",
        "from sanic import __version__",
        # By position as in each release, whatever its name.
        APP + "@app.listener('before_server_start')\ndef f(app, loop): pass",
        APP + "@app.middleware('request')\ndef f(request): pass\n@app.middleware\ndef g(request): pass",
        APP
        + "from sanic import Blueprint\nb = Blueprint('b')\n@b.middleware('request')\ndef f(request): pass",
        APP + "from sanic import Blueprint\nb = Blueprint('b')\n@b.middleware\ndef f(request): pass",
        APP + "app.register_blueprint(b, url_prefix='/x')\napp.router.get(request)",
        "from sanic.testing import SanicTestClient\nSanicTestClient(None).get('/', headers={})",
        "from mach9 import Blueprint\nb = Blueprint('b')\nb.middleware('request')(f)",
        # What a mapping holds cannot be told.
        "from sanic import Sanic\nSanic('a', **options)",
        APP + "app.run('127.0.0.1', 8000)\napp.run('127.0.0.1', 8000, True, workers=2)",
        APP + "app.add_websocket_route(f, '/feed')\napp.websocket('/x', 'a.example')(f)",
        APP + "def h(request):\n    return request.get('a', 1)",
        "from sanic.exceptions import Unauthorized\nUnauthorized('m', 'Bearer', realm='r')",
        "from sanic import Blueprint\nBlueprint('b'); Blueprint(name='b'); Blueprint(**options)",
        "from mach9 import Blueprint\nb = Blueprint('b')\nb.route('/')\nb.listener('before_server_start')",
        "from sanic.response import redirect, json\nredirect('/'); json({}, 201, {})",
        # What a function is given, or makes, is not what the module has of that name.
        "from sanic import response\ndef after(request, response):\n    response.headers; response.streem",
        "from sanic import response\nf = lambda response: response.streem",
        "from sanic import response\nasync def f(*response, **text):\n    response.streem",
        "from sanic import response\ndef f():\n    with x as response:\n        response.streem",
        "from sanic import response\ndef f():\n    for response in x:\n        response.streem",
        "from sanic import response\ndef f(response):\n    def g():\n        return response.streem",
        "from sanic.response import file\nfile('a', headers={})",
        # There is an alternative.
        "try:\n    from sanic.response import streem\nexcept ImportError:\n    streem = None",
        "try:\n    from collections.abc import Map\nexcept (OSError, ImportError):\n"
        "    from collections import Mapping",
        "import asyncio\nif hasattr(asyncio, 'coroutine'):\n    asyncio.coroutine",
        "import sys\nif sys.version_info < (3, 8):\n    import imp",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sanic.nothing import N",
        # It is somebody else's.
        "import json\ndef f(request, app):\n    request.parsed_json; app.handle_request",
        "def f(request):\n    request.parsed_json",
        "def f(loop): pass\nf(loop=1)",
        "import asyncio\nasyncio.wait([asyncio.ensure_future(f()) for f in x]); asyncio.wait(tasks)",
        "class T:\n    def isAlive(self): pass\nT().isAlive()",
        # The app or a part of the project has it.
        APP + "app.db = 1\ndef h(request):\n    request.user = request.app.db\n    return request.user",
        APP + "class S(Sanic):\n    def page(self): pass\napp.page()",
        "from .b import x\nimport b, c.d",
        "async def f(lock):\n    async with lock:\n        pass",
    ],
)
def test_what_is_nothing_to_say(source: str) -> None:
    assert found(source, "import a", "") == []


def test_a_name_is_said_once_for_a_file_and_what_this_python_has_is_not_said() -> None:
    twice = "from collections import Mapping\nimport collections\ncollections.Mapping"
    assert found(twice) == [("option", "collections.Mapping")]
    assert found(twice, version=(3, 9)) == []
    assert found("import asyncio\nasyncio.get_event_loop()", version=(3, 14)) == [
        ("option", "asyncio.get_event_loop()")
    ]


def test_the_report_of_a_project(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "shop.py").write_text(APP + "from collections import Mapping\nimport views\n")
    (tree / "views.py").write_text("from sanic.response import streem\n")
    (tree / "requirements.txt").write_text("ujson\nsanic==0.7.0\n")
    assert main(["check", "."]) == 1
    assert capsys.readouterr().out == (
        "shop.py:4: needs an option: collections.Mapping is gone since Python 3.10: "
        "--old-python gives it back\n"
        "views.py:1: missing: sanic.response.streem sanic.response has no 'streem': did you mean stream?\n"
        "files: 2; names: 2 there, 1 missing, 1 needs an option\n"
        "written for Sanic 0.7\n"
        "to type:\n"
        "    streamcompat run shop.py --alias --old-python --compat 0.7\n"
    )
    (tree / "views.py").write_text("from sanic.response import stream\n")
    assert main(["check", "shop.py", "views.py", "--report", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(one["path"], one["line"], one["kind"]) for one in report["findings"]] == [
        ("shop.py", 4, "option")
    ]
    assert (report["there"], report["files"], report["release"]) == (3, 2, "0.7")


@pytest.mark.parametrize(
    ("files", "typed"),
    [
        ({"app.py": APP}, ["streamcompat run app.py --alias"]),
        ({"my app.py": APP}, ["streamcompat run 'my app.py' --alias"]),
        (
            {"app.py": APP + "two = Sanic('t')\n"},
            ["streamcompat run app.py:app --alias", "streamcompat run app.py:two --alias"],
        ),
        (
            {"app.py": "import sanic\ndef create():\n    a = sanic.Sanic()\n    return a\n"},
            ["streamcompat run 'app.py:create()' --alias"],
        ),
        (
            {"app.py": "import mach9\ndef create(name, debug=False, *, port):\n    return mach9.Mach9()\n"},
            ["streamcompat run 'app.py:create(NAME, PORT)' --alias"],
        ),
        (
            {
                "tool.py": "from sanic import Sanic\n"
                "def main():\n    app = Sanic()\n    app.run()\n"
                "if __name__ == '__main__':\n    main()\n"
            },
            ["streamcompat exec tool.py"],
        ),
        (
            {"app.py": "from sanic import Sanic\nclass Shop(Sanic):\n    pass\napp = Shop('s')\n"},
            ["streamcompat run app.py --alias"],
        ),
        (
            {
                "shop/__init__.py": "import sanic\ndef create(name):\n    return sanic.Sanic(name)\n",
                "wsgi.py": "from shop import create\napp = create('x')\n",
            },
            ["streamcompat run wsgi.py --alias"],
        ),
        (
            {
                "shop/__init__.py": "",
                "shop/__main__.py": "import argparse\nfrom shop.web import serve\nserve()\n",
                "shop/web.py": "from sanic import Sanic\ndef serve():\n    Sanic('s').run()\n",
            },
            ["streamcompat exec -m shop"],
        ),
        (
            # Which package has a module is not known.
            {"app.py": "from streamcompat.sanic_api import Sanic\nimport no_such_package_here\n"},
            [],
        ),
        (
            {"app.py": APP, "test_app.py": APP, ".gitignore": "build/\n", "build/app.py": APP},
            ["streamcompat run app.py --alias"],
        ),
    ],
)
def test_what_is_to_be_typed(
    tree: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], typed: list[str]
) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(text)
    assert main(["check", ".", "--report", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == typed


@pytest.mark.parametrize(
    ("pin", "option"),
    [
        ("0.8.3", ""),
        ("0.5.4", " --compat 0.5"),
        ("18.12.0", " --compat 18.12"),
        ("19.3.1", " --compat 19.3"),
        ("20.9", " --compat 20.9"),
        ("21.12.2", " --compat 21.12"),
        ("22.6", ""),
        ("0.1", ""),
    ],
)
def test_the_release_is_among_what_is_to_be_typed(
    tree: Path, capsys: pytest.CaptureFixture[str], pin: str, option: str
) -> None:
    (tree / "app.py").write_text(APP)
    program = (
        "import sanic\ndef main():\n    sanic.Sanic('p').run()\nif __name__ == '__main__':\n    main()\n"
    )
    (tree / "tool.py").write_text(program)
    (tree / "requirements.txt").write_text(f"sanic=={pin}\n")
    assert main(["check", ".", "--report", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == [
        f"streamcompat run app.py --alias{option}",
        f"streamcompat exec{option} tool.py",
    ]


def test_nothing_of_the_project_is_executed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "app.py").write_text(APP + "import danger, danger.below\nraise SystemExit('app')\n")
    (tree / "danger.py").write_text("raise SystemExit('danger')\n")
    assert main(["check", "."]) == 0
    assert "streamcompat run app.py --alias" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pin", "release"),
    [
        ("sanic==0.7.0", "0.7"),
        ("sanic>=0.6", "0.6"),
        ("install_requires=['sanic~=0.8.3', 'x']", "0.8"),
        ('sanic = "==19.12.2"', "19.12"),
        ('sanic = "^20.12"', "20.12"),
        ("sanic-cors==0.9", None),
        ("sanic", None),
    ],
)
def test_the_release_that_a_project_asks_for(
    tree: Path, capsys: pytest.CaptureFixture[str], pin: str, release: str | None
) -> None:
    (tree / "app.py").write_text(APP)
    (tree / "requirements-web.txt").write_text(f"# packages\n{pin}\n")
    assert main(["check", ".", "--report", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["release"] == release


def test_bad_files_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "app.py").write_text(APP)
    (tree / "latin.py").write_bytes(b"x = '\xe4'\n")
    (tree / "old.py").write_text("import asyncio\n\nasyncio.async(main())\n")
    assert main(["check", "."]) == 1
    out = capsys.readouterr().out
    assert "latin.py:1: cannot be parsed: " in out
    assert (
        "old.py:3: cannot be parsed: invalid syntax: `async` is a keyword since Python 3.7, and no option"
        in out
    )
    assert "streamcompat run app.py --alias" in out


@pytest.mark.parametrize(
    ("path", "said"), [("nowhere", "nowhere does not exist"), (".", "no Python files in .")]
)
def test_a_path_without_a_project(
    tree: Path, capsys: pytest.CaptureFixture[str], path: str, said: str
) -> None:
    assert main(["check", path]) == 3
    assert said in capsys.readouterr().err


def test_the_package_of_a_module_that_python_removed_is_installed_first(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    files = [scan("app.py", (APP + "import imp, distutils.version, pkg_resources, jwt\n").encode())]
    judged = judge(files, NOW)
    assert [(one.kind, one.name) for one in judged.findings] == [
        ("install", "imp"),
        ("install", "distutils"),
        ("option", "pkg_resources"),
        ("install", "jwt"),
    ]
    assert commands(files, judged, None) == [
        "pip install zombie-imp setuptools",
        "streamcompat run app.py --alias --old-python",
    ]


def test_an_extension_that_is_installed_is_read_for_what_python_removed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of packages that know nothing of the flavours nothing is said, nor of what an extension has guarded."""
    installed = {
        "ext_old/__init__.py": "import sanic\nraise SystemExit('executed')",
        "ext_old/deep/core.py": "import collections\n\ncollections.Iterable",
        "ext_flat.py": "try:\n    from sanic.app import Sanic\nexcept ImportError:\n    pass\n"
        "def add(app: Sanic):\n    app.get\nimport collections\ncollections.Mapping",
        "ext_above.py": "import ext_old.deep",
        "ext_guarded.py": "import sanic, collections\ntry:\n    collections.Iterable\n"
        "except AttributeError:\n    pass",
        "ext_other.py": "import collections\ncollections.Iterable",
        "ext_broken.py": "import sanic\nasync = 1",
    }
    for name, source in installed.items():
        path = tree / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    (tree / "project").mkdir()
    names = ["ext_old", "ext_flat", "ext_above", "ext_guarded", "ext_other", "ext_broken"]
    imports = [f"import {name}\n" for name in names]
    (tree / "project" / "app.py").write_text("".join(imports) + APP)
    monkeypatch.syspath_prepend(tree / "site")
    monkeypatch.chdir(tree / "project")
    main(["check", "."])
    lines = capsys.readouterr().out.splitlines()
    since = "which is gone since Python 3.10: --old-python gives it back"
    assert [line.removeprefix("app.py:") for line in lines if "ext_" in line] == [
        f"1: needs an option: ext_old uses collections.Iterable (ext_old/deep/core.py:3), {since}",
        f"2: needs an option: ext_flat uses collections.Mapping (ext_flat.py:8), {since}",
        f"3: needs an option: ext_above uses collections.Iterable (ext_old/deep/core.py:3), {since}",
    ]
    assert lines[-1].endswith("--alias --old-python")
