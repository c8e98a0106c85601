"""Ports reads of a request's body: `get()`, which returns `None` at the end, becomes `receive()`, which
returns messages.

The rule: a disconnect still raises an exception, as in Sanic's API, so that no handler takes a truncated body
for a complete one. The plain loop becomes Mach9's usual loop; any other read is wrapped in
`streamcompat.ported.content`.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.roles import STREAM
from streamcompat.porting.scan import Scan

_READS = {"get", "read"}
_WAITING = {"asyncio.wait_for", "asyncio.shield"}
_LOOP = "write the read as `while True: message = await request.stream.receive()`"
_QUEUE = {
    "qsize": "count the bytes as they are read",
    "empty": "read until `more_content` is False",
    "full": "remove it: the engine makes the client wait",
    "is_full": "remove it: the engine makes the client wait",
    "task_done": "remove it: a chunk is done when it is read",
    "join": "remove it: nothing waits for `task_done`",
    "get_nowait": "await `request.stream.receive()`",
    "put": "use a list of your own for data that the client did not send",
    "put_nowait": "use a list of your own for data that the client did not send",
}


def scan_reads(scan: Scan) -> None:
    """Visit every use of a request's stream."""
    tree = scan.tree
    awaited = [node for node in tree.all(cst.Await) if body_reading(scan, node.expression) is not None]
    canonical = {node: loop for node in awaited if (loop := plain_loop(scan, node)) is not None}
    for node in awaited:
        if node in canonical or _in_ending_test(scan, node):
            scan.chunks.add(node)
    for node in tree.all(cst.For):
        if node.asynchronous is not None and scan.roles.has(node.iter, STREAM):
            scan.chunks.add(node)
    for node in tree.all(cst.Name, cst.Attribute):
        if scan.is_load(node) and scan.roles.has(node, STREAM):
            owner = scan.unit_of(node)
            _use(scan, node, owner, canonical)
    for node in tree.all(cst.Await):
        if _looks_like_a_read(scan, node):
            owner = scan.unit_of(node)
            if owner in scan.facts.units:
                scan.facts.units[owner].streams = scan.facts.units[owner].reads = True
            code = tree.code(node.expression)
            scan.say(
                node,
                "unknown",
                f"`{code}` may read a request's body, but the request cannot be traced",
                _LOOP,
            )


def _looks_like_a_read(scan: Scan, node: cst.Await) -> bool:
    """Whether the node is `await x.stream.get()` for an unknown `x`."""
    call = node.expression
    if not isinstance(call, cst.Call) or call.args or not isinstance(call.func, cst.Attribute):
        return False
    value = call.func.value
    if call.func.attr.value not in _READS or not isinstance(value, cst.Attribute):
        return False
    if value.attr.value != "stream" or scan.roles.has(value, STREAM) or not scan.is_sanics:
        return False
    return not scan.roles.is_assigned(value)


def _use(scan: Scan, node: cst.CSTNode, owner: str, canonical: dict[cst.Await, cst.If]) -> None:
    tree = scan.tree
    above = tree.parent(node)
    unit = scan.facts.units.get(owner)
    if isinstance(above, cst.Attribute):
        call = tree.parent(above)
        awaited = call is not None and isinstance(tree.parent(call), cst.Await)
        if above.attr.value == "receive" or not (scan.is_sanics or (awaited and above.attr.value in _READS)):
            return
        if unit is not None:
            unit.streams = unit.reads = True
        if above.attr.value in _READS and isinstance(call, cst.Call) and call.func is above:
            _read(scan, above, call, owner, canonical)
        elif above.attr.value in _QUEUE:
            what = above.attr.value
            scan.say(above, "left", f"`request.stream.{what}` treats the body as a queue", _QUEUE[what])
        else:
            scan.say(
                above,
                "left",
                f"`request.stream.{above.attr.value}` has no counterpart in Mach9's body channel",
                _LOOP,
            )
        return
    if not scan.is_sanics:
        return
    if isinstance(above, cst.For | cst.CompFor) and getattr(above, "asynchronous", None) is not None:
        if unit is not None:
            unit.streams = True
        if isinstance(above, cst.For):
            _async_for(scan, above, owner)
        return  # a comprehension also works with a body channel
    if isinstance(above, cst.Arg):
        call = tree.parent(above)
        if isinstance(call, cst.Call) and not scan.handed_on(call):
            _handed(scan, node, call, owner)
        return
    if isinstance(above, cst.Assign | cst.AnnAssign | cst.NamedExpr):
        target = above.targets[0].target if isinstance(above, cst.Assign) else above.target
        found = isinstance(target, cst.Name) or scan.tree.variable(target) is not None
        if found and not scan.tree.goes_on(above):
            return
    if isinstance(
        above,
        cst.Comparison
        | cst.ComparisonTarget
        | cst.If
        | cst.IfExp
        | cst.BooleanOperation
        | cst.UnaryOperation
        | cst.While,
    ):
        return
    if isinstance(above, cst.Assert | cst.Expr):
        return
    if unit is not None:
        unit.reads = True
    scan.say(node, "unknown", "the request's stream is stored where it cannot be traced", _LOOP)


def body_reading(scan: Scan, node: cst.BaseExpression) -> cst.Attribute | None:
    """The `<stream>.get` of a call that reads, also inside `asyncio.wait_for(...)`."""
    if not isinstance(node, cst.Call):
        return None
    func = node.func
    if isinstance(func, cst.Attribute) and func.attr.value in _READS and scan.roles.has(func.value, STREAM):
        return None if node.args else func
    if scan.tree.qualified(func) in _WAITING and node.args:
        return body_reading(scan, node.args[0].value)
    return None


def _read(
    scan: Scan, func: cst.Attribute, call: cst.Call, owner: str, canonical: dict[cst.Await, cst.If]
) -> None:
    tree = scan.tree
    outer: cst.CSTNode = call
    above = tree.parent(call)
    if isinstance(above, cst.Arg):
        around = tree.parent(above)
        if (
            isinstance(around, cst.Call)
            and tree.qualified(around.func) in _WAITING
            and around.args[0] is above
        ):
            outer, above = around, tree.parent(around)
    if call.args:
        scan.say(call, "left", "the read has arguments, which a body channel does not accept", _LOOP)
        return
    if not isinstance(above, cst.Await) or above.expression is not outer:
        what = "in a task" if isinstance(above, cst.Arg) else "without an immediate `await`"
        scan.say(call, "left", f"the body is read {what}", "await `request.stream.receive()` in the handler")
        return
    ending = canonical.get(above)
    scan.replace(func.attr, "receive", owner)
    if ending is None:
        content = scan.helper("content", owner)
        scan.wrap(tree.start(above), tree.end(above), f"{content}(", ")", owner, 1)
        return
    _rewrite_loop(scan, above, ending, owner)


# ---- the plain loop ----


def plain_loop(scan: Scan, node: cst.Await) -> cst.If | None:
    """For `body = await <stream>.get()` in `while True`, the `if body is None:` right after it.

    None if the loop has another form, or if other code depends on `body` being None.
    """
    tree = scan.tree
    assign = tree.parent(node)
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return None
    name = assign.targets[0].target
    line = tree.parent(assign)
    if not isinstance(name, cst.Name) or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return None
    block = tree.parent(line)
    loop = tree.parent(block) if block is not None else None
    if not isinstance(block, cst.IndentedBlock) or not isinstance(loop, cst.While) or not _is_true(loop.test):
        return None
    at = list(block.body).index(line) + 1
    ending = block.body[at] if at < len(block.body) else None
    if not isinstance(ending, cst.If) or ending.orelse is not None or not _ends(ending.test, name.value):
        return None
    if name.value in tree.names_below(ending.body) or ending.test.lpar and _is_spread(tree.code(ending.test)):
        return None
    return ending if _only_inside(scan, name, loop) else None


def _is_spread(code: str) -> bool:
    return "\n" in code


def _is_true(test: cst.BaseExpression) -> bool:
    return (isinstance(test, cst.Name) and test.value == "True") or (
        isinstance(test, cst.Integer) and test.value == "1"
    )


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _ends(test: cst.BaseExpression, name: str) -> bool:
    """Whether the test is `name is None`, `name == None` or `not name` (a chunk is never empty)."""

    def is_name(node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == name

    if isinstance(test, cst.UnaryOperation):
        return isinstance(test.operator, cst.Not) and is_name(test.expression)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        pair = (test.left, target.comparator)
        return isinstance(target.operator, cst.Is | cst.Equal) and any(
            is_name(one) and _is_none(other) for one, other in (pair, pair[::-1])
        )
    return False


def _rewrite_loop(scan: Scan, node: cst.Await, ending: cst.If, owner: str) -> None:
    tree = scan.tree
    assign = tree.parent(node)
    assert isinstance(assign, cst.Assign)
    name = assign.targets[0].target
    assert isinstance(name, cst.Name)
    message = _message(scan, ending)
    indent, newline, quote = tree.indent(ending), tree.newline, scan.quote
    step = tree.module.default_indent
    gone = scan.helper("ClientDisconnected", owner)
    scan.replace(name, message, owner)
    scan.insert(
        tree.start(ending),
        f"if {message}[{quote}closed{quote}]:{newline}{indent}{step}raise {gone}{newline}{indent}",
        owner,
    )
    scan.replace(ending.test, f"{message}[{quote}more_content{quote}] is False", owner)
    after = f"{newline}{indent}{name.value} = {message}[{quote}content{quote}]"
    scan.insert(scan.line_end(tree.end(ending)), after, owner)


def _message(scan: Scan, node: cst.CSTNode) -> str:
    """A name for a message that is not used in the outermost function."""
    around = scan.tree.chain(node)
    taken = scan.tree.names_below(around[0]) if around else set(scan.facts.names)
    for name in ("message", "body_chunk"):
        if name not in taken:
            return name
    return scan.free("message", taken)


def _in_ending_test(scan: Scan, node: cst.Await) -> bool:
    """Whether it is the read of `while (body := await <stream>.get()) is not None`."""
    named = scan.tree.parent(node)
    if not isinstance(named, cst.NamedExpr):
        return False
    test = scan.tree.parent(named)
    if isinstance(test, cst.While):
        return test.test is named
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1 and test.left is named:
        target = test.comparisons[0]
        ends = isinstance(target.operator, cst.IsNot | cst.NotEqual) and _is_none(target.comparator)
        return ends and isinstance(scan.tree.parent(test), cst.While)
    return False


# ---- the others ----


def _async_for(scan: Scan, node: cst.For, owner: str) -> None:
    """Turn `async for body in <stream>` into a `while` with an assignment in its test; an `else` stays."""
    tree = scan.tree
    if node.iter.lpar:
        return  # a body channel also supports `async for`
    target = node.target
    content = scan.helper("content", owner)
    name = target.value if isinstance(target, cst.Name) and _only_inside(scan, target, node) else None
    variable = name or _message(scan, node)
    scan.edit(tree.start(node), tree.start(node.iter), f"while ({variable} := {content}(await ", owner)
    scan.insert(tree.end(node.iter), ".receive())) is not None", owner)
    if name is None:
        first = node.body.body[0]
        breaks = f"{tree.newline}{tree.indent(first)}" if isinstance(node.body, cst.IndentedBlock) else "; "
        scan.insert(tree.start(first), f"{tree.code(target)} = {variable}{breaks}", owner)


def _only_inside(scan: Scan, name: cst.Name, loop: cst.For | cst.While) -> bool:
    """Whether the variable is used only in the loop."""
    return set(scan.tree.names_of(name)).issubset(scan.tree.below(loop))


def _handed(scan: Scan, node: cst.CSTNode, call: cst.Call, owner: str) -> None:
    unit = scan.facts.units.get(owner)
    if unit is not None:
        unit.reads = True
    if scan.tree.builtin(call.func) == "isinstance":
        scan.say(
            call,
            "left",
            "`isinstance(request.stream, ...)` checks for the class of the queue",
            "check `request.stream is None`, or remove it",
        )
    elif scan.tree.builtin(call.func) not in ("print", "repr", "str", "bool"):
        scan.say(
            call,
            "left",
            f"the request's stream is passed to `{scan.tree.code(call.func)}`, which reads it by itself",
            "read the chunks in the handler and pass them on one by one",
        )
