"""What becomes of `response = await request.respond(...)`, which Sanic has had since 21.x.

The rule: all that follows it in the handler becomes a streaming function, one step further in, which the
handler returns in `stream(...)`. That is only done where `respond` stands in the handler's own block.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.roles import REQUEST
from streamcompat.porting.scan import Scan

_REMEDY = "put what writes into `async def streaming(channel)` and return `stream(streaming)`"
_TAKES = {"status", "headers", "content_type"}


def scan_responds(scan: Scan) -> None:
    """Looks at every `request.respond(...)`."""
    for call in scan.tree.all(cst.Call):
        func = call.func
        if (
            isinstance(func, cst.Attribute)
            and func.attr.value == "respond"
            and scan.roles.has(func.value, REQUEST)
        ):
            owner = scan.thing_of(call)
            if owner in scan.facts.things:
                scan.facts.things[owner].streams = True
            reason = _obstacle(scan, call)
            if reason is not None and owner in scan.facts.things:
                scan.facts.things[owner].reads = True
            if reason is None:
                _rewrite(scan, call, owner)
            else:
                scan.say(call, "left", reason, _REMEDY)


def _parts(scan: Scan, call: cst.Call) -> tuple[cst.FunctionDef, cst.SimpleStatementLine, str] | None:
    """The handler, the statement and the response's name, for `name = await request.respond(...)`."""
    tree = scan.tree
    waits = tree.parent(call)
    assign = tree.parent(waits) if isinstance(waits, cst.Await) else None
    line = tree.parent(assign) if isinstance(assign, cst.Assign) else None
    block = tree.parent(line) if isinstance(line, cst.SimpleStatementLine) else None
    function = tree.parent(block) if isinstance(block, cst.IndentedBlock) else None
    if not isinstance(assign, cst.Assign) or not isinstance(line, cst.SimpleStatementLine):
        return None
    target = assign.targets[0].target
    if isinstance(function, cst.FunctionDef) and isinstance(target, cst.Name) and len(line.body) == 1:
        return function, line, target.value
    return None


def _obstacle(scan: Scan, call: cst.Call) -> str | None:
    parts = _parts(scan, call)
    if parts is None:
        return "`respond` stands inside of another statement, so what follows it cannot become a function"
    if any(one.keyword is None or one.keyword.value not in _TAKES for one in call.args):
        return "`respond` is given a response that was made before"
    function, line, name = parts
    rest = _rest(function, line)
    if not rest:
        return "nothing is sent after `respond`"
    for one in (each for statement in rest for each in scan.tree.below(statement)):
        if isinstance(one, cst.Return) and scan.tree.function(one) is function:
            value = one.value
            if value is not None and not (isinstance(value, cst.Name) and value.value in (name, "None")):
                return f"another response is returned in line {scan.tree.line(one)}"
    return None


def _rest(function: cst.FunctionDef, line: cst.SimpleStatementLine) -> list[cst.CSTNode]:
    body = list(function.body.body)
    return list(body[body.index(line) + 1 :])


def _rewrite(scan: Scan, call: cst.Call, owner: str) -> None:
    tree = scan.tree
    parts = _parts(scan, call)
    assert parts is not None
    function, line, name = parts
    rest = _rest(function, line)
    assign = line.body[0]
    assert isinstance(assign, cst.Assign)
    variable = tree.variable(assign.targets[0].target)
    assert variable is not None
    scan.responded.add(variable)
    indent, step, newline = tree.indent(line), tree.module.default_indent, tree.newline
    names = tree.names_below(function)
    channel = "channel" if "channel" not in names else name
    streaming = scan.free("streaming", names)
    head = f"async def {streaming}({channel}):"
    outer = _bound(tree.below(function), set(rest), tree) | {one.name.value for one in function.params.params}
    shared = sorted(_assigned(scan, rest) & outer - {name})
    if shared:
        head += f"{newline}{indent}{step}nonlocal {', '.join(shared)}"
    scan.facts.edits[:] = [
        edit._replace(text=edit.text.replace(newline, newline + step))
        if tree.end(line) < edit.start <= scan.line_end(tree.end(rest[-1]))
        else edit
        for edit in scan.facts.edits
    ]
    scan.replace(line, head, owner)
    for at in _line_starts(
        scan, tree.line_start(scan.line_end(tree.end(line)) + len(newline)), tree.end(rest[-1])
    ):
        scan.insert(at, step, owner)
    inside = {one for statement in rest for one in tree.below(statement)}
    for one in inside:
        if isinstance(one, cst.Name) and one.value == name and channel != name:
            above = tree.parent(one)
            if isinstance(above, cst.Attribute) and above.attr is one or isinstance(above, cst.Return):
                continue
            scan.replace(one, channel, owner)
        if isinstance(one, cst.Return) and tree.function(one) is function and one.value is not None:
            _plain_return(scan, one, rest, owner)
    after = tree.end(rest[-1])
    given = [tree.code(one) for one in call.args]
    if not any(one.keyword is not None and one.keyword.value == "content_type" for one in call.args):
        given.append("content_type=None")  # which is what `respond` takes where it is given none
    arguments = "".join(f", {one}" for one in given)
    text = f"{newline}{newline}{indent}return {scan.helper('stream', owner)}({streaming}{arguments})"
    scan.insert(scan.line_end(after), text, owner)


def _plain_return(scan: Scan, node: cst.Return, rest: list[cst.CSTNode], owner: str) -> None:
    """`return response` becomes `return`; at the end of the function it goes."""
    tree = scan.tree
    line = tree.parent(node)
    last = line is rest[-1] and len(rest) > 1
    if last and isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        start, end = tree.start(line), tree.end(line)
        # With the white space before it, and the line break before that.
        start = tree.line_start(start) - len(tree.newline)
        scan.edit(start, end, "", owner)
    else:
        assert node.value is not None
        scan.edit(tree.start(node) + len("return"), tree.end(node), "", owner)


def _line_starts(scan: Scan, start: int, end: int) -> list[int]:
    """Where the lines from `start` to `end` begin, but for empty ones and those inside of a string."""
    tree = scan.tree
    strings = [
        (tree.start(one), tree.end(one))
        for one in tree.all(cst.SimpleString, cst.FormattedString)
        if len(tree.code(one).splitlines()) > 1
    ]
    found = []
    at = start
    while at < end:
        line = tree.source[at : scan.line_end(at)]
        if line.strip() and not any(first < at <= last for first, last in strings):
            found.append(at)
        at = scan.line_end(at) + len(tree.newline)
    return found


def _assigned(scan: Scan, rest: list[cst.CSTNode]) -> set[str]:
    return _bound((one for statement in rest for one in scan.tree.below(statement)), set(), scan.tree)


def _bound(nodes: object, skip: set[cst.CSTNode], tree: object) -> set[str]:
    """The names that statements bind in their own function."""
    from streamcompat.porting.tree import Tree

    assert isinstance(tree, Tree)
    found = set()
    for one in nodes:  # type: ignore[attr-defined]
        target = getattr(one, "target", None)
        if isinstance(one, cst.AssignTarget | cst.AugAssign | cst.NamedExpr | cst.For | cst.AnnAssign):
            if any(above in skip for above in [one, *tree.above(one)]):
                continue
            found |= (
                {name.value for name in tree.below(target) if isinstance(name, cst.Name)} if target else set()
            )
    return found
