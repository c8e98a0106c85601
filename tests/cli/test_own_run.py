"""Apps that serve themselves, under `streamcompat run`: what they say is taken as defaults."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.commands import PATIENCE, run_python, serve_command, start_python

FLAVOURS = {
    flavour: f"from streamcompat.{flavour}_api import {name} as App\n"
    f"from streamcompat.{flavour}_api.response import text\n"
    for flavour, name in (("sanic", "Sanic"), ("mach9", "Mach9"))
}
APP = """
app = App("self")
@app.get("/hello")
async def hello(request):
    return text("hello")
"""
GUARD = 'if __name__ == "__main__":\n    '
ASYNC = """
import asyncio
loop = asyncio.new_event_loop()
task = asyncio.ensure_future(app.create_server(host="127.0.0.1", port={port}), loop=loop)
loop.run_forever()
"""
every_flavour = pytest.mark.parametrize("flavour", ["sanic", "mach9"])


def of_each_flavour(*calls: str) -> pytest.MarkDecorator:
    """Each call in one flavour by turns, and in the long run in the other one too."""
    return pytest.mark.parametrize(
        ("flavour", "call"),
        [
            pytest.param(flavour, call, marks=[] if (number + turn) % 2 else pytest.mark.long)
            for number, call in enumerate(calls)
            for turn, flavour in enumerate(FLAVOURS)
        ],
    )


def write(folder: Path, flavour: str, call: str, name: str = "f.py") -> None:
    (folder / name).write_text(FLAVOURS[flavour] + APP + call + "\n")


@pytest.fixture
def port() -> int:
    """A free port below those that the system gives to others by itself."""
    while True:
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", random.SystemRandom().randrange(20_000, 32_000)))
            return int(one.getsockname()[1])


def serve(folder: Path, *arguments: str, status: int = 0) -> list[str]:
    """Serves until it answers and a signal ends it; gives what was said on standard error."""
    with serve_command("f.py", *arguments, cwd=folder) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello"
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(PATIENCE) == status
    assert "listening" not in "".join(command.output)  # for a second time
    return [line for line in command.errors if line.startswith("streamcompat: ")]


@of_each_flavour(
    "app.run('127.0.0.1', 9)",
    "app.run(port=9)",
    "import sys\nsys.exit(app.run(port=9))",
    "while True:\n    try: app.run(port=9)\n    except Exception: pass",
    "def main():\n    app.run(port=9)\nmain()",
    "try: app.run(port=9)\nexcept KeyboardInterrupt: print('bye')",
    ASYNC.format(port=9),
    ASYNC.format(port=9).replace("loop.run_forever()", "try: loop.run_forever()\nexcept: loop.stop()"),
    "import asyncio\nasync def main():\n    server = await app.create_server(port=9)\n"
    "    await server.wait_closed()\nasyncio.run(main())",
)
def test_an_app_that_serves_itself_is_served_by_the_command_alone(
    tmp_path: Path, flavour: str, call: str
) -> None:
    write(tmp_path, flavour, call)
    (line,) = serve(tmp_path, "--port", "0")
    assert "() does not serve while the app is imported" in line
    assert "port=9" not in line  # of --port


@every_flavour
@pytest.mark.parametrize("guard", ["", GUARD, "def main(): "])
def test_its_address_is_the_default(tmp_path: Path, flavour: str, guard: str, port: int) -> None:
    write(tmp_path, flavour, f"{guard}app.run('localhost', {port})" + ("\nmain()" if "def" in guard else ""))
    with serve_command("f.py", "--uds", "ignored", "--port", "0", cwd=tmp_path):
        pass
    with start_python("-m", "streamcompat", "run", "f.py", cwd=tmp_path) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            assert f"localhost:{port}" in (said := process.stdout.readline()) or f"127.0.0.1:{port}" in said
            assert httpx.get(f"http://localhost:{port}/hello").text == "hello"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            errors = process.stderr.read()
        finally:
            process.kill()
    assert f"gives the defaults host='localhost', port={port}" in errors


@every_flavour
@pytest.mark.parametrize("guard", ["", GUARD])
def test_its_workers_are_workers_of_the_command(tmp_path: Path, flavour: str, guard: str) -> None:
    write(tmp_path, flavour, f"{guard}app.run(workers=2)")
    with serve_command("f.py", cwd=tmp_path) as command:
        assert "2 workers" in command.said
        assert httpx.get(f"{command.url}/hello").text == "hello"
    assert [line for line in command.errors if "gives the defaults workers=2" in line]
    (line,) = serve(tmp_path, "--workers", "1") or [""]
    assert "workers" not in line


@every_flavour
@pytest.mark.parametrize("guard", ["", GUARD])
def test_its_certificate_is_the_commands(tmp_path: Path, flavour: str, guard: str) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    write(tmp_path, flavour, guard + "app.run(ssl={'cert': 'cert.pem', 'key': 'key.pem'})")
    with serve_command("f.py", cwd=tmp_path) as command:
        assert "listening on https://127.0.0.1:" in command.said
        url = command.said.split()[2]
        assert httpx.get(f"{url}/hello", verify=False).text == "hello"
    assert [line for line in command.errors if "gives the defaults ssl" in line]
    with serve_command("f.py", "--ignore-run", cwd=tmp_path) as command:
        assert httpx.get(f"{command.url}/hello").text == "hello"


@every_flavour
def test_what_is_not_taken_is_said_with_the_option_to_give(tmp_path: Path, flavour: str) -> None:
    write(
        tmp_path,
        flavour,
        "import os, ssl\n"
        + GUARD
        + "context = ssl.create_default_context()\n"
        + "    app.run('127.0.0.1', int(os.environ['PORT']), ssl=context, debug=True, auto_reload=True)",
    )
    (line,) = serve(tmp_path, "--ignore-run") or [""]
    assert line == ""
    with serve_command("f.py", "--backlog", "100", cwd=tmp_path) as command:
        pass
    (line,) = [line for line in command.errors if line.startswith("streamcompat: ")]
    place = f"f.py:{len((tmp_path / 'f.py').read_text().splitlines())}"
    assert line.strip() == (
        f"streamcompat: {place}: app.run() gives the defaults debug=True; not taken: ssl=context, "
        "auto_reload=True (give --cert and --key)"
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (GUARD + "app.run(backlog='x')", "not taken: backlog='x' ('x' is not a valid number of connections)"),
        (GUARD + "app.run(workers=0)", "not taken: workers=0 ('0' is not a valid number of processes)"),
        (GUARD + "app.run(prot=9)", "its arguments (app.run() got an unexpected option 'prot': did you"),
        (
            GUARD + "app.run(debug=True)\nelif True:\n    pass\nif 0:\n    app.run()",
            "gives the defaults debug=True",
        ),
        (
            GUARD + "if app: app.run(debug=True)\n    else: app.run(backlog=9)",
            "not taken: any argument, because line 10 calls it with others",
        ),
        (GUARD + "def start(one): one.run(port=9)\n    start(app)", ""),
        ("import os\napp.run(workers=int('2'))", "not taken: workers=2 (give --workers)"),
    ],
)
def test_values_that_cannot_be_taken(tmp_path: Path, call: str, said: str) -> None:
    write(tmp_path, "sanic", call)
    lines = serve(tmp_path)
    assert len(lines) == bool(said)
    assert all(said in line for line in lines), lines


def test_a_secret_of_the_call_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, "sanic", GUARD + "app.run(ssl={'cert': path, 'key': 'k', 'password': 'secret'})")
    (line,) = serve(tmp_path)
    assert "not taken: ssl (give --cert and --key)" in line


def test_the_app_that_serves_itself_is_the_app(tmp_path: Path) -> None:
    """Also where it has no global name, or where there are several."""
    write(tmp_path, "sanic", "other = App('other')\napp.run()")
    serve(tmp_path)
    text = FLAVOURS["sanic"] + "def main():\n" + "".join(f"    {line}\n" for line in APP.splitlines())
    (tmp_path / "f.py").write_text(text + "    app.run()\nmain()\n")
    serve(tmp_path)


def test_a_mounted_app_gives_no_defaults(tmp_path: Path) -> None:
    write(tmp_path, "sanic", "app.run(port=9)", "shop.py")
    write(tmp_path, "mach9", GUARD + "app.run(debug=True)")
    lines = serve(tmp_path, "--mount", "/shop=shop.py")
    assert any("f.py:9: app.run() gives the defaults debug=True" in line for line in lines)
    assert any(
        "not taken: port=9" not in line and "shop.py:8: app.run() does not serve" in line for line in lines
    )


def test_a_module_of_a_package_that_serves_itself(tmp_path: Path) -> None:
    package = tmp_path / "web"
    package.mkdir()
    (package / "__init__.py").write_text("")
    write(package, "sanic", ASYNC.format(port=9), "main.py")
    (tmp_path / "f.py").write_text("from web.main import app\n")
    for target in ("web.main", "web/main.py"):
        with serve_command(target, cwd=tmp_path) as command:
            assert httpx.get(f"{command.url}/hello").text == "hello"


@of_each_flavour("app.run(port=9)", ASYNC.format(port=9))
@pytest.mark.parametrize(
    "command",
    [
        ("probe", "f.py", "--examples", "1", "--allow-unchecked"),
        ("port", "--verify", "f.py", "f.py", "--requests", "1"),
    ],
)
def test_the_other_commands_do_not_hang(
    tmp_path: Path, flavour: str, call: str, command: tuple[str, ...]
) -> None:
    write(tmp_path, flavour, call)
    ended = run_python("-m", "streamcompat", *command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
