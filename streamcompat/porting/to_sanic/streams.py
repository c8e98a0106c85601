"""Ports streamed responses: `return stream(fn)` becomes `await request.respond()`, a call of `fn`, `eof()`.

The rule: the function that writes stays a function, so that its `return`, its loops and its names mean what
they meant. A handler gives back nothing then, so it is ported only where nothing looks at its result.
"""

from __future__ import annotations

import io
import tokenize
from typing import Any

import libcst as cst

from streamcompat.porting.model import FILE
from streamcompat.porting.respond import reaches_the_app
from streamcompat.porting.roles import REQUEST, STREAMERS, VERBS
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.defined import SENDABLE, defined
from streamcompat.porting.to_sanic.edits import by_name, is_statement, moved
from streamcompat.porting.tree import bound_offset, parameters
from streamcompat.porting.writes import Writes

_BY_HAND = (
    "write `response = await request.respond(...)` in the handler, send with `await response.send(...)`"
)
_TAKES = ("streaming_fn", "status", "headers", "content_type")
_ENDS = ("send", "eof")
_HEAD = {"headers", "status", "cookies", "content_type"}
_LONG = 100


class Sends(Writes):
    """`response.write(x)` becomes `await response.send(x)`."""

    feed = "let it write into an `io` buffer whose content you send with `await response.send(...)`"

    def _use(self, node: cst.CSTNode) -> None:
        above = self.tree.parent(node)
        if isinstance(above, cst.Attribute) and above.attr.value in _ENDS:
            return
        if isinstance(above, cst.Attribute) and above.attr.value in _HEAD:
            if self.tree.variable(node) in self.scan.responded:
                return
            reason = (
                f"`{self.tree.code(above)}` is used by the function that writes, after the response was made"
            )
            self.scan.say(above, "left", reason, "pass status and headers to `stream(...)`")
            return
        if isinstance(above, cst.Attribute) and above.attr.value != "write":
            reason = f"it cannot be told what `{self.tree.code(above)}` does today"
            self.scan.say(above, "left", reason, "send with `await response.send(...)`")
            return
        super()._use(node)

    def encode(self, value: cst.BaseExpression, owner: str) -> None:
        """Convert what is neither text nor bytes as `write` did."""
        kind = self.scan.kinds.of(value)
        if kind in ("str", "bytes"):
            return
        name = "str" if kind == "other" else defined(self.scan, SENDABLE)
        opening, closing = ("((", "))") if isinstance(value, cst.Tuple) else ("(", ")")
        self.scan.wrap(self.tree.start(value), self.tree.end(value), f"{name}{opening}", closing, owner, 3)

    def _rename(self, function: cst.FunctionDef) -> None:
        """The parameter keeps its name: what arrives is still a response."""
        for one in parameters(function):
            annotation = one.annotation.annotation if one.annotation is not None else None
            if annotation is not None and self.scan.roles.home(annotation) in STREAMERS:
                home = "sanic.response.HTTPResponse"
                self.scan.facts.helpers.add((home, FILE))
                self.scan.replace(annotation, "HTTPResponse", FILE)
                self.scan.consumed.update(self.tree.below(annotation))


def scan_streams(scan: Scan) -> None:
    """Visit every call that makes a streamed response. Runs last: it moves text that others edit."""
    for call in scan.tree.all(cst.Call):
        if scan.roles.home(call.func) in STREAMERS:
            reason = _port(scan, call)
            if reason is not None:
                scan.say(call, "left", reason, _BY_HAND)
            scan.consumed.update(scan.tree.below(call.func))


def _port(scan: Scan, call: cst.Call) -> str | None:
    """Rewrite the `return` of the call, or give the reason why not."""
    tree = scan.tree
    given = by_name(scan, call, _TAKES)
    if given is None or not given.keys() <= set(_TAKES) or "streaming_fn" not in given:
        return f"the arguments of `{tree.code(call.func)}` cannot be determined"
    back = tree.parent(call)
    if not isinstance(back, cst.Return) or not is_statement(scan, back):
        return "the streamed response is not returned in the statement that makes it"
    function = tree.function(call)
    if not isinstance(function, cst.FunctionDef):
        return "the streamed response is made by a lambda"
    request = _request(scan, function)
    if request is None:
        return f"`{function.name.value}` makes a streamed response, but is not known to be a handler"
    for above in tree.above(back):
        if above is function:
            break
        if isinstance(above, cst.Try | cst.With | cst.ExceptHandler | cst.Finally):
            return "it would be written inside of a `try` or `with`, and was written after it"
    reason = _callers(scan, function)
    if reason is None:
        _respond(scan, call, back, function, request, given)
    return reason


def _request(scan: Scan, function: cst.FunctionDef) -> str | None:
    """The name of a handler's request; None if the function is no handler, or binds the name again."""
    handlers, owner = scan.roles.handlers, scan.tree.class_of(function)
    if function not in handlers and not (owner in handlers and function.name.value in VERBS):
        return None
    params = parameters(function)[bound_offset(scan.tree, function) :]
    given = [one.name for one in params if scan.roles.has(one.name, REQUEST)]
    if len(given) != 1 or len(scan.tree.assignments(given[0])) != 1:
        return None
    return given[0].value


def _callers(scan: Scan, function: cst.FunctionDef) -> str | None:
    """Why something else than the app may look at the handler's result."""
    tree = scan.tree
    if not reaches_the_app(scan, function):
        return f"the response of `{function.name.value}` is used by other code"
    owner = tree.class_of(function)
    decorators = [one.decorator for one in function.decorators]
    if owner is not None:
        decorators += [one.decorator for one in owner.decorators]
        for one in owner.body.body:
            if isinstance(one, cst.FunctionDef) and one.name.value == "dispatch_request":
                return "the view has a `dispatch_request` of its own"
            assign = one.body[0] if isinstance(one, cst.SimpleStatementLine) else None
            if isinstance(assign, cst.Assign) and tree.code(assign.targets[0].target) == "decorators":
                if not isinstance(assign.value, cst.List | cst.Tuple):
                    return "the view's decorators cannot be told"
                decorators += [each.value for each in assign.value.elements]
    own = [one for one in decorators if not _registers(scan, one)]
    if own and function.asynchronous is None:
        return f"`{function.name.value}` has to become async, and a decorator calls it"
    return next((reason for one in own if (reason := _looks_at_the_result(scan, one))), None)


def _registers(scan: Scan, node: cst.BaseExpression) -> bool:
    func = node.func if isinstance(node, cst.Call) else node
    if scan.roles.home(func) == "views.stream":
        return True
    return isinstance(func, cst.Attribute) and bool(scan.roles.objects(func.value))


def _looks_at_the_result(scan: Scan, node: cst.BaseExpression) -> str | None:
    """Why a decorator may use what the handler gives back."""
    tree = scan.tree
    func = node.func if isinstance(node, cst.Call) else node
    makers = [one for one in tree.functions_of(func) if isinstance(one, cst.FunctionDef)]
    if not makers:
        return f"it cannot be seen what `@{tree.code(func)}` does with the response"
    for maker in makers:
        names: set[Any] = set()
        for one in tree.below(maker):
            if isinstance(one, cst.FunctionDef):
                names |= {tree.variable(each) for each in parameters(one)}
        for one in tree.below(maker):
            if isinstance(one, cst.Call) and tree.variable(one.func) in names and not _is_returned(scan, one):
                return f"`@{tree.code(func)}` uses the response of the handler"
    return None


def _is_returned(scan: Scan, call: cst.Call) -> bool:
    above = scan.tree.parent(call)
    if isinstance(above, cst.Await):
        above = scan.tree.parent(above)
    if isinstance(above, cst.Assign) and isinstance(above.targets[0].target, cst.Name):
        name = above.targets[0].target
        used = [one for one in scan.tree.names_of(name) if one is not name]
        return all(isinstance(scan.tree.parent(one), cst.Return) for one in used)
    return isinstance(above, cst.Return | cst.Expr)


def _respond(
    scan: Scan,
    call: cst.Call,
    back: cst.Return,
    function: cst.FunctionDef,
    request: str,
    given: dict[str, cst.Arg],
) -> None:
    tree = scan.tree
    line = tree.parent(back)
    assert line is not None
    owner = scan.unit_of(call)
    writer = given["streaming_fn"].value
    texts = {name: moved(scan, one.value) for name, one in given.items()}
    default = "text/plain; charset=utf-8" if scan.roles.home(call.func) == "response.stream" else "text/plain"
    texts.setdefault("content_type", f"{scan.quote}{default}{scan.quote}")
    arguments = ", ".join(f"{name}={texts[name]}" for name in _TAKES[1:] if name in texts)
    response = _name(scan, function, "response", "streamed")
    lines = _comments(tree.code(back))
    called = texts["streaming_fn"]
    if not isinstance(writer, cst.Name | cst.Attribute):
        called = _name(scan, function, "streaming", "writer")
        lines.append(f"{called} = {texts['streaming_fn']}")
    made = f"{response} = await {request}.respond({arguments})"
    if len(made) + len(tree.indent(line)) > _LONG:
        step = f"{tree.newline}{tree.indent(line)}"
        made = f"{response} = await {request}.respond({step}{tree.module.default_indent}{arguments}{step})"
    lines += [
        made,
        f"await {called}({response})",
        f"await {response}.eof()",
    ]
    is_last = function.body.body[-1] is line
    if not is_last:
        lines.append("return")
    scan.facts.responds = True
    scan.replace(back, f"{tree.newline}{tree.indent(line)}".join(lines), owner)
    become_async(scan, function)


def _comments(code: str) -> list[str]:
    """The comments inside of a statement, which go above what replaces it."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return [one.string for one in tokens if one.type == tokenize.COMMENT]


def become_async(scan: Scan, function: cst.FunctionDef) -> None:
    """Make a function async, once."""
    at = scan.tree.start(function)
    if function.asynchronous is None and not any(
        one.start == at and one.text == "async " for one in scan.facts.edits
    ):
        scan.insert(at, "async ", scan.unit_of(function))


def _name(scan: Scan, function: cst.FunctionDef, wanted: str, other: str) -> str:
    """The name, or another one, that the function's own scope does not use."""
    tree = scan.tree
    within = {id(one) for one in tree.below(function) if isinstance(one, cst.FunctionDef | cst.Lambda)}
    for one in tree.below(function):
        if not isinstance(one, cst.Name) or one.value != wanted:
            continue
        scopes = {id(getattr(each.scope, "node", None)) for each in tree.assignments(one)}
        if tree.names_of(one) and not (scopes and scopes <= within - {id(function)}):
            return scan.free(other)
    return wanted
