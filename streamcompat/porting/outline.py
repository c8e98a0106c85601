"""The facts about a file that does not use Sanic: what it defines and what it imports.

The rule: most files of a project are like that, so this must be fast and does not use LibCST.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from streamcompat.porting.model import FILE, FileFacts, Finding, Seeds
from streamcompat.porting.source import decode

_OF_INTEREST = re.compile(rb"sanic|\.stream\s*\.\s*(get|read)\b")
_DYNAMIC = re.compile(
    rb"\b(import_module|__import__|import_string|runpy|pkgutil|spec_from_file_location|SourceFileLoader|exec)\b"
)


def imports_dynamically(data: bytes) -> bool:
    """Whether the file may import modules by names that only a run shows."""
    return _DYNAMIC.search(data) is not None


def is_of_interest(data: bytes, seeds: Seeds) -> bool:
    """Whether the file needs the full analysis, because of its content or of what other files pass to it."""
    return bool(seeds.sanic or seeds.handed or seeds.objects or _OF_INTEREST.search(data))


def of_callers(text: str, line: int) -> Finding:
    """What keeps the projects whose code may call the one that reads a frame's variables."""
    reason = f"`{text}` reaches the variables of whoever calls, by a text"
    return Finding(line, "unknown", reason, "pass what it needs", FILE, everywhere=True)


def outline(path: str, data: bytes) -> FileFacts:
    """The functions, classes and imports of a valid Python file."""
    facts = FileFacts(path, data, dynamic=imports_dynamically(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(decode(data)[0])
    roots = set()
    attributes = []
    used = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            attributes.append(node)
            if node.attr == "f_locals":
                facts.findings.append(of_callers(ast.unparse(node), node.lineno))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.append(node)
        elif isinstance(node, ast.Import):
            for one in node.names:
                facts.imports.add(one.name)
                roots.add(one.asname or one.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for one in node.names:
                facts.imports.add(f"{module}.{one.name}")
                facts.bindings[one.asname or one.name] = f"{module}.{one.name}"
    for attribute in attributes:
        if (dotted := _dotted(attribute)) is not None:
            first, _, rest = dotted.partition(".")
            if first in roots:
                facts.imports.add(dotted)
            elif first in facts.bindings:
                facts.imports.add(f"{facts.bindings[first]}.{rest}")
            symbol = f"{facts.bindings[first]}.{rest}" if first in facts.bindings else dotted
            facts.gives_other.add((symbol, attribute.lineno))
    facts.names = frozenset(one.id for one in used)
    facts.gives_other |= {(facts.bindings[one.id], one.lineno) for one in used if one.id in facts.bindings}
    facts.defines.update(_defined(tree.body, ""))
    return facts


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (above := _dotted(node.value)) is not None:
        return f"{above}.{node.attr}"
    return None


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + one.name
            yield from _defined(one.body, f"{prefix}{one.name}.")
