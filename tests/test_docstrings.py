"""Every public name has a docstring: what applications and tests import, and what the engine exports.

A method of a contract is described there, once; what implements it need not say it again.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import pytest

from streamcompat_engine import Exchange, Wakeup
from streamcompat_engine.drivers.transport import Transport

USED = (
    "streamcompat.application",
    "streamcompat.asgi_api",
    "streamcompat.datastructures",
    "streamcompat.mach9_api",
    "streamcompat.ported",
    "streamcompat.sanic_api",
    "streamcompat.site",
    "streamcompat.testing",
    "streamcompat.text",
    "streamcompat.verification",
)
MODULES = [
    "streamcompat",
    "streamcompat.aliases",
    "streamcompat_engine",
    *USED,
    *(
        module.name
        for package in USED
        for module in pkgutil.walk_packages(getattr(import_module(package), "__path__", ()), package + ".")
    ),
]
CONTRACTS = (Exchange, Transport, Wakeup)


def is_ours(value: object) -> bool:
    return str(getattr(value, "__module__", "")).startswith("streamcompat")


def describes(contract: type, name: str) -> bool:
    """Whether a contract describes a method, or an attribute in its own docstring."""
    if name in dir(contract) and inspect.getdoc(getattr(contract, name)):
        return True
    said = "\n".join(one.__doc__ or "" for one in contract.__mro__)
    return re.search(rf"^    .*\b{name}\b.*:", said, flags=re.MULTILINE) is not None


def undescribed(kind: type) -> Iterator[str]:
    """The public methods and properties of a class without a docstring, by the class that defines them."""
    for name, value in inspect.getmembers(kind):
        function = inspect.unwrap(value.fget if isinstance(value, property) and value.fget else value)
        if name.startswith("_") or not (inspect.isroutine(function) and is_ours(function)):
            continue
        if not inspect.getdoc(value) and not any(describes(one, name) for one in CONTRACTS):
            owner = next(one for one in kind.__mro__ if name in vars(one))
            yield f"{owner.__module__}.{owner.__qualname__}.{name}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name: str) -> None:
    module = import_module(name)
    assert module.__doc__
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == name]
    without = set()
    for key in getattr(module, "__all__", own):
        value = getattr(module, key)
        if (
            key.startswith("_")
            or not is_ours(value)
            or not (inspect.isclass(value) or inspect.isroutine(value))
        ):
            continue
        if not vars(value).get("__doc__") if inspect.isclass(value) else not inspect.getdoc(value):
            without.add(f"{value.__module__}.{value.__qualname__}")
        if inspect.isclass(value):
            without |= set(undescribed(value))
    assert without == set()
