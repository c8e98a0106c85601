"""The command `streamcompat port`: what it reads, prints and writes, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamcompat.cli.command import main
from tests.support.commands import ROOT

BEFORE = 'from sanic import Sanic\n\napp = Sanic("app", load_env=False)\n'
AFTER = BEFORE.replace("sanic import Sanic", "mach9 import Mach9").replace("= Sanic", "= Mach9")
KEPT = """
@app.get("/table")
async def table(request):
    async def rows(response):
        csv.writer(response).writerow([1, 2])

    return stream(rows)
"""
WITH_LEFT = "import csv\nfrom sanic.response import stream\n" + BEFORE + KEPT


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path = path.with_name(path.name + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_diff_is_shown_and_nothing_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=BEFORE)
    assert main(["port", "app.py"]) == 0
    out, err = capsys.readouterr()
    assert "-from sanic import Sanic\n+from mach9 import Mach9\n" in out
    assert err == "handlers: 0 ported, 0 left alone, 0 unknown\n"
    assert (tree / "app.py").read_text() == BEFORE
    patch = subprocess.run(["git", "apply", "-"], input=out, text=True, cwd=tree, check=False)
    assert patch.returncode == 0
    assert (tree / "app.py").read_text() == AFTER


def test_check_and_write(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=BEFORE, other="x = 1\n")
    (tree / "app.py").chmod(0o640)
    assert main(["port", ".", "--check"]) == 1
    assert capsys.readouterr().out.startswith("would be ported: app.py\n")
    assert (tree / "app.py").read_text() == BEFORE
    assert main(["port", ".", "--write"]) == 0
    assert capsys.readouterr().out.startswith("ported: app.py\n")
    assert (tree / "app.py").read_text() == AFTER
    assert (tree / "app.py").stat().st_mode & 0o777 == 0o640
    assert main(["port", ".", "--check"]) == 0
    assert sorted(os.listdir(tree)) == ["app.py", "other.py"]


def test_standard_input(
    tree: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(BEFORE.replace("\n", "\r\n").encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["port", "-", "--write"]) == 0
    assert capsysbinary.readouterr().out == AFTER.replace("\n", "\r\n").encode()


def test_gitignore_is_honoured(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text("build/\n*_generated.py\n!kept_generated.py\n")
    put(
        tree,
        app=BEFORE,
        build__app=BEFORE,
        a_generated=BEFORE,
        kept_generated=BEFORE,
        src__app=BEFORE,
        src__old__app=BEFORE,
        venv__lib__app=BEFORE,
    )
    (tree / "src" / ".gitignore").write_text("/old\n")
    (tree / "venv" / "pyvenv.cfg").write_text("")
    (tree / "link").symlink_to(tree, target_is_directory=True)
    assert main(["port", ".", "--check"]) == 1
    ported = [line for line in capsys.readouterr().out.splitlines() if line.startswith("would")]
    assert ported == ["would be ported: " + name for name in ("app.py", "kept_generated.py", "src/app.py")]
    # From below, the rules of the repository hold as well; what is named is taken.
    assert main(["port", "src", "build/app.py", "--check"]) == 1
    assert "build/app.py" in (out := capsys.readouterr().out)
    assert "src/old" not in out


def test_a_file_that_cannot_be_parsed_is_named_and_the_rest_goes_on(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tree, broken="from sanic import Sanic\n\nclass:\n", good=BEFORE)
    assert main(["port", ".", "--write"]) == 3
    assert "broken.py:3: cannot be parsed: invalid syntax\n" in capsys.readouterr().out
    assert (tree / "good.py").read_text() == AFTER


def test_a_path_that_is_not_there(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, good=BEFORE)
    assert main(["port", "gone.py", "good.py", "--write"]) == 3
    assert capsys.readouterr().err == "streamcompat: gone.py does not exist\n"
    assert (tree / "good.py").read_text() == AFTER


def test_a_folder_without_a_python_file(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "notes.txt").write_text("notes\n")
    assert main(["port", ".", "--check"]) == 0
    assert (
        capsys.readouterr().err
        == "streamcompat: found no Python files in ., apart from what .gitignore excludes\n"
    )


def test_a_file_that_cannot_be_written_stays(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, app=BEFORE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert main(["port", "app.py", "--write"]) == 3
    assert capsys.readouterr().err == "streamcompat: cannot write app.py: Permission denied\n"
    assert os.listdir(tree) == ["app.py"]
    assert (tree / "app.py").read_text() == BEFORE


def test_the_report_as_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=WITH_LEFT, broken="class:  # sanic\n")
    assert main(["port", "app.py", "broken.py", "--report", "json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"ported": 0, "left alone": 1, "unknown": 0}
    app, broken = told["files"]
    assert app["path"] == "app.py" and app["changed"] and "+app = Mach9" in app["diff"]
    assert [(one["line"], one["kind"]) for one in app["findings"]] == [(10, "left alone")]
    assert broken["error"] == {"line": 1, "reason": "invalid syntax"}


def test_the_report_for_github(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, **{"app,1": WITH_LEFT})
    assert main(["port", ".", "--check", "--report", "github"]) == 1
    assert "::warning file=app%2C1.py,line=10,title=left alone::the response is passed to `csv.writer`" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize("package", ["libcst", "pathspec", "rich"])
def test_a_missing_extra_is_named(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None;"
        "from streamcompat.cli import main; sys.exit(main(['port', 'x.py']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == f"streamcompat: this needs {package}: pip install 'streamcompat[porting]'\n"


def test_the_command_line_needs_no_extra_to_be_read() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['libcst', 'pathspec', 'rich', 'hypothesis']));"
        "from streamcompat.cli import main; main(['port', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "streamcompat port . --write" in done.stdout


def test_many_files_in_several_processes(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(60):
        put(tree, **{f"part{number}__app": BEFORE})
    assert main(["port", ".", "--write"]) == 0
    assert capsys.readouterr().out.count("ported: part") == 60
    assert all(path.read_text() == AFTER for path in tree.rglob("*.py"))


def test_from_sanic_takes_every_request_for_one_of_sanics(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tree, helper="def size(request):\n    return request.stream.qsize()\n")
    assert main(["port", "helper.py"]) == 0
    assert "0 unknown" in capsys.readouterr().err
    assert main(["port", "helper.py", "--from", "sanic"]) == 0
    assert "helper.py:2: " in capsys.readouterr().err


def test_a_large_tree_has_a_progress_bar_on_a_terminal(tree: Path) -> None:
    for number in range(60):
        put(tree, **{f"part{number}__app": BEFORE})
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "port", ".", "--check"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal without a writer ends
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert child.wait() == 1
    assert b"reading" in shown and b"100%" in shown


def test_the_hook_for_pre_commit_is_the_command(tree: Path) -> None:
    hook = dict(re.findall(r"^  (\w+): (.*)$", (ROOT / ".pre-commit-hooks.yaml").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert json.loads(hook["additional_dependencies"]) == project["optional-dependencies"]["porting"]
    put(tree, app=BEFORE)
    assert main([*hook["entry"].split()[1:], *json.loads(hook["args"])]) == 1


STREAM = "from sanic.response import stream\n"
UNKNOWN = (
    STREAM + BEFORE.replace("app", "one") + "table = {'one': one}\n"
    "@table['one'].stream('/a')\nasync def a(request):\n    await request.stream.get()\n"
)


def test_the_exit_status(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, plain="x = 1\n")
    assert main(["port", ".", "--check"]) == main(["port", ".", "--write"]) == 0
    put(tree, app=BEFORE)
    assert main(["port", ".", "--check"]) == 1
    put(tree, other=UNKNOWN)
    assert (main(["port", ".", "--check"]), main(["port", ".", "--write"])) == (4, 4)
    assert main(["port", ".", "--check"]) == 0, "what is unknown changes nothing any more"
    assert (tree / "other.py").read_text() == UNKNOWN


def test_files_without_any_sanic_do_not_fail_the_check(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tree, old="print 'Python 2'\n", app=AFTER)
    assert main(["port", ".", "--check"]) == main(["port", "old.py", "--check"]) == 0
    assert "old.py:1: cannot be parsed" in capsys.readouterr().out
    put(tree, old="import sanic\nprint 'Python 2'\n")
    assert main(["port", ".", "--check"]) == 3


@pytest.mark.parametrize(
    "source",
    [
        "def name(code):\n    if code == 0:\n        return 0\n"
        + "".join(f"    elif code == {number}:\n        return {number}\n" for number in range(1, 300)),
        "X = (" + "\n    and ".join(["a"] * 3000) + ") if False else None\n",
        "X = (" + "\n  ".join(["'a'"] * 3000) + ")\n",
    ],
    ids=["elif", "and", "texts"],
)
def test_a_file_that_is_nested_deeply_stops_nobody(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr("streamcompat.porting.deep._PATIENCE", 250.0)  # of a machine under any load
    put(tree, deep=f"import sanic\n{source}", app=BEFORE)
    assert main(["port", ".", "--write"]) == 0
    assert (tree / "app.py").read_text() == AFTER


def test_a_file_that_crashes_the_parser_is_named_with_its_line(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamcompat.porting.deep._PATIENCE", 0.01)
    put(tree, deep="import sanic\nX = 1\nY = " + "not " * 300 + "X\n", app=BEFORE)
    assert main(["port", ".", "--write"]) == 3
    assert "deep.py:3: cannot be parsed: its expressions are nested too deeply" in capsys.readouterr().out
    assert (tree / "app.py").read_text() == AFTER


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (BEFORE + "if app:\n\x0c    app = app\n", True),
        (BEFORE.replace("\n", "\r"), True),
        (BEFORE + "if app:\n\tx = 1\n        y = 2\n", False),
    ],
    ids=["form feed", "carriage return", "tabs and spaces"],
)
def test_odd_white_space(tree: Path, capsys: pytest.CaptureFixture[str], source: str, written: bool) -> None:
    (tree / "odd.py").write_bytes(source.encode())
    put(tree, app=BEFORE)
    assert main(["port", ".", "--write"]) == (0 if written else 3)
    expected = source.replace("sanic import Sanic", "mach9 import Mach9").replace("= Sanic", "= Mach9")
    assert (tree / "odd.py").read_bytes().decode() == (expected if written else source)
    assert ("odd.py:6: cannot be parsed" in capsys.readouterr().out) is not written
    assert (tree / "app.py").read_text() == AFTER


def test_without_permission_nothing_is_ported(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, app=BEFORE, other=BEFORE)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "other.py")
    assert main(["port", ".", "--write"]) == 3
    out, err = capsys.readouterr()
    assert err.startswith(
        "streamcompat: cannot write other.py: Permission denied\nstreamcompat: nothing was wr"
    )
    assert "ported: app.py" not in out
    assert (tree / "app.py").read_text() == (tree / "other.py").read_text() == BEFORE
    assert sorted(os.listdir(tree)) == ["app.py", "other.py"]


def test_a_file_that_cannot_be_replaced_takes_the_others_back(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, app=BEFORE, other=BEFORE)
    replace = os.replace

    def refuse(place: str, target: Path) -> None:
        if target.name == "other.py":
            raise PermissionError(13, "Permission denied")
        replace(place, target)

    monkeypatch.setattr(os, "replace", refuse)
    assert main(["port", ".", "--write"]) == 3
    assert (tree / "app.py").read_text() == (tree / "other.py").read_text() == BEFORE
    assert sorted(os.listdir(tree)) == ["app.py", "other.py"]


def test_statistics(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=WITH_LEFT, other=WITH_LEFT.replace("table", "list"))
    assert main(["port", ".", "--check", "--statistics"]) == 1
    out = capsys.readouterr().out
    assert "files: 2, 2 of them to change\n    2 left alone: the response is passed to `...`, which" in out


def test_a_comment_leaves_a_handler(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = (
        "\n@app.get('/{n}')\nasync def h{n}(request):\n    async def w(response):\n"
        "        response.write('x')\n    return stream(w)\n"
    )
    places = (
        "# streamcompat: leave\n@app",
        "@app.get('/1')  # streamcompat: leave",
        "(request):  # streamcompat: leave",
    )
    texts = [handler.format(n=n) for n in range(4)]
    texts[0] = texts[0].replace("@app", places[0])
    texts[1] = texts[1].replace("@app.get('/1')", places[1])
    texts[2] = texts[2].replace("(request):", places[2])
    put(tree, app=STREAM + BEFORE + "".join(texts))
    assert main(["port", ".", "--write"]) == 0
    out = capsys.readouterr().out
    assert out.count("left alone: a comment says to leave it") == 3 and "1 ported, 3 left alone" in out
    after = (tree / "app.py").read_text()
    assert all(text in after for text in texts[:3]) and texts[3] not in after


def test_settings_of_a_project(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=BEFORE, old__app=BEFORE, src__old__app=BEFORE)
    (tree / "pyproject.toml").write_text("[tool.streamcompat.port]\nexclude = ['/old']\n")
    assert main(["port", "src", ".", "--check"]) == 1
    ported = [line for line in capsys.readouterr().out.splitlines() if line.startswith("would")]
    assert ported == ["would be ported: src/old/app.py", "would be ported: app.py"]
    for wrong in ("exclude = 'old'", "excluded = []", "exclude = [1]", "exclude ="):
        (tree / "pyproject.toml").write_text(f"[tool.streamcompat.port]\n{wrong}\n")
        assert main(["port", ".", "--check"]) == 2
        assert "pyproject.toml: " in capsys.readouterr().err


def test_notebooks_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=AFTER)
    (tree / "notes.ipynb").write_text("{}")
    assert main(["port", ".", "--check"]) == main(["port", "notes.ipynb", "--check"]) == 0
    assert capsys.readouterr().err.count("notes.ipynb is a notebook, and notebooks are not ported") == 2


@pytest.mark.parametrize("name", ["a file", 'quo"ted', "sub__deep__app", "ümlaut"])
@pytest.mark.parametrize("given", ["relative", "absolute", "from below"])
def test_git_applies_the_diff(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    put(tree, **{name: BEFORE + "X = 1\x0c\n# \x1c\n"})
    path = next(tree.rglob("*.py"))
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    if given == "from below":
        (tree / "below").mkdir()
        monkeypatch.chdir(tree / "below")
    argument = {
        "relative": path.relative_to(tree),
        "absolute": path,
        "from below": f"../{path.relative_to(tree)}",
    }
    assert main(["port", str(argument[given])]) == 0
    patch = capsys.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=tree, check=True)
    assert path.read_text().startswith(AFTER)


def test_a_diff_on_a_terminal_has_colours(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, app=BEFORE)
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    child = subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "port", "app.py"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal without a writer ends
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert child.wait() == 0
    assert b"\x1b[32m+from mach9 import Mach9" in shown


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-8"])
def test_a_diff_has_the_bytes_of_the_file(
    encoding: str, tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    declared = f"# coding: {encoding.removesuffix('-sig')}\n"
    text = declared + BEFORE.replace('"app"', '"caf\xe9"')
    (tree / "\xe9.py").write_bytes(text.encode(encoding))
    assert main(["port", "\xe9.py"]) == 0
    patch = capfdbinary.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tree, check=True)
    after = declared + AFTER.replace('"app"', '"caf\xe9"')
    assert (tree / "\xe9.py").read_bytes() == after.encode(encoding)
