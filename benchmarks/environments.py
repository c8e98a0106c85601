"""The environments that the servers run in, created in ``benchmarks/.environments`` on first use.

``peers`` has today's servers and the dependencies of streamcompat, so that every server
runs on the same interpreter, event loop and h11. ``originals`` has the packages of 2017 and 2018 on Python
3.6, if that is installed. The constraints files pin names and versions, nothing else.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
FOLDER = HERE / ".environments"

PEERS = ["aiohttp", "granian", "httptools", "hypercorn", "sanic", "starlette", "uvicorn", "uvloop", "trio"]
ORIGINALS = ["sanic==0.7.0", "mach9==0.0.4", "websockets==4.0.1"]


class NoEnvironment(Exception):
    """An environment is not available here; the message says why, for the report."""


@dataclass(frozen=True)
class Environment:
    python: Path

    def versions(self) -> dict[str, str]:
        """Versions of the installed packages, by lower-case name."""
        command = [str(self.python), "-m", "pip", "list", "--format=freeze"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        pairs = (line.partition("==") for line in done.stdout.splitlines() if "==" in line)
        return {name.lower(): version for name, _, version in pairs}

    def variables(self, root: Path = ROOT) -> dict[str, str]:
        """The environment variables of a server: the source roots of a tree, no Python settings of ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        kept.pop("VIRTUAL_ENV", None)
        kept["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "engine")])
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
        return kept


def own_dependencies() -> list[str]:
    """The dependencies of streamcompat by its pyproject.toml, with its fast loop and what looks inside."""
    path = ROOT / "pyproject.toml"
    if not path.exists():
        return ["h11", "anyio", "greenlet"]
    project = tomllib.loads(path.read_text())["project"]
    optional = project.get("optional-dependencies", {})
    extras = ("fast", "json", "metrics", "tracing")
    return list(project["dependencies"]) + [one for extra in extras for one in optional.get(extra, [])]


def peers() -> Environment:
    """Today's servers on the interpreter that runs the suite."""
    requirements = PEERS + own_dependencies()
    return _environment("peers", sys.executable, HERE / "constraints.txt", requirements)


def present() -> Environment:
    """The interpreter that runs the suite, with its packages: enough for our own servers."""
    return Environment(Path(sys.executable))


def originals() -> Environment:
    """Sanic 0.7.0 and Mach9 0.0.4 on Python 3.6. Raises NoEnvironment."""
    return original("originals", ORIGINALS)


def original(name: str, requirements: list[str], version: str = "3.6") -> Environment:
    """An environment of an old Python, for these releases of an original; on 3.6 with the packages of 2017
    and 2018, unless `requirements` pin them for a later release.

    Raises: NoEnvironment: there is no such Python, or a release cannot be installed.
    """
    python = _old_python(version)
    if python is None:
        raise NoEnvironment(f"no Python {version} on PATH or in pyenv")
    of_their_time = not any(one.startswith("ujson==") for one in requirements)
    constraints = HERE / ("constraints-originals.txt" if of_their_time else "constraints-later-originals.txt")
    return _environment(name, python, constraints, requirements)


def _old_python(version: str) -> str | None:
    name = f"python{version}"
    candidates = [shutil.which(name)]
    if root := os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")):
        candidates += sorted(str(path) for path in Path(root, "versions").glob(f"{version}.*/bin/{name}"))
    for candidate in candidates:
        if candidate and _runs(candidate, version):
            return candidate
    return None


def _runs(python: str, version: str) -> bool:
    """Whether this is a working Python of the version; a name on PATH may be a stub that only lists
    versions."""
    command = [python, "-c", f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _environment(name: str, python: str, constraints: Path, requirements: list[str]) -> Environment:
    folder = FOLDER / name
    environment = Environment(folder / "bin" / "python")
    described = [python, sys.version, constraints.read_text(), *requirements]
    wanted = hashlib.sha256("\n".join(described).encode()).hexdigest()
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == wanted and environment.python.exists():
        return environment
    print(f"installing the environment '{name}' (once, about a minute)", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([python, "-m", "venv", str(folder)], name)
    pip = [str(environment.python), "-m", "pip", "--quiet", "install", "--constraint", str(constraints)]
    _run(pip + requirements, name)
    stamp.write_text(wanted)
    return environment


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if "error" in line.lower()] or [done.stdout]
        raise NoEnvironment(f"the environment '{name}' cannot be installed: {lines[0].strip()[:200]}")
