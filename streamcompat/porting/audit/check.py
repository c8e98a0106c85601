"""The check of connected files after the edit: channels, bodies, classes, names, and what is too dynamic."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streamcompat.porting.audit.awaits import may_gain, unawaited
from streamcompat.porting.audit.bodies import MACH9, Bodies
from streamcompat.porting.audit.channels import STREAMS, Channels, Doubt
from streamcompat.porting.audit.identities import split_identities
from streamcompat.porting.audit.sources import Resolve, Source, Sources, flavour, last_name

_BY_NAME = {
    "getattr",
    "setattr",
    "hasattr",
    "delattr",
    "attrgetter",
    "methodcaller",
    "__getattribute__",
    "__getattr__",
}
_OBJECTS = {"request", "req", "response", "resp", "res"}
_WORDS = {"stream", "streaming_fn", "write", "get_nowait"}
_MODULES = {"", "response"}


class Unexplained(NamedTuple):
    """What stands in a ported project and cannot be explained; the line is that of the file before."""

    path: str
    line: int
    reason: str


def unexplained(before: Mapping[str, str], after: Mapping[str, str], resolve: Resolve) -> list[Unexplained]:
    """Everything in these connected files that cannot be explained after the edit.

    Args:
        before, after: the text of each file by its path; both are valid Python.
    """
    sources = Sources(after, resolve)
    bodies = Bodies(sources)
    if MACH9 not in bodies.flavours and all(text == after[path] for path, text in before.items()):
        return []
    channels = Channels(sources)
    found = [*channels.doubts, *bodies.doubts, *split_identities(sources, bodies.flavours)]
    for source in sources.files.values():
        found += _dynamic(source)
    olds = {path: Source(path, text) for path, text in before.items() if text != after[path]}
    gained = {path: old.tree for path, old in olds.items() if may_gain(old.text, after[path])}
    found += unawaited(sources, gained)
    told = [Unexplained(one.source.path, _line(one, before), one.reason) for one in found]
    for path, old in olds.items():
        told += _lost_names(sources, old, sources.files[path])
        told += _lost_writes(sources.files[path], old, channels)
    return sorted(set(told))


def _line(doubt: Doubt, before: Mapping[str, str]) -> int:
    """The line in the file before the edit."""
    line = getattr(doubt.node, "lineno", 1)
    old, new = before[doubt.source.path].splitlines(), doubt.source.text.splitlines()
    if old == new:
        return int(line)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for _, first, end, start, stop in matcher.get_opcodes():
        if start <= line - 1 < stop:
            return int(min(first + line - 1 - start, max(first, end - 1))) + 1
    return int(line)


# ---- code that hides what it uses ----


def _dynamic(source: Source) -> Iterator[Doubt]:
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "streaming_fn":
            yield Doubt(source, node, "`streaming_fn` is taken from a response")
        elif isinstance(node, ast.Call) and hides_name(node):
            yield Doubt(source, node, f"`{ast.unparse(node)}` hides which attribute it uses")
        elif isinstance(node, ast.Call) and last_name(node.func) in _BY_NAME:
            yield from _by_name(source, node)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from _value(source, node)
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                if any(flavour(one) in {(MACH9, name) for name in STREAMS} for one in source.symbols(base)):
                    yield Doubt(source, node, f"`{node.name}` is a response with methods of its own")


def hides_name(node: ast.Call) -> bool:
    """Whether a call is given a request or a response with `getattr`, or with names that are no literals."""
    if not any(isinstance(one, ast.Name) and one.id in _OBJECTS for one in node.args):
        return False
    made = node.func if isinstance(node.func, ast.Call) else None
    if made is not None and last_name(made.func) in ("attrgetter", "methodcaller"):
        return not all(isinstance(one, ast.Constant) for one in made.args)
    return any(isinstance(one, ast.Name) and one.id == "getattr" for one in node.args)


def _by_name(source: Source, node: ast.Call) -> Iterator[Doubt]:
    for one in [*node.args, *(one.value for one in node.keywords)]:
        if isinstance(one, ast.Constant) and not _WORDS.isdisjoint(str(one.value).split(".")):
            yield Doubt(source, node, f"`{ast.unparse(node)}` names {one.value!r} in a text")
            return
    given = node.args[0] if node.args else None
    if given is None or len(node.args) < 2 or isinstance(node.args[1], ast.Constant):
        return
    if isinstance(given, ast.Name) and given.id in _OBJECTS:
        yield Doubt(source, node, f"`{ast.unparse(node)}` hides which attribute it uses")
    elif any(flavour(symbol) is not None for symbol in source.symbols(given)):
        yield Doubt(source, node, f"`{ast.unparse(node)}` hides which name it uses")


def _value(source: Source, node: ast.Name | ast.Attribute) -> Iterator[Doubt]:
    """`stream`, or a module that has it, as a value."""
    above = source.parents[node]
    if isinstance(above, ast.Attribute) or (isinstance(above, ast.Call) and above.func is node):
        return
    for symbol in source.symbols(node):
        named = flavour(symbol)
        if named is None or named[0] != MACH9:
            continue
        if named[1] in _MODULES:
            yield Doubt(source, node, f"the module `{ast.unparse(node)}` is used as a value")
        elif named[1] == "response.stream":
            yield Doubt(source, node, f"`{ast.unparse(node)}` is used as a value")


# ---- what the edit may have lost ----


def _lost_names(sources: Sources, old: Source, new: Source) -> Iterator[Unexplained]:
    """Names that other files, or `__all__`, take from a file that no longer has them."""
    lost = old.bound[old.tree].keys() - new.bound[new.tree].keys()
    for name in sorted(lost):
        users = [
            one for one in sources.files.values() if one.path != new.path and _takes(sources, one, new, name)
        ]
        if users or _is_public(new, name):
            where = users[0].path if users else "`__all__`"
            yield Unexplained(new.path, 1, f"`{name}` is taken from here by {where}")


def _takes(sources: Sources, user: Source, given: Source, name: str) -> bool:
    for scope in user.bound.values():
        for binders in scope.values():
            for one in binders:
                if one.kind == "import" and sources.leads(user, one.symbol) == (given.path, name):
                    return True
    if any(sources.leads(user, module) == (given.path, "") for module in user.stars) and user.unbound(name):
        return True
    return any(
        sources.leads(user, symbol) == (given.path, name)
        for one in user.attributes.get(name, ())
        if (symbol := user.symbol(one)) is not None
    )


def _is_public(source: Source, name: str) -> bool:
    for one in source.bound[source.tree].get("__all__", ()):
        if one.value is not None and any(
            isinstance(item, ast.Constant) and item.value == name for item in ast.walk(one.value)
        ):
            return True
    return False


def _lost_writes(new: Source, old: Source, channels: Channels) -> Iterator[Unexplained]:
    """More writes have become sends than there are sends on channels."""
    gone = _calls(old, "write") - _calls(new, "write")
    sends = sum(1 for one in new.nodes if one in channels.sends)
    if gone > sends:
        yield Unexplained(new.path, 1, "a `write` has become a `send` on what is not known to be a channel")


def _calls(source: Source, name: str) -> int:
    return sum(isinstance(source.parents[one], ast.Call) for one in source.attributes.get(name, ()))
