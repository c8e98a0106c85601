"""Proves a release: `make release-check`.

    python .ci/release_check.py [--python 3.12 ...] [--skip types ...]

The steps: `build` makes the sdist, and the wheel from it. `metadata` holds both by twine. `types` asks
pyright whether every public name of both packages has a complete type. `readme` installs the wheel into
an empty environment on each Python of 3.11 to 3.15 that is here, and runs every command of the README
there, in an empty folder. Status 1 where a step fails. A Python that is not here is named and skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "engine")]

from tests.support.pages import ADDRESS, blocks, commands, fetch, files  # noqa: E402

VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
PACKAGES = ("streamcompat", "streamcompat_engine")
TOOLS = ROOT / ".venv" / "release"
PATIENCE = 60.0
README = (ROOT / "README.md").read_text()
EXPECTED = {"port": (0, 1), "probe": (0, 1, 4), "check": (0, 1)}
"""The exit statuses of commands that have something to say; 4: the app of the README reads no stream."""

OTHERS = {
    "main.py": 'from sanic import Sanic\nfrom sanic.response import text\n\napp = Sanic("main")\n\n\n'
    '@app.route("/")\nasync def index(request):\n    return text("main")\n\n\nif __name__ == "__main__":\n'
    "    import sys\n\n    app.run(port=int(sys.argv[-1]))\n",
    "shop/web.py": 'from sanic import Sanic\nfrom sanic.response import text\n\napp = Sanic("shop")\n\n\n'
    '@app.route("/")\nasync def index(request):\n    return text("shop")\n',
    "shop/__init__.py": "",
    "tests/test_app.py": "from app import app\n\n\ndef test_it():\n"
    '    assert app.test_client.get("/")[1].text == "hello, old friend\\n"\n',
    "conftest.py": "",
}
"""What the README's commands name and its blocks do not have."""


def call(
    *command: object, cwd: Path = ROOT, env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)
) -> str:
    """Run a command to its end; its output. Raises RuntimeError with it for another status."""
    line = [str(one) for one in command]
    done = subprocess.run(
        line,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20 * PATIENCE,
        check=False,
    )
    if done.returncode not in allowed:
        raise RuntimeError(f"{shlex.join(line)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def pip(python: Path, *arguments: object) -> None:
    call(python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *arguments)


def tools(*requirements: str) -> dict[str, str]:
    """Install tools outside of the environment; the variables that let it find them."""
    pip(Path(sys.executable), "--upgrade", "--target", TOOLS, *requirements)
    return {**os.environ, "PYTHONPATH": str(TOOLS)}


def environment(python: str | Path, folder: Path) -> Path:
    """A new empty environment; its Python."""
    call(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def wheel() -> Path:
    (one,) = (ROOT / "dist").glob("*.whl")
    return one


def build() -> None:
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist")
    print(call(sys.executable, ".ci/check_wheel.py", "dist").strip())


def metadata() -> None:
    call(sys.executable, "-m", "twine", "check", "--strict", *(ROOT / "dist").iterdir(), env=tools("twine"))
    print("twine: the metadata and the long description are sound")


def types() -> None:
    env = tools("pyright")
    with tempfile.TemporaryDirectory() as folder:
        python = environment(sys.executable, Path(folder) / "venv")
        # Some classes derive from those of optional packages.
        extras = "fast,json,metrics,porting,proxy-protocol,reload,testing,tracing"
        pip(python, f"{wheel()}[{extras}]", "trio", "types-ujson", "types-greenlet")
        env["PATH"] = f"{python.parent}:{env['PATH']}"
        for package in PACKAGES:
            asked = ("--pythonpath", python, "--verifytypes", package, "--ignoreexternal")
            said = call(sys.executable, "-m", "pyright", *asked, cwd=Path(folder), env=env, allowed=(0, 1))
            score = re.search(r"Type completeness score: (.*)", said)
            if score is None or score[1] != "100%":
                raise RuntimeError(said)
            print(f"pyright: every public name of {package} has a complete type")


def find_python(version: str) -> str | None:
    """A Python of this version, on PATH or of pyenv; a name on PATH may be a stub that fails."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    for candidate in (f"python{version}", *map(str, found)):
        test = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
        try:
            if subprocess.run([candidate, "-c", test], capture_output=True, check=False).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


def serve(command: list[str], folder: Path, env: dict[str, str], ask: Callable[[str], None]) -> None:
    """Start a server, ask it, and stop it; it must end with status 0."""
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(2 * PATIENCE, process.kill)
        watchdog.start()
        said = ""
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if found := re.search(r"http://\S+:\d+", line):
                    ask(found[0])
                    process.send_signal(signal.SIGTERM)
                    break
            said += process.stdout.read()
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
    if process.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} ended with {process.returncode}\n{said}")


def answers(url: str) -> None:
    """Any answer below 500 shows that the app serves; `new_app.py` has no page at `/`."""
    try:
        urllib.request.urlopen(url + "/", timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise


def shell_lines() -> list[str]:
    """The README's commands of ours, without comments."""
    lines = [line for block in blocks(README, "") for line in block.splitlines()]
    told = (line.partition("  #")[0].strip() for line in lines)
    return [line for line in dict.fromkeys(told) if line.startswith("streamcompat ")]


def carry_out(line: str, folder: Path, env: dict[str, str]) -> None:
    """Run one command of the README; a server gets a free port and one request."""
    words = shlex.split(line.partition(" > ")[0].replace("--port 9000", "--port 0"))
    serves = words[1] == "run" and "--help" not in words
    if serves or words[1:3] == ["exec", "main.py"] or words[1:4] == ["exec", "-m", "sanic"]:
        if words[1:4] == ["exec", "-m", "sanic"] or (serves and "--port" not in words):
            words += ["--port", "0"]
        serve(words, folder, env, answers)
    else:
        call(*words, cwd=folder, env=env, allowed=EXPECTED.get(words[1], (0,)))


def readme_on(python: str, folder: Path) -> None:
    """All that the README shows, from the wheel, in an empty environment and an empty folder."""
    mine = environment(python, folder / "venv")
    work = folder / "work"
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"PATH": f"{mine.parent}:{env['PATH']}", "PYTHONUNBUFFERED": "1"}
    pip(mine, wheel())
    for name, text in {**files(README), **OTHERS}.items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text)
    call("streamcompat", "--version", cwd=work, env=env)
    carry_out("streamcompat run app.py --alias", work, env)
    pip(mine, f"{wheel()}[porting,testing]", "trio")
    shutil.copy(work / "app.py", work / "old_app.py")
    for line in shell_lines():
        if "--verify" in line:  # of the app as it was, and as `port --write` has left it
            shutil.copy(work / "app.py", work / "new_app.py")
            (work / "old_app.py").write_text(files(README)["app.py"])
        carry_out(line, work, env)
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "LICENSE", folder)

    def try_site(url: str) -> None:
        for line, shown in (one for block in blocks(README, "console") for one in commands(block)):
            printed = fetch(line.replace(ADDRESS, url), folder).replace("\r\n", "\n")
            if printed.removesuffix("\n") != shown.removesuffix("\n"):
                raise RuntimeError(f"{line}\n{printed}")

    serve(["streamcompat", "run", "examples/side_by_side.py", "--port", "0"], folder, env, try_site)


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove a release.")
    parser.add_argument("--python", action="append", choices=VERSIONS, help="only on this one; repeatable")
    parser.add_argument("--skip", action="append", default=[], choices=["metadata", "types", "readme"])
    given = parser.parse_args()
    steps: dict[str, Callable[[], None]] = {"build": build, "metadata": metadata, "types": types}
    failed = 0
    folder = Path(tempfile.mkdtemp(prefix="release-check-"))
    for version in VERSIONS if "readme" not in given.skip else ():
        if given.python and version not in given.python:
            continue
        python = find_python(version)
        if python is None:
            print(f"Python {version} is not here: skipped")
        else:
            place = folder / version
            place.mkdir()
            steps[f"README on Python {version}"] = lambda python=python, place=place: readme_on(python, place)
    for name, step in steps.items():
        if name not in given.skip:
            try:
                step()
                print(f"{name}: passed")
            except Exception as error:
                print(f"{name}: FAILED\n{error}", file=sys.stderr)
                failed = 1
    shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())
