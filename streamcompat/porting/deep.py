"""Analyses a file whose expressions are nested so deeply that the parser may crash: in a process of its own.

The rule: no file may end the command, or hold it up. LibCST nests what `ast` keeps flat (`a and b and c`,
`"a" "b"`), in native code that knows no limit; so the depth is estimated first.
"""

from __future__ import annotations

import ast
import io
import os
import pickle
import subprocess
import sys
import threading
import tokenize

from streamcompat.porting.model import FileFacts, Seeds
from streamcompat.porting.source import decode

DEPTH = 100
"""Nested nodes from which a file is deep: far below what crashes with the usual stack."""
_STACK = 512 * 2**20
_RECURSION = 200_000
_PATIENCE = 60.0
"""Seconds that the process may take."""


def deepest(data: bytes) -> tuple[int, int]:
    """An estimate of how deeply LibCST nests a valid file, and the line of the deepest statement."""
    tree = ast.parse(decode(data)[0])
    found, line = 0, 1
    stack: list[tuple[ast.AST, int, int]] = [(tree, 0, 1)]
    while stack:
        node, depth, at = stack.pop()
        if isinstance(node, ast.stmt):
            at = node.lineno
        if isinstance(node, ast.BoolOp):
            depth += len(node.values)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            depth += len(node.generators)
        elif isinstance(node, ast.alias):
            depth += node.name.count(".")
        if depth > found:
            found, line = depth, at
        stack.extend((child, depth + 1, at) for child in ast.iter_child_nodes(node))
    texts, at = _joined_texts(data)
    return (texts, at) if texts > found else (found, line)


def _joined_texts(data: bytes) -> tuple[int, int]:
    """The most texts that stand side by side, which `ast` has joined already, and their line."""
    if data.count(b'"') + data.count(b"'") < 2 * DEPTH:
        return 0, 1
    found, line, count = 0, 1, 0
    for token in tokenize.generate_tokens(io.StringIO(decode(data)[0]).readline):
        if token.type == tokenize.STRING or tokenize.tok_name[token.type] == "FSTRING_START":
            count += 1
            if count > found:
                found, line = count, token.start[0]
        elif token.type not in (tokenize.NL, tokenize.COMMENT) and not tokenize.tok_name[
            token.type
        ].startswith("FSTRING"):
            count = 0
    return found, line


def apart(path: str, data: bytes, seeds: Seeds, line: int) -> FileFacts:
    """The facts about a deep file; an error if its analysis crashes or takes too long."""
    command = [sys.executable, "-m", "streamcompat.porting.deep"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    try:
        done = subprocess.run(
            command,
            input=pickle.dumps((path, data, seeds)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_PATIENCE,
            check=True,
        )
        facts = pickle.loads(done.stdout)
    except (subprocess.SubprocessError, pickle.PickleError, EOFError):
        return FileFacts(path, data, error=(line, "its expressions are nested too deeply"))
    assert isinstance(facts, FileFacts)
    return facts


def main() -> None:
    """Read the work from standard input, and write the facts to standard output."""
    from streamcompat.porting.analysis import examine

    work = pickle.loads(sys.stdin.buffer.read())

    def run() -> None:
        sys.stdout.buffer.write(pickle.dumps(examine(*work)))

    sys.setrecursionlimit(_RECURSION)
    threading.stack_size(_STACK)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
