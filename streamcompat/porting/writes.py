"""Ports writes to a streamed response: `response.write(x)` becomes `await channel.send(bytes)`.

The rule: a write is ported only if it can be awaited where it is. If it cannot, because other code calls it
or because it is in a lambda, the whole handler stays unchanged.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cached_property

import libcst as cst

from streamcompat.porting.families import Families
from streamcompat.porting.names import is_extension
from streamcompat.porting.roles import RESPONSE
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import Tree, argument, parameters

_WRITES = {"write", "send"}
_WAITING = {
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.gather",
    "asyncio.shield",
    "asyncio.wait_for",
}
_HEAD = {"headers", "status", "cookies", "content_type"}
_FEED = "keep it, or let it write into an `io` buffer whose content you send with `await channel.send(...)`"
_KEPT = (
    "the response is stored where it cannot be traced, and other code writes to it",
    "store an `asyncio.Queue` for each client instead, and send its items in the handler",
)
_AWAITABLE = (
    cst.Name,
    cst.Attribute,
    cst.Call,
    cst.Subscript,
    cst.SimpleString,
    cst.FormattedString,
)


class Writes:
    """Visits every use of a streamed response.

    Attributes:
        feed: what to do by hand where other code writes.
    """

    feed = _FEED

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.tree: Tree = scan.tree
        self._async: dict[cst.FunctionDef, str | None] = {}
        self._awaited: set[cst.Call] = set()
        self._families = Families(scan)
        self._attributes: dict[str, list[cst.Attribute]] = {}
        for node in self.tree.all(cst.Attribute):
            self._attributes.setdefault(node.attr.value, []).append(node)
        for node in list(self.tree.all(cst.Name, cst.Attribute)):
            if scan.is_load(node) and scan.roles.has(node, RESPONSE):
                self._use(node)
        for function in scan.roles.streaming:
            if isinstance(function, cst.FunctionDef):
                self._rename(function)
        for call in scan.roles.blind:
            scan.say(
                call,
                "unknown",
                "the function that writes the response cannot be found",
                "pass a function of this file to `stream()`, or port the function by hand",
            )

    def _use(self, node: cst.CSTNode) -> None:
        scan, tree = self.scan, self.tree
        owner = scan.unit_of(node)
        if owner in scan.facts.units:
            scan.facts.units[owner].streams = True
        above = tree.parent(node)
        if isinstance(above, cst.Attribute):
            call = tree.parent(above)
            name = above.attr.value
            if name in _WRITES and isinstance(call, cst.Call) and call.func is above:
                self._write(above, call, owner)
            elif name in _WRITES:
                scan.say(
                    above,
                    "left",
                    f"`{tree.code(above)}` is passed as a function, and its caller does not await it",
                    self.feed,
                )
            elif name == "eof" and isinstance(call, cst.Call):
                self._end(call, owner)
            elif name in _HEAD:
                scan.say(
                    above,
                    "left",
                    f"`{tree.code(above)}` belongs to the response, but a channel has only `send`",
                    "pass status and headers to `stream(...)`",
                )
            else:
                scan.say(
                    above,
                    "left",
                    f"a channel has no `{name}`",
                    "send the bytes with `await channel.send(...)`",
                )
            return
        if isinstance(above, cst.Arg):
            call = tree.parent(above)
            if isinstance(call, cst.Call) and not scan.handed_on(call):
                self._handed(node, call)
            return
        if isinstance(above, cst.Assign | cst.AnnAssign | cst.NamedExpr):
            target = above.targets[0].target if isinstance(above, cst.Assign) else above.target
            if tree.variable(target) is not None and not tree.goes_on(above):
                return
        if isinstance(above, cst.Comparison | cst.If | cst.Expr | cst.Assert):
            return
        if isinstance(above, cst.Return) and tree.variable(node) in scan.responded:
            return
        scan.say(node, "left", *_KEPT)

    def _handed(self, node: cst.CSTNode, call: cst.Call) -> None:
        name = self.tree.code(call.func)
        symbol = self.tree.qualified(call.func) or ""
        if self.tree.builtin(call.func) in ("isinstance", "id", "hash", "repr", "str", "type"):
            return
        if name.rpartition(".")[2] in ("add", "append", "put", "put_nowait", "insert", "setdefault"):
            self.scan.say(call, "left", *_KEPT)
            return
        if is_extension(symbol):
            reason = f"the response is passed to `{name}`, an extension of Sanic"
        else:
            reason = f"the response is passed to `{name}`, which calls its `write` without awaiting it"
        self.scan.say(call, "left", reason, self.feed)

    # ---- one write ----

    def _write(self, func: cst.Attribute, call: cst.Call, owner: str) -> None:
        scan, tree = self.scan, self.tree
        hidden = scan.hidden(call)
        if hidden is not None:
            scan.say(
                call,
                "left",
                f"a `write` in {hidden} cannot be awaited",
                "write a loop that awaits each `send`",
            )
            return
        function = tree.function(call)
        assert isinstance(function, cst.FunctionDef)
        reason = self.make_async(function)
        if reason is not None:
            scan.say(
                call,
                "left",
                f"`{function.name.value}` writes, but cannot become async: {reason}",
                "let it return or queue the data, and send the data in the streaming function",
            )
            return
        data = argument(call, 0, "data") or argument(call, 0, "body")
        ends = argument(call, 1, "end_stream")
        known = {data, ends}
        if data is None and not call.args and func.attr.value == "send":
            self._end(call, owner)
            return
        if data is None or any(one not in known for one in call.args):
            scan.say(
                call, "left", "the arguments of the `write` cannot be determined", "send the bytes by hand"
            )
            return
        if ends is not None and not self._ends(call, ends, owner):
            return
        if not self._await(call, owner):
            return
        scan.replace(func.attr, "send", owner)
        if data.keyword is not None:
            scan.edit(tree.start(data), tree.start(data.value), "", owner)
        self.encode(data.value, owner)

    def _await(self, call: cst.Call, owner: str) -> bool:
        tree = self.tree
        node: cst.CSTNode = call
        above = tree.parent(call)
        is_tested = False
        while isinstance(above, cst.IfExp | cst.BooleanOperation):
            is_tested |= node is (above.test if isinstance(above, cst.IfExp) else above.left)
            node, above = above, tree.parent(above)
        if isinstance(above, cst.Await):
            return True
        if isinstance(above, cst.Arg):
            around = tree.parent(above)
            if isinstance(around, cst.Call) and tree.qualified(around.func) in _WAITING:
                return True
        elif not is_tested and (
            isinstance(above, cst.Expr)
            or (isinstance(above, cst.Return) and not self._is_looked_at(tree.function(call)))
            or (isinstance(above, cst.Assign | cst.NamedExpr) and not self._is_used(above))
        ):
            self.scan.insert(tree.start(call), "await ", owner)
            return True
        self.scan.say(
            call, "left", "the result of the `write` is used", "await each `send` in a statement of its own"
        )
        return False

    def _is_used(self, node: cst.Assign | cst.NamedExpr) -> bool:
        """Whether the assigned value is looked at: an awaitable is true, and what comes of it is None."""
        for target in [one.target for one in node.targets] if isinstance(node, cst.Assign) else [node.target]:
            if not isinstance(target, cst.Name) or any(
                one is not target for one in self.tree.names_of(target)
            ):
                return True
        return isinstance(node, cst.NamedExpr) and not isinstance(self.tree.parent(node), cst.Expr)

    def _is_looked_at(self, function: cst.CSTNode | None, seen: frozenset[cst.CSTNode] = frozenset()) -> bool:
        """Whether a caller looks at what a function gives back, and does not only await it."""
        if not isinstance(function, cst.FunctionDef) or function in self.scan.roles.streaming:
            return False
        for node in self._references(function):
            call = self.tree.parent(node)
            above = self.tree.parent(call) if isinstance(call, cst.Call) and call.func is node else None
            if isinstance(above, cst.Return):
                around = self.tree.function(above)
                if around not in seen and self._is_looked_at(around, seen | {function}):
                    return True
            elif not isinstance(above, cst.Expr | cst.Await):
                return True
        return False

    def encode(self, value: cst.BaseExpression, owner: str) -> None:
        """Convert the written value to bytes, depending on its kind."""
        scan, tree = self.scan, self.tree
        kind = scan.kinds.of(value)
        if kind == "bytes":
            return
        if kind == "str":
            if isinstance(value, cst.SimpleString) and _is_ascii(value):
                scan.insert(tree.start(value), "b", owner)
                return
            if isinstance(value, _AWAITABLE) or value.lpar:
                after = tree.end(value)
                if value.lpar and not isinstance(value, _AWAITABLE):
                    # The node's span does not include its parentheses.
                    after = tree.source.index(b")", after) + 1
                scan.wrap(after, after, "", ".encode()", owner, 3)
            else:
                scan.wrap(tree.start(value), tree.end(value), "(", ").encode()", owner, 3)
            return
        # A tuple's span does not include its parentheses; without them, it would be several arguments.
        opening, closing = ("(", ")") if isinstance(value, cst.Tuple) else ("", "")
        if kind == "other" and not self._shadows_str():
            opening, closing = f"str({opening}", f"{closing}).encode()"
        else:
            opening, closing = f"{scan.helper('encoded', owner)}({opening}", f"{closing})"
        scan.wrap(tree.start(value), tree.end(value), opening, closing, owner, 3)

    def _shadows_str(self) -> bool:
        return any(
            one.value == "str"
            and self.tree.builtin(one) is None
            and not isinstance(self.tree.parent(one), cst.Attribute)
            for one in self.tree.all(cst.Name)
        )

    # ---- the end of a response in the API of 21.x ----

    def _is_last(self, call: cst.Call) -> bool:
        """Whether no code of the function runs after the call, except a `return`."""
        tree = self.tree
        around: cst.CSTNode | None = tree.statement(call)
        while around is not None and not isinstance(around, cst.FunctionDef):
            rest = tree.following(around)
            if rest:
                return isinstance(rest[0], cst.SimpleStatementLine) and isinstance(
                    rest[0].body[0], cst.Return
                )
            around = tree.enclosing(around)
            if isinstance(around, cst.For | cst.While):
                return False
        return around is not None

    def _ends(self, call: cst.Call, ends: cst.Arg, owner: str) -> bool:
        value = self.tree.code(ends.value)
        if value not in ("True", "False", "None") or (value == "True" and not self._is_last(call)):
            self.scan.say(
                call,
                "left",
                "the `send` ends the response, but more code follows",
                "return from the streaming function there",
            )
            return False
        before = call.args[call.args.index(ends) - 1]
        self.scan.edit(self.tree.end(before), self.tree.end(ends), "", owner)
        return True

    def _end(self, call: cst.Call, owner: str) -> None:
        """Remove `eof()`: a streaming function ends the response by returning."""
        scan, tree = self.scan, self.tree
        line = tree.statement(call)
        if not self._is_last(call) or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
            scan.say(
                call,
                "left",
                "the response is ended, but more code follows",
                "return from the streaming function there",
            )
            return
        block = tree.parent(line)
        assert isinstance(block, cst.IndentedBlock)
        if len(block.body) == 1:
            scan.replace(line, "pass", owner)
            return
        # Remove it with the line break before it, so that the following lines stay unchanged.
        start = tree.line_start(tree.start(line)) - len(tree.newline)
        scan.edit(start, scan.line_end(tree.end(line)), "", owner)

    # ---- functions that become async ----

    def make_async(self, function: cst.FunctionDef) -> str | None:
        """Make a function async and let its callers await it; or return the reason why that is impossible."""
        if self.scan.is_generator(function):
            return "it is a generator"
        if function.asynchronous is not None:
            return None
        if function in self._async:
            return self._async[function]
        self._async[function] = None  # ends the recursion for functions that call each other
        reason = self._obstacle(function)
        self._async[function] = reason
        if reason is None:
            self.scan.insert(self.tree.start(function), "async ", self.scan.unit_of(function))
        return reason

    def _obstacle(self, function: cst.FunctionDef) -> str | None:
        scan, tree, name = self.scan, self.tree, function.name.value
        if function in scan.roles.handlers:
            return None
        if function in scan.roles.from_outside:
            return "other files call it"
        if name.startswith("__"):
            return "Python itself calls it"
        if any(
            tree.code(one.decorator) not in ("staticmethod", "classmethod") for one in function.decorators
        ):
            return "it is decorated"
        if function in scan.roles.streaming:
            return None  # the caller awaits its result if that is awaitable
        owner = tree.class_of(function)
        foreign = self._families.foreign_base(owner) if owner is not None else None
        if foreign is not None:
            return f"`{foreign}` may call it"
        references = self._references(function)
        calls: list[cst.Call] = []
        for node in references:
            if isinstance(node, cst.Attribute) and function not in tree.functions_of(node):
                return f"`{tree.code(node)}` in line {tree.line(node)} may refer to it"
            call = tree.parent(node)
            if not isinstance(call, cst.Call) or call.func is not node:
                return f"it is passed as a function in line {tree.line(node)}"
            hidden = scan.hidden(call)
            if hidden is not None:
                return f"it is called in {hidden} in line {tree.line(node)}"
            around = tree.function(call)
            assert isinstance(around, cst.FunctionDef)
            if around is not function and (reason := self.make_async(around)) is not None:
                return f"its caller `{around.name.value}` cannot become async: {reason}"
            calls.append(call)
        bound = self._bound_again(function)
        if bound is not None:
            return f"`{name}` is bound to something else in line {tree.line(bound)}"
        for other in self._siblings(function):
            if (reason := self.make_async(other)) is not None:
                return f"a call may reach the `{name}` in line {tree.line(other)}, too, and {reason}"
            scan.link(other, function)
        for call in calls:
            self._await_call(call)
            scan.link(call, function)
        return None

    def _siblings(self, function: cst.FunctionDef) -> list[cst.FunctionDef]:
        """The other functions of its name that the same call may reach: that of an `else`, an override."""
        owner = self.tree.class_of(function)
        if owner is None:
            found = self.tree.functions_of(function.name)
        else:
            found = [
                one
                for each in self._families.of(owner)
                for one in self.tree.methods(each, function.name.value)
            ]
        return [one for one in found if isinstance(one, cst.FunctionDef) and one is not function]

    def _bound_again(self, function: cst.FunctionDef) -> cst.CSTNode | None:
        """Where a class or an object gets something else under the name of a method."""
        owner, name = self.tree.class_of(function), function.name.value
        if owner is None:
            return None
        family = self._families.of(owner)
        for target, _ in self.scan.roles.assigned:
            if isinstance(target, cst.Attribute) and target.attr.value == name:
                return target
            around = self.tree.chain(target)
            if isinstance(target, cst.Name) and target.value == name and around and around[-1] in family:
                return target
        return None

    def _references(self, function: cst.FunctionDef) -> list[cst.CSTNode]:
        tree, name = self.tree, function.name.value
        if tree.class_of(function) is not None:
            return [
                one
                for one in self._attributes.get(name, [])
                if function in tree.functions_of(one)
                or (tree.owner_of(one) is None and tree.qualified(one) is None)
            ]
        return [one for one in tree.names_of(function.name) if self.scan.is_load(one)]

    def _await_call(self, call: cst.Call) -> None:
        tree, owner = self.tree, self.scan.unit_of(call)
        above = tree.parent(call)
        if isinstance(above, cst.Await) or call in self._awaited:
            return
        self._awaited.add(call)
        weak = isinstance(above, cst.Attribute | cst.Subscript | cst.Call) and not call.lpar
        before, after = ("(await ", ")") if weak else ("await ", "")
        self.scan.wrap(tree.start(call), tree.end(call), before, after, owner, 2)

    # ---- the parameter ----

    def _rename(self, function: cst.FunctionDef) -> None:
        """Rename the response's parameter to `channel`, unless the function uses that name already."""
        scan, tree = self.scan, self.tree
        params = parameters(function)
        position = scan.roles.streaming[function]
        if position >= len(params):
            return
        parameter = params[position]
        owner = scan.unit_of(function)
        if parameter.annotation is not None:
            annotation = parameter.annotation.annotation
            if (scan.roles.home(annotation) or "").startswith("response."):
                scan.replace(annotation, scan.helper("ReplyChannel", owner), owner)
                scan.consumed.update(tree.below(annotation))
        old = parameter.name.value
        names = tree.names_below(function)
        if old == "channel" or "channel" in names or self._by_keyword(function, old):
            return
        scan.rename(parameter, "channel", owner)

    def _by_keyword(self, function: cst.FunctionDef, name: str) -> bool:
        """Whether a call passes this parameter to the function by name."""
        return any(
            function in self.tree.functions_of(call.func) for call in self._calls_with_keyword.get(name, ())
        )

    @cached_property
    def _calls_with_keyword(self) -> dict[str, list[cst.Call]]:
        found: dict[str, list[cst.Call]] = defaultdict(list)
        for call in self.tree.all(cst.Call):
            for one in call.args:
                if one.keyword is not None:
                    found[one.keyword.value].append(call)
        return found


def _is_ascii(node: cst.SimpleString) -> bool:
    """Whether the literal with a `b` prefix has the same bytes as the encoded literal."""
    try:
        return bool(ast.literal_eval("b" + node.value) == ast.literal_eval(node.value).encode())
    except (SyntaxError, ValueError):
        return False
