"""Prints every public name of a package as JSON; runs under Python 3.6, with an original.

    python dump_names.py sanic

A module that cannot be imported, as it needs another package, is left out. For each module: what it defines
itself and the constants it assigns; for each class: its own methods and attributes, and what its constructor
sets on `self`; for each callable: its arguments, in order.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import sys


def main(package):
    found = {}
    root = importlib.import_module(package)
    below = pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda name: None)
    for name in sorted([package] + [entry.name for entry in below]):
        if name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        found[name] = describe_module(module)
    json.dump(found, sys.stdout, indent=1, sort_keys=True)


def describe_module(module):
    with open(module.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    described = {}
    for name in assigned(tree.body) | imported(tree.body, module):
        value = getattr(module, name, None)
        if not name.startswith("_"):
            described[name] = describe(value, module)
    return described


def assigned(body):
    """The names that statements define: classes, functions and assignments, also under `if` and `try`."""
    names = set()
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                names |= {leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}
        elif isinstance(node, (ast.If, ast.Try)):
            names |= assigned(node.body) | assigned(node.orelse)
    return names


def imported(body, module):
    """What a package's `__init__` imports from below itself: its public face."""
    if not hasattr(module, "__path__"):
        return set()
    return {
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module.__name__)
        for alias in node.names
    }


def describe(value, module):
    if inspect.isclass(value) and value.__module__ != module.__name__:
        return {"kind": "class", "arguments": arguments(value), "members": {}}
    if inspect.isclass(value):
        return {"kind": "class", "arguments": arguments(value), "members": members(value)}
    if inspect.isfunction(value):
        return {"kind": "function", "arguments": arguments(value)}
    return {"kind": "constant"}


def members(cls):
    found = {}
    for name, value in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(value, (staticmethod, classmethod)):
            found[name] = {"kind": "method", "arguments": arguments(getattr(cls, name))}
        elif inspect.isfunction(value):
            found[name] = {"kind": "method", "arguments": arguments(value)[1:]}
        else:
            found[name] = {"kind": "attribute"}
    for name in constructed(cls):
        found.setdefault(name, {"kind": "attribute"})
    return found


def constructed(cls):
    """What `__init__` sets on `self`."""
    if "__init__" not in vars(cls):
        return set()
    source = inspect.getsource(cls)
    tree = ast.parse(inspect.cleandoc("\n" + source) if source[0].isspace() else source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return {
                leaf.attr
                for leaf in ast.walk(node)
                if isinstance(leaf, ast.Attribute)
                and isinstance(leaf.ctx, ast.Store)
                and isinstance(leaf.value, ast.Name)
                and leaf.value.id == "self"
                and not leaf.attr.startswith("_")
            }
    return set()


def arguments(function):
    """As they are written in a call: `name`, `name=`, `*name`, `**name`; without `self`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    shown = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            shown.append("*" + parameter.name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            shown.append("**" + parameter.name)
        else:
            shown.append(parameter.name + ("" if parameter.default is parameter.empty else "="))
    return shown


if __name__ == "__main__":
    main(sys.argv[1])
