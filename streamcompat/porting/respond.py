"""Ports `response = await request.respond(...)`, which Sanic has had since 21.x.

The rule: all code after it in the handler becomes a streaming function, indented one step further, which the
handler returns in `stream(...)`. This is done only if no other code of the handler can run after it: it is in
the handler's own block, or in branches of an `if` that nothing follows. A `try` that begins with it moves
into the streaming function as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst

from streamcompat.porting.model import Edit
from streamcompat.porting.roles import REQUEST, VERBS
from streamcompat.porting.scan import Scan

_REMEDY = "move the code that writes into `async def streaming(channel)` and return `stream(streaming)`"
_TAKES = {"status", "headers", "content_type"}


class _Place(NamedTuple):
    """The place of `name = await request.respond(...)`.

    Attributes:
        line: the statement itself.
        rest: the statements that form the streaming function: those after it, or the `try` that begins with
            it and the statements after that.
    """

    call: cst.Call
    name: cst.Name
    line: cst.SimpleStatementLine
    function: cst.FunctionDef
    rest: Sequence[cst.BaseStatement]


def scan_responds(scan: Scan) -> None:
    """Visit every `request.respond(...)`."""
    found = []
    for call in scan.tree.all(cst.Call):
        func = call.func
        if (
            not isinstance(func, cst.Attribute)
            or func.attr.value != "respond"
            or not scan.roles.has(func.value, REQUEST)
        ):
            continue
        unit = scan.facts.units.get(scan.unit_of(call))
        if unit is not None:
            unit.streams = True
        place = _place(scan, call)
        reason = place if isinstance(place, str) else _obstacle(scan, place)
        if reason is not None and unit is not None:
            unit.reads = True
        if reason is not None:
            scan.say(call, "left", reason, _REMEDY)
        elif isinstance(place, _Place):
            found.append(place)
    for place in found:
        _Rewrite(scan, place, [one for one in found if one.function is place.function])


def _place(scan: Scan, call: cst.Call) -> _Place | str:
    """The place of the call, or the reason why the code after it cannot become a function."""
    tree = scan.tree
    waits = tree.parent(call)
    assign = tree.parent(waits) if isinstance(waits, cst.Await) else None
    name: cst.CSTNode | None = None
    if isinstance(assign, cst.Assign):
        name = assign.targets[0].target
    elif isinstance(assign, cst.AnnAssign):
        name = assign.target
    line = tree.parent(assign) if assign is not None else None
    if not isinstance(name, cst.Name) or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return "the result of `respond` is not assigned to a name in a separate statement"
    variable = tree.variable(name)
    if variable is not None:
        scan.responded.add(variable)
    outer: cst.BaseStatement = line
    rest = tree.following(line)
    block, around = tree.parent(line), tree.enclosing(line)
    if isinstance(around, cst.Try) and around.body is block and around.body.body[0] is line and rest:
        if not _is_plain(call):
            return "an argument of `respond` may raise inside a `try`"
        outer, rest = around, [around, *tree.following(around)]
    function = _function(scan, outer, rest)
    if function is None:
        return "`respond` is inside another statement, so the code after it cannot become a function"
    return _Place(call, name, line, function, rest)


def _is_plain(call: cst.Call) -> bool:
    """Whether its arguments are only literals and names."""
    plain = (cst.Name, cst.SimpleString, cst.Integer, cst.Dict)
    return all(isinstance(one.value, plain) for one in call.args)


def _function(
    scan: Scan, statement: cst.CSTNode, rest: Sequence[cst.BaseStatement]
) -> cst.FunctionDef | None:
    """The function around the statement, if none of its code runs after the rest."""
    returns = bool(rest) and _returns(rest[-1])
    while True:
        around = scan.tree.enclosing(statement)
        if isinstance(around, cst.FunctionDef):
            return around
        if not isinstance(around, cst.If) or (scan.tree.following(around) and not returns):
            return None
        statement = around


def _returns(statement: cst.BaseStatement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[-1], cst.Return | cst.Raise
    )


def _obstacle(scan: Scan, place: _Place) -> str | None:
    tree, name = scan.tree, place.name.value
    if any(one.keyword is None or one.keyword.value not in _TAKES for one in place.call.args):
        return "`respond` gets a response that already exists"
    if not place.rest:
        return "nothing is sent after `respond`"
    if not reaches_the_app(scan, place.function):
        return f"`{place.function.name.value}` responds, but its callers do not return its result"
    for one in _inside(scan, place):
        if isinstance(one, cst.Return) and tree.function(one) is place.function:
            value = one.value
            if value is not None and not (isinstance(value, cst.Name) and value.value in (name, "None")):
                return f"another response is returned in line {tree.line(one)}"
    return None


def reaches_the_app(scan: Scan, function: cst.FunctionDef) -> bool:
    """Whether the function's result always reaches the app, also if other functions call it."""
    tree = scan.tree
    owner = tree.class_of(function)
    if owner is None:
        references: list[cst.CSTNode] = list(tree.names_of(function.name))
    else:
        references = [one for one in tree.all(cst.Attribute) if one.attr.value == function.name.value]
        references = [one for one in references if function in tree.functions_of(one)]
    for one in references:
        call = tree.parent(one)
        if isinstance(call, cst.Call) and call.func is one:
            waits = tree.parent(call)
            if not isinstance(waits, cst.Await) or not isinstance(tree.parent(waits), cst.Return):
                return False
    handlers = scan.roles.handlers
    return function in handlers or (owner in handlers and function.name.value in VERBS)


def _inside(scan: Scan, place: _Place) -> list[cst.CSTNode]:
    return [one for statement in place.rest for one in scan.tree.below(statement)]


class _Rewrite:
    """The edits for one place.

    Args:
        beside: all places in the same function, including this one.
    """

    def __init__(self, scan: Scan, place: _Place, beside: Sequence[_Place]) -> None:
        self.scan, self.tree, self.place = scan, scan.tree, place
        self.owner = scan.unit_of(place.call)
        self._moved = [set(_inside(scan, one)) for one in beside]
        self._inside = self._moved[beside.index(place)]
        self._newline, self._step = self.tree.newline, self.tree.module.default_indent
        names = self.tree.names_below(place.function)
        self._channel = "channel" if "channel" not in names else place.name.value
        self._streaming = scan.free("streaming", names)
        self._indent()
        self._head()
        self._names()
        self._end()

    def _head(self) -> None:
        tree, line, first = self.tree, self.place.line, self.place.rest[0]
        inner = tree.parent(line) is not tree.parent(first)
        indent = tree.indent(first if inner else line)
        head = f"async def {self._streaming}({self._channel}):"
        if inner:  # keep the comment on the line
            head += tree.source[tree.end(line) : self.scan.line_end(tree.end(line))].decode().rstrip()
        for declared in self._declarations():
            head += f"{self._newline}{indent}{self._step}{declared}"
        if inner:
            at = tree.line_start(tree.start(first))
            self.scan.facts.edits.append(Edit(at, at, f"{indent}{head}{self._newline}", self.owner, -1))
            start, end = tree.line_start(tree.start(line)), self._next_line(tree.end(line))
            self.scan.edit(start, end, "", self.owner)
        else:
            self.scan.replace(line, head, self.owner)

    def _declarations(self) -> list[str]:
        """The `nonlocal` and `global` declarations for variables that the streaming function shares with the
        handler."""
        tree, name = self.tree, self.place.name.value
        inner, outer = set(), set()
        for one in tree.scope(self.place.line).assignments:
            if one.node in self._inside or tree.parent(one.node) in self._inside:
                inner.add(one.name)
            elif not any(one.node in moved for moved in self._moved):
                outer.add(one.name)
        found = {"nonlocal": inner & outer - {name}, "global": set()}
        used = {one.value for one in self._inside if isinstance(one, cst.Name)}
        for node in tree.below(self.place.function):
            if isinstance(node, cst.Global | cst.Nonlocal) and node not in self._inside:
                word = "global" if isinstance(node, cst.Global) else "nonlocal"
                found[word] |= {one.name.value for one in node.names} & used
        return [f"{word} {', '.join(sorted(names))}" for word, names in found.items() if names]

    def _indent(self) -> None:
        """Indent the lines by one step, except empty lines and those inside a string."""
        tree, scan, rest = self.tree, self.scan, self.place.rest
        end = tree.end(rest[-1])
        line = tree.line_start(tree.start(self.place.line))
        at = min(self._next_line(tree.end(self.place.line)), tree.line_start(tree.start(rest[0])))
        before = min(tree.end(self.place.line), at)
        strings = [
            (tree.start(one), tree.end(one))
            for one in self._inside
            if isinstance(one, cst.SimpleString | cst.FormattedString)
            and "\n" in tree.code(one).replace("\r", "\n")
        ]
        scan.facts.edits[:] = [
            edit._replace(text=edit.text.replace(self._newline, self._newline + self._step))
            if before < edit.start <= scan.line_end(end)
            else edit
            for edit in scan.facts.edits
        ]
        while at < end:
            text = tree.source[at : scan.line_end(at)]
            if text.strip() and at != line and not any(first < at <= last for first, last in strings):
                scan.insert(at, self._step, self.owner)
            at = self._next_line(at)

    def _next_line(self, at: int) -> int:
        return self.scan.line_end(at) + len(self._newline)

    def _names(self) -> None:
        """Rename the response to the channel, and no longer return it."""
        tree, name = self.tree, self.place.name
        for used in tree.names_of(name) if self._channel != name.value else ():
            if used in self._inside and not isinstance(tree.parent(used), cst.Return):
                self.scan.replace(used, self._channel, self.owner)
        for one in self._inside:
            if isinstance(one, cst.Return) and tree.function(one) is self.place.function:
                self._plain_return(one)

    def _plain_return(self, node: cst.Return) -> None:
        """Turn `return response` into `return`; remove it at the end of the function."""
        tree, rest = self.tree, self.place.rest
        line = tree.parent(node)
        if (
            line is rest[-1]
            and len(rest) > 1
            and isinstance(line, cst.SimpleStatementLine)
            and len(line.body) == 1
        ):
            # Including the indentation and the line break before it.
            start = tree.line_start(tree.start(line)) - len(self._newline)
            self.scan.edit(start, tree.end(line), "", self.owner)
        elif node.value is not None:
            self.scan.edit(tree.start(node) + len("return"), tree.end(node), "", self.owner)

    def _end(self) -> None:
        tree, call, rest = self.tree, self.place.call, self.place.rest
        given = [tree.code(one) for one in call.args]
        if not any(one.keyword is not None and one.keyword.value == "content_type" for one in call.args):
            given.append("content_type=None")  # the default of `respond`
        arguments = "".join(f", {one}" for one in given)
        stream = self.scan.helper("stream", self.owner)
        text = f"return {stream}({self._streaming}{arguments})"
        at = self.scan.line_end(tree.end(rest[-1]))
        self.scan.insert(at, f"{self._newline * 2}{tree.indent(rest[0])}{text}", self.owner)
