"""`aliases`: a second name for the facades' modules, never a second copy, never in the way unasked."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from streamcompat import aliases, mach9_api, sanic_api

FACADES = {"sanic": sanic_api, "mach9": mach9_api}


@pytest.fixture
def installed() -> Iterator[None]:
    aliases.install()
    yield
    aliases.uninstall()


@pytest.fixture
def real_sanic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package called sanic that is not ours, on the search path."""
    package = tmp_path / "sanic"
    package.mkdir()
    (package / "__init__.py").write_text("Sanic = 'the real one'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package / "__init__.py"
    aliases.uninstall()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sanic"]:
        del sys.modules[name]


def submodules(package: ModuleType) -> list[str]:
    """All modules below a package, as dotted names relative to it."""
    prefix = f"{package.__name__}."
    return [entry.name.removeprefix(prefix) for entry in pkgutil.walk_packages(package.__path__, prefix)]


def everything() -> list[str]:
    return [f"{alias}.{name}" for alias, facade in FACADES.items() for name in submodules(facade)]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["sanic", "mach9", *everything()])
def test_an_alias_is_the_facades_own_module_object(name: str) -> None:
    root, dot, rest = name.partition(".")
    assert importlib.import_module(name) is importlib.import_module(FACADES[root].__name__ + dot + rest)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["sanic.response", "mach9.blueprints"])
def test_a_module_keeps_its_own_name_and_spec(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__spec__ is not None
    assert module.__spec__.name == module.__name__
    assert module.__name__.startswith("streamcompat.")


@pytest.mark.usefixtures("installed")
def test_every_form_of_the_import_statement_gives_the_same_objects() -> None:
    namespace: dict[str, object] = {}
    exec(
        "import sanic.response\n"
        "import sanic.response as second\n"
        "from sanic import response as third\n"
        "from sanic.response import text\n"
        "from streamcompat.sanic_api.response import text as direct\n"
        "from sanic import Sanic\n"
        "from mach9 import Mach9\n",
        namespace,
    )
    sanic = namespace["sanic"]
    assert sanic is sanic_api
    assert namespace["second"] is namespace["third"] is sanic_api.response
    assert namespace["text"] is namespace["direct"]
    assert namespace["Sanic"] is sanic_api.Sanic
    assert namespace["Mach9"] is mach9_api.Mach9


@pytest.mark.usefixtures("installed")
def test_the_import_system_finds_an_alias_without_importing_it() -> None:
    importlib.import_module("sanic")
    sys.modules.pop("sanic.response")
    spec = importlib.util.find_spec("sanic.response")
    assert spec is not None
    assert spec.name == "sanic.response"
    assert "sanic.response" not in sys.modules


class Instrumentation:
    """A finder before all others, that calls a hook with a module once it is loaded, as wrapt's does."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.given: list[ModuleType] = []
        self._finding: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.names or name in self._finding:
            return None
        self._finding.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._finding.remove(name)
        assert spec is not None
        spec.loader = Chained(spec.loader, self.given)
        return spec


class Chained:
    def __init__(self, loader: Any, given: list[ModuleType]) -> None:
        self.loader = loader
        self.given = given

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.given.append(module)


@pytest.fixture(params=["before", "after"])
def instrumentation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installed before the aliases are, or after them."""
    finder = Instrumentation("sanic.app", "sanic.response", "mach9.app")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    if request.param == "after":
        aliases.install()
    sys.meta_path.insert(0, finder)
    aliases.install()
    yield finder
    aliases.uninstall()


@pytest.mark.parametrize(
    "statement", ["import sanic, mach9", "from sanic import Sanic; from mach9 import Mach9"]
)
def test_instrumentation_is_given_the_modules_that_it_waits_for(
    instrumentation: Instrumentation, statement: str
) -> None:
    exec(statement)
    given = {module.__name__: module for module in instrumentation.given}
    assert sorted(given) == ["mach9.app", "sanic.app", "sanic.response"]
    found: Any = given["sanic.app"]
    assert found.Sanic is sanic_api.Sanic
    assert not hasattr(found, "none")
    found.own = "put there"
    assert vars(sys.modules["sanic.app"]).pop("own") == "put there"


@pytest.mark.usefixtures("installed")
def test_what_the_original_loads_at_once_is_loaded_at_once() -> None:
    importlib.import_module("sanic")
    assert {"sanic.app", "sanic.response", "sanic.blueprints"} <= sys.modules.keys()


@pytest.mark.usefixtures("installed")
def test_installing_twice_is_installing_once() -> None:
    before = list(sys.meta_path)
    aliases.install()
    aliases.install(force=True)
    assert sys.meta_path == before


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("import sanic.nowhere", "streamcompat's sanic has no 'nowhere': it has "),
        ("import sanic.respons", "streamcompat's sanic has no 'respons': did you mean response"),
        (
            "import sanic.mixins",
            "streamcompat's sanic has no 'mixins', which came between Sanic 20.12.7 and 21.12.2: ",
        ),
        ("import mach9.worker", "streamcompat's mach9 has no 'worker': use the command `streamcompat run`"),
        ("from sanic.nowhere import anything", "streamcompat's sanic has no 'nowhere': it has "),
        ("from sanic import Sanik", "streamcompat's sanic has no 'Sanik': did you mean Sanic"),
        ("from mach9 import Mach8", "streamcompat's mach9 has no 'Mach8': did you mean Mach9"),
        (
            "from sanic.response import streem",
            "streamcompat's sanic.response has no 'streem': did you mean stream",
        ),
        ("from mach9.http import Nothing", "streamcompat's mach9.http has no 'Nothing'"),
        ("import sanic.response.deeper", "streamcompat's sanic.response has no 'deeper'"),
    ],
)
def test_what_a_facade_lacks_is_an_import_error_that_says_so(statement: str, message: str) -> None:
    with pytest.raises(ImportError) as raised:
        exec(statement, {})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("installed")
def test_a_missing_name_stays_an_attribute_error_outside_imports() -> None:
    import sanic.response

    assert getattr(sanic.response, "nothing_of_the_kind", None) is None


def test_without_the_aliases_the_names_are_free() -> None:
    aliases.install()
    importlib.import_module("sanic.response")
    aliases.uninstall()
    assert not aliases.installed()
    assert not hasattr(sanic_api.response, "__path__")
    with pytest.raises(ModuleNotFoundError, match="No module named 'sanic'"):
        importlib.import_module("sanic.response")


def test_an_installed_real_package_is_not_shadowed_unasked(real_sanic: Path) -> None:
    with pytest.raises(aliases.AliasError, match="a real package sanic is installed") as raised:
        aliases.install()
    assert str(real_sanic) in str(raised.value)
    assert not aliases.installed()
    assert importlib.import_module("sanic").Sanic == "the real one"


def test_an_installed_real_package_is_shadowed_when_asked(real_sanic: Path) -> None:
    aliases.install(force=True)
    assert importlib.import_module("sanic") is sanic_api


def test_a_real_package_that_was_imported_before_is_refused_even_with_force(real_sanic: Path) -> None:
    real = importlib.import_module("sanic")
    for force in (False, True):
        with pytest.raises(aliases.AliasError, match="the real sanic is already imported") as raised:
            aliases.install(force=force)
        assert str(real_sanic) in str(raised.value)
    assert not aliases.installed()
    assert sys.modules["sanic"] is real


def test_a_mere_folder_of_that_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sanic").mkdir()
    (tmp_path / "sanic" / "notes.txt").write_text("not Python\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    aliases.install()
    try:
        assert importlib.import_module("sanic") is sanic_api
    finally:
        aliases.uninstall()
