"""The packaging: what the wheel's check notices, and that the constraints pin all that is installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import streamcompat
from tests.support.commands import ROOT

WHEEL = "streamcompat-0.0.0-py3-none-any.whl"


@pytest.fixture
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_wheel", ROOT / ".ci" / "check_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def build(check: ModuleType, tmp_path: Path) -> Callable[..., Path]:
    """Makes a wheel of the two packages, without some files and with others."""

    def pack(without: str = "", extra: dict[str, str] | None = None) -> Path:
        with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
            for package, source in check.PACKAGES.items():
                for path in source.rglob("*"):
                    name = f"{package}/{path.relative_to(source).as_posix()}"
                    if path.is_file() and "__pycache__" not in path.parts and name != without:
                        wheel.write(path, name)
            entry_points = {"streamcompat-0.0.0.dist-info/entry_points.txt": ""}
            for name, content in ({} if without == "entry_points" else entry_points | (extra or {})).items():
                wheel.writestr(name, content)
        return tmp_path

    return pack


def test_a_whole_wheel_passes(
    check: ModuleType, build: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([str(build())]) == 0, capsys.readouterr().err
    assert "the two packages, whole, and nothing else" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"extra": {"tests/__init__.py": ""}}, "holds tests, which is not part of the library"),
        ({"extra": {"engine/streamcompat_engine/http1/gate.py": ""}}, "holds engine, which is not part of"),
        (
            {"extra": {"streamcompat/leftover.py": ""}},
            "holds streamcompat/leftover.py, which is not in the source",
        ),
        ({"without": "streamcompat_engine/http1/gate.py"}, "lacks streamcompat_engine/http1/gate.py"),
        ({"without": "streamcompat_engine/http1/gate.py"}, "does not import: ModuleNotFoundError"),
        ({"without": "streamcompat/py.typed"}, "so that its types are not seen"),
        ({"without": "entry_points"}, "has no console script"),
    ],
)
def test_a_wheel_with_a_fault_is_refused_with_its_reason(
    check: ModuleType,
    build: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    fault: str,
) -> None:
    assert check.main([str(build(**change))]) == 1
    assert fault in capsys.readouterr().err


def test_it_wants_exactly_one_wheel(
    check: ModuleType, build: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build()
    shutil.copy(folder / WHEEL, folder / "streamcompat-0.0.1-py3-none-any.whl")
    assert check.main([str(folder)]) == 1
    assert "expected one wheel, found 2" in capsys.readouterr().err


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version", "readme"]
    assert project["tool"]["hatch"]["version"] == {"path": "streamcompat/__init__.py"}
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", streamcompat.__version__)


def test_the_long_description_can_be_read_outside_of_the_repository() -> None:
    spec = importlib.util.spec_from_file_location("long_description", ROOT / ".ci" / "long_description.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    urls = {"Documentation": "https://a.test/docs/", "Source": "https://a.test/source/"}
    text = module.long_description((ROOT / "README.md").read_text(), urls)
    assert re.findall(r"\]\((?!https:)", text) == []
    assert "![" not in text
    assert "](https://a.test/docs/differences.html#the-mach9-flavour)" in text
    assert "](https://a.test/source/examples/mach9_app.py)" in text
    kept = "![a](https://a.test/b.svg)\n[c](#d)\n"
    assert module.long_description(kept, urls) == kept


def test_the_addresses_are_those_of_the_site() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    for name, folder in (("Documentation", "docs"), ("Source", ".")):
        assert urls[name].endswith("/")
        for url in urls.values():
            if url != urls[name] and url.startswith(urls[name]):
                page = url.removeprefix(urls[name]).replace(".html", ".md")
                assert (ROOT / folder / page).is_file(), url


def test_the_changelog_has_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (\S+)(?: - (\d{4}-\d\d-\d\d))?$", changelog, flags=re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert versions[1][0] == streamcompat.__version__
    assert versions[1][1]


def test_the_pythons_are_the_same_everywhere() -> None:
    """Those that are declared are those that `make test-all` runs, and those that the pages name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = re.findall(r"Python :: (\d+\.\d+)", "\n".join(project["classifiers"]))
    assert declared == ["3.11", "3.12", "3.13", "3.14", "3.15"]
    assert f"for version in {' '.join(declared)}; do" in (ROOT / ".ci" / "test-all").read_text()
    for page in ("Makefile", "README.md", "CONTRIBUTING.md", ".ci/test-all"):
        assert "3.11 to 3.15" in (ROOT / page).read_text(), page
    assert all(f"python{version}" in (ROOT / "Makefile").read_text() for version in declared)


STUB = """#!/bin/sh
# A Python of which only what `make setup` asks is there.
case "$1" in
--version) echo "Python {version}" ;;
-m) [ "$2" = venv ] && {{ mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; }} ;;
-c) case "$2" in *print*) echo {version} ;; *) exit {status} ;; esac ;;
esac
exit 0
"""


def stub(folder: Path, version: str) -> Path:
    path = folder / f"python{version}"
    path.write_text(STUB.format(version=version, status=int(int(version.split(".")[1]) < 11)))
    path.chmod(0o755)
    return path


def make_setup(python: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "setup", f"PYTHON={python}", f"VENV={venv}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["python3.10", "python3.99"])
def test_a_python_that_is_too_old_or_missing_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    if name == "python3.10":
        stub(tmp_path, "3.10")
    ended = make_setup(tmp_path / name, tmp_path / "venv")
    assert ended.returncode != 0
    assert f"streamcompat needs Python 3.11 or newer, which {tmp_path / name} is not" in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_an_environment_of_a_python_that_is_too_old_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    shutil.copy(stub(tmp_path, "3.10"), tmp_path / "venv" / "bin" / "python")
    ended = make_setup(stub(tmp_path, "3.12"), tmp_path / "venv")
    assert ended.returncode == 0, ended.stderr
    assert "with Python 3.12" in ended.stdout
    assert "3.12" in (tmp_path / "venv" / "bin" / "python").read_text()


def test_an_environment_of_another_python_is_not_taken_for_the_one_that_is_asked_for(tmp_path: Path) -> None:
    assert make_setup(stub(tmp_path, "3.12"), tmp_path / "venv").returncode == 0
    ended = make_setup(stub(tmp_path, "3.13"), tmp_path / "venv")
    assert ended.returncode != 0
    assert "was made with Python 3.12: make clean first, or give VENV=" in ended.stderr


def constraints() -> dict[str, str]:
    """Name, in its normal form, to version."""
    found: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            pin = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
            assert pin is not None, f"not a name and a version: {line}"
            found[re.sub(r"[-_.]+", "-", pin[1]).lower()] = pin[2]
    return found


def test_the_constraints_pin_every_requirement_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for many in project["optional-dependencies"].values() for one in many),
    ]
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", one)[0]).lower() for one in wanted}  # type: ignore[index]
    assert names - {"streamcompat"} <= constraints().keys()


def test_the_lowest_versions_are_those_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("bounds", ROOT / ".ci" / "bounds.py")
    assert spec is not None and spec.loader is not None
    bounds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bounds)
    assert bounds.lowest("h11>=0.16,<0.17") == "h11==0.16"
    assert bounds.lowest("uvloop>=0.21; sys_platform != 'win32'") == "uvloop==0.21; sys_platform != 'win32'"
    for without in ("h11", "h11<1", "h11==1"):
        with pytest.raises(ValueError, match="has no lower bound"):
            bounds.lowest(without)
    bounds.main()
    lines = capsys.readouterr().out.splitlines()
    # Below it, an integer that a client sends leaks.
    assert any(line.startswith("ujson==5.12;") for line in lines)
    assert {"h11==0.16", "libcst==1.5", "httpx==0.28"} <= set(lines)
    # Each extra, so that one that is added later is tried too.
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [one for name, many in extras.items() if name not in bounds.NOT_OF_USERS for one in many]
    assert {bounds.lowest(one) for one in wanted} <= set(lines)


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([None], 2, "nothing was audited"),
        ([[{"name": "a", "version": "1", "vulns": []}]], 2, "nothing was audited"),
        (["known", []], 0, "0 packages, 0 known"),
        (["known", "known"], 1, "a 1: CVE-1, mended in 2"),
        (["known", None], 2, "was not audited"),
    ],
)
def test_an_audit_says_what_it_asked(
    answers: list[object],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    known = [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]
    given = [known if answer == "known" else answer for answer in answers]
    monkeypatch.setattr(audit, "audit", lambda requirements: given.pop(0))
    assert audit.main(["some.txt"]) == status
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
