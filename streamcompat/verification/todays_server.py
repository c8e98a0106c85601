"""Serves a TARGET on the real Sanic, at a socket that listens already: `TARGET FILE_DESCRIPTOR`.

The rule: it runs in the environment of Sanic, so that it needs nothing but Sanic.
"""

import importlib
import importlib.util
import os
import socket
import sys
from types import ModuleType
from typing import Any


def module_of(target: str) -> tuple[ModuleType, str]:
    """The module of `path/to/file.py:app` or `package.module:app`, and the name of the app."""
    path, _, attribute = target.partition(":")
    if not path.endswith(".py"):
        sys.path[0:1] = [os.getcwd()]
        return importlib.import_module(path), attribute
    folder, file = os.path.split(os.path.abspath(path))
    name = file[: -len(".py")]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    sys.path[0:1] = [folder]
    spec = importlib.util.spec_from_file_location(name, path)
    if (
        "." in name
        and os.path.dirname(os.path.abspath(path)) != folder
        or spec is None
        or spec.loader is None
    ):
        return importlib.import_module(name), attribute
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, attribute


def app_of(module: ModuleType, attribute: str, kind: type) -> Any:
    """The app, or what the factory of that name makes."""
    if not attribute:
        made = [name for name, value in vars(module).items() if isinstance(value, kind)]
        attribute = "app" if hasattr(module, "app") or not made else made[0]
    found: Any = module
    for name in attribute.split("."):
        found = getattr(found, name)
    return found if isinstance(found, kind) else found()


def main(target: str, number: str) -> None:
    """Serve until a signal comes."""
    try:
        sanic = importlib.import_module("sanic")
    except ModuleNotFoundError:
        sys.exit(f"{sys.executable} has no Sanic: install it there, or name another Python with --python")
    app = app_of(*module_of(target), sanic.Sanic)
    app.run(sock=socket.socket(fileno=int(number)), single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
