"""Ports reads of a request's body: `request.stream.get()` becomes `async for`, or `read()`.

The rule: the plain loop becomes `async for`, which ends with the body on every server. Behind an ASGI server
Sanic's `read()` waits for ever after the last chunk, so each `read()` that is made gets a note.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.reads import body_reading, plain_loop
from streamcompat.porting.roles import STREAM
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import next_line

_TRACE = "read it where the handler is, with `async for chunk in request.stream`"
_QUEUE = "the body is no queue: read it with `async for chunk in request.stream`"


def scan_bodies(scan: Scan) -> None:
    """Visit every use of a request's stream."""
    tree = scan.tree
    for waits in tree.all(cst.Await):
        if body_reading(scan, waits.expression) is not None and plain_loop(scan, waits) is not None:
            scan.chunks.add(waits)
    for loop in tree.all(cst.For):
        if loop.asynchronous is not None and scan.roles.has(loop.iter, STREAM):
            scan.chunks.add(loop)
    for node in tree.all(cst.Name, cst.Attribute):
        if scan.is_load(node) and scan.roles.has(node, STREAM):
            _use(scan, node)
    for node in tree.all(cst.Attribute):
        value = node.value
        is_read = node.attr.value in ("get", "read") and isinstance(value, cst.Attribute)
        if is_read and value.attr.value == "stream" and not scan.roles.has(value, STREAM):
            scan.say(
                node,
                "unknown",
                f"`{tree.code(node)}` may read a request's body, but the request cannot be traced",
                _TRACE,
            )


def _use(scan: Scan, node: cst.CSTNode) -> None:
    tree = scan.tree
    above = tree.parent(node)
    if isinstance(above, cst.Attribute):
        call = tree.parent(above)
        if not isinstance(call, cst.Call) or call.func is not above or call.args:
            scan.say(above, "left", f"`{tree.code(above)}` is not a plain read", _QUEUE)
        elif above.attr.value == "get":
            _read(scan, above, call)
        elif above.attr.value != "read":
            scan.say(above, "left", f"today's Sanic has no `{tree.code(above)}`", _QUEUE)
        return
    if isinstance(above, cst.For | cst.CompFor) and above.asynchronous is not None:
        return
    if isinstance(above, cst.Arg):
        call = tree.parent(above)
        if isinstance(call, cst.Call) and scan.handed_on(call):
            return
    if isinstance(above, cst.Assign | cst.AnnAssign | cst.NamedExpr):
        target = above.targets[0].target if isinstance(above, cst.Assign) else above.target
        if tree.variable(target) is not None and not tree.goes_on(above):
            return
    if isinstance(above, cst.If | cst.While | cst.Comparison | cst.BooleanOperation | cst.UnaryOperation):
        reason = "every request has a `stream` in today's Sanic, so that a test for it is always true"
        scan.say(node, "left", reason, "take the test out: the handler knows whether its route streams")
        return
    scan.say(node, "unknown", "the request's stream goes where it cannot be traced", _TRACE)


def _read(scan: Scan, func: cst.Attribute, call: cst.Call) -> None:
    tree = scan.tree
    waits = next((one for one in tree.above(call) if isinstance(one, cst.Await)), None)
    if waits is None or body_reading(scan, waits.expression) is not func:
        scan.say(call, "left", "the body is read without an immediate `await`", _TRACE)
        return
    ending = plain_loop(scan, waits)
    if ending is not None and waits.expression is call and _as_async_for(scan, waits, ending, func):
        return
    owner = scan.unit_of(call)
    scan.replace(func.attr, "read", owner)
    scan.say(
        call,
        "note",
        "behind an ASGI server, Sanic's `read()` waits for ever after the last chunk",
        "write the loop as `async for chunk in request.stream`",
    )


def _as_async_for(scan: Scan, waits: cst.Await, ending: cst.If, func: cst.Attribute) -> bool:
    """Turn `while True:`, `body = await s.get()`, `if body is None: break` into `async for body in s:`."""
    tree = scan.tree
    assign = tree.parent(waits)
    line = tree.statement(waits)
    loop = tree.enclosing(line) if line is not None else None
    if not isinstance(assign, cst.Assign) or line is None or not isinstance(loop, cst.While):
        return False
    block, body = loop.body, ending.body
    if not isinstance(block, cst.IndentedBlock) or not isinstance(body, cst.IndentedBlock):
        return False
    if block.body[0] is not line or len(block.body) < 3 or loop.orelse is not None:
        return False
    last = body.body[0]
    if len(body.body) != 1 or not isinstance(last, cst.SimpleStatementLine) or len(last.body) != 1:
        return False
    if not isinstance(last.body[0], cst.Break):
        return False
    start = tree.line_start(tree.start(line))
    end = next_line(scan, tree.end(last))
    if b"#" in tree.source[start:end]:
        return False
    owner = scan.unit_of(loop)
    name = tree.code(assign.targets[0].target)
    scan.edit(tree.start(loop), tree.end(loop.test), f"async for {name} in {tree.code(func.value)}", owner)
    scan.edit(start, end, "", owner)
    return True
