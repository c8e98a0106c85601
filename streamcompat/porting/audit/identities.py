"""Holds the classes that code asks for against those that other code makes, across a project ported in part.

The rule: no code may ask for a class of one flavour (`except`, `isinstance`, `@app.exception`) where one with
the same meaning in the other flavour may arrive.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streamcompat.porting.audit.channels import Doubt
from streamcompat.porting.audit.sources import Source, Sources, flavour

_BASES = {"SanicException", "Mach9Exception"}
_BELOW = {
    "FileNotFound": "NotFound",
    "HeaderNotFound": "InvalidUsage",
    "InvalidRangeType": "ContentRangeError",
    "URLBuildError": "ServerError",
}
_OF_THE_APP = {"Forbidden", "Unauthorized"}
"""Exceptions that no flavour raises by itself."""
_NEUTRAL = {"ClientDisconnected", "StreamedResponse", "WholeResponse", "content", "encoded"}
_RENAMED = {"Sanic", "SanicException", "StreamingHTTPResponse"}
_FAMILIES = {
    "app": "app", "blueprints": "app", "exceptions": "exceptions", "request": "request",
    "response": "response", "Sanic": "app", "Mach9": "app", "Blueprint": "app",
}  # fmt: skip


class Named(NamedTuple):
    """A class or function of a flavour that code names: `mach9`, `exceptions`, `NotFound`."""

    flavour: str
    family: str
    name: str
    source: Source
    node: ast.AST


def split_identities(sources: Sources, flavours: set[str]) -> Iterator[Doubt]:
    """What is asked for in one flavour while the other flavour's may arrive."""
    made: list[Named] = []
    asked: list[Named] = []
    for source in sources.files.values():
        for node in source.nodes:
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                for one in _named(sources, source, node):
                    (made if _makes(source, node) else asked).append(one)
    both = {one.flavour for one in made} | flavours
    for one in asked:
        for other in sorted(both - {one.flavour}):
            if _may_arrive(one, other, made, flavours):
                name = f"{one.flavour.capitalize()}'s `{one.name}`"
                reason = f"{name} is asked for, and the other flavour's may come"
                yield Doubt(one.source, one.node, reason)
    if "mach9" in flavours:
        yield from _by_name(sources)


def _named(sources: Sources, source: Source, node: ast.Name | ast.Attribute) -> Iterator[Named]:
    above = source.parents[node]
    if isinstance(above, ast.Attribute) or _is_annotation(source, node):
        return
    if isinstance(node, ast.Name):
        symbols = {one.symbol for _, one in sources.binders(source, node) if one.kind == "import"}
    else:
        symbols = source.symbols(node)
        found = source.symbol(node)
        symbols |= {one.symbol for _, one in sources.named(source, found)} if found is not None else set()
    for symbol in sorted(symbols):
        parts = flavour(symbol)
        if parts is None and symbol.startswith("streamcompat.ported."):
            parts = "mach9", f"exceptions.{symbol.rpartition('.')[2]}"
        if parts is None or not parts[1]:
            continue
        family, name = _FAMILIES.get(parts[1].partition(".")[0]), parts[1].rpartition(".")[2]
        if family is not None and name not in _NEUTRAL and ("." in parts[1] or family == "app"):
            yield Named(parts[0], family, name, source, node)


def _is_annotation(source: Source, node: ast.AST) -> bool:
    inner = node
    for above in source.above(node):
        if isinstance(above, ast.arg):
            return above.annotation is inner
        if isinstance(above, ast.AnnAssign):
            return above.annotation is inner
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            return above.returns is inner
        if isinstance(above, ast.stmt):
            return False
        inner = above
    return False


def _makes(source: Source, node: ast.AST) -> bool:
    above = source.parents[node]
    return (
        (isinstance(above, ast.Call) and above.func is node)
        or isinstance(above, ast.Raise)
        or (isinstance(above, ast.ClassDef) and node in above.bases)
    )


def _may_arrive(asked: Named, other: str, made: Iterable[Named], flavours: set[str]) -> bool:
    if asked.name in ("abort", "add_status_code"):
        return False
    if other in flavours and asked.family in ("app", "request"):
        return True
    if other in flavours and asked.family == "exceptions" and asked.name not in _OF_THE_APP:
        return True
    if asked.family == "response" and not asked.name.endswith(("Response", "ResponseStream")):
        return False  # a function that makes responses, as a value
    for one in made:
        if one.flavour == other and one.family == asked.family and _fits(asked, one.name):
            return True
    return False


def _fits(asked: Named, made: str) -> bool:
    if asked.family != "exceptions" or asked.name in _BASES or made in ("abort", *_BASES):
        return True
    return asked.name in (made, _BELOW.get(made))


def _by_name(sources: Sources) -> Iterator[Doubt]:
    """A class that is asked for by a text, as in `type(app).__name__ == "Sanic"`."""
    for source in sources.files.values():
        for node in source.nodes:
            if isinstance(node, ast.Constant) and node.value in _RENAMED:
                above = source.parents[node]
                if isinstance(above, ast.Compare) and any(
                    isinstance(one, ast.Attribute) and one.attr in ("__name__", "__qualname__")
                    for one in ast.walk(above)
                ):
                    yield Doubt(source, node, f"a class is asked for by its name, {node.value!r}")
