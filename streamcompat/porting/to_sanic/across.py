"""Finds what keeps a project from today's Sanic and shows only where its files are seen together.

The rule: what one file does to a name, a cookie or a response is held against what the others do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streamcompat.porting import names
from streamcompat.porting.link import Linker, refer
from streamcompat.porting.model import FileFacts, Finding

Found = Iterator[tuple[str, Finding]]
Files = Mapping[str, FileFacts]

_ALIKE = {"response.json", "response.raw", "response.redirect", "response.json_dumps"}
"""Names of `response` that no rule edits; nor does one those of `exceptions`, `log`, `request`, `config`."""
_EDITED = ("app", "blueprints", "response", "views")


def across(files: Files, group: list[str], linker: Linker) -> Found:
    """What connected files do to each other, with the file that the report names."""
    yield from _fakes(files, group, linker)
    yield from _same_names(files, group)
    yield from _taken(files, group, linker)
    yield from _replaced(files, group)
    yield from _cookies(files, group)
    yield from _statuses(files, group)


def _fakes(files: Files, group: list[str], linker: Linker) -> Found:
    """Calls that give something else to a function that another file gives a request, stream or response."""
    for path in group:
        for symbol, line in sorted(files[path].gives_other):
            found = linker.modules.resolve(path, symbol)
            if found is not None and found[1] in files[found[0]].takes:
                reason = f"`{symbol}` is given something that is not Sanic's"
                remedy = "port the call by hand: what it gives has to know the words of today's Sanic"
                yield path, Finding(line, "unknown", reason, remedy, "")


def _same_names(files: Files, group: list[str]) -> Found:
    """Routes of one name on one app that stand in several files."""
    seen: dict[tuple[str, str], str] = {}
    for path in group:
        for reference, name, line in sorted(files[path].routes):
            first = seen.setdefault((refer(path, reference), name), path)
            if first != path:
                reason = f"two routes are called `{name}`, here and in {first}"
                yield path, Finding(line, "left", reason, "give each a `name=` of its own", "")


def _taken(files: Files, group: list[str], linker: Linker) -> Found:
    """Names of Sanic's that a file takes from another file: the rules do not know them there."""
    for path in group:
        facts = files[path]
        for symbol in sorted(facts.imports):
            module, _, last = symbol.rpartition(".")
            found = linker.modules.resolve(path, module if last == "*" else symbol)
            if found is None or found[0] == path:
                continue
            given = _given(files[found[0]])
            if last == "*":
                wanted = {name: one for name, one in given.items() if name in facts.names}
                hidden = files[found[0]].public
                wanted = {name: one for name, one in wanted.items() if not hidden or name in hidden}
            else:
                first, _, rest = found[1].partition(".")
                wanted = {symbol: f"{given[first]}.{rest}".rstrip(".")} if first in given else {}
            for name, one in sorted(wanted.items()):
                if _is_edited(one):
                    reason = (
                        f"`{name}` is Sanic's and comes by way of {found[0]}, where it cannot be followed"
                    )
                    yield path, Finding(1, "unknown", reason, f"import it from Sanic: `{one}`", "")


def _given(facts: FileFacts) -> dict[str, str]:
    """The full name behind each imported name, also behind an imported module."""
    modules = {
        one.binding: one.qualified if one.alias else one.binding
        for statement in facts.sanic_imports
        for one in statement.names
    }
    return modules | facts.bindings


def _is_edited(qualified: str) -> bool:
    parts = names.split(qualified)
    if parts is None or parts[1] in _ALIKE:
        return False
    return not parts[1] or parts[1].partition(".")[0] in _EDITED or parts[1] == "exceptions.add_status_code"


def _replaced(files: Files, group: list[str]) -> Found:
    """Middleware that gives another response, where a handler goes on to write to its own."""
    if any(files[one].responds for one in group):
        for path in group:
            for line in sorted(files[path].replaces):
                reason = (
                    "middleware gives another response, and a handler that streams would write to it today"
                )
                yield path, Finding(line, "left", reason, "change the response that it is given", "")


def _cookies(files: Files, group: list[str]) -> Found:
    """Cookies that middleware sets on a response on which other code may have set them."""
    every = [(path, *one) for path in group for one in sorted(files[path].cookies)]
    for path, name, line, is_middleware in every:
        others = [one for one in every if one != (path, name, line, is_middleware)]
        if is_middleware and any(one[1] in ("", name) or not name for one in others):
            reason = "a cookie may be set twice, and today's Sanic sends both"
            yield (
                path,
                Finding(line, "left", reason, "set each cookie once, in a handler or in middleware", ""),
            )


def _statuses(files: Files, group: list[str]) -> Found:
    """Calls of `abort` that raised a class which another file registers for the status."""
    for path in group:
        own = {status for one in group if one != path for status in files[one].own_statuses}
        for status, line in sorted(files[path].aborts, key=str):
            if own and (status is None or {status, None} & own):
                reason = "`abort` raised a class that another file registers with `add_status_code`"
                yield path, Finding(line, "left", reason, "raise the exception", "")
