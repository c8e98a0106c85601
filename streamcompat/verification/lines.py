"""Which of the ported lines the requests reached.

The rule: a line counts as ported if it is in a function and not in the file before. What runs in threads of
the app's counts only for threads that were started during the comparison.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


class PortedLines:
    """The ported lines of an app's files, until they are reached.

    Args:
        before, after: the files of the app, each by a name that is the same in both.
    """

    def __init__(self, before: Mapping[str, Path], after: Mapping[str, Path]) -> None:
        self._left: dict[str, set[int]] = {}
        for name in before.keys() & after.keys():
            lines = _ported(before[name], after[name])
            if lines:
                self._left[str(after[name])] = lines

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take note of the lines that run in this thread during the block."""
        previous = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(previous)

    @contextlib.contextmanager
    def watching_threads(self) -> Iterator[None]:
        """The same for threads that start during the block."""
        previous = threading.gettrace()
        threading.settrace(self._called)
        try:
            yield
        finally:
            threading.settrace(previous)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        left = self._left.get(frame.f_code.co_filename)
        return self._line if left else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._left[frame.f_code.co_filename].discard(frame.f_lineno)
        return self._line

    def unreached(self) -> Iterator[str]:
        """`file:line` or `file:line-line` of the lines that no request reached."""
        for file, lines in sorted(self._left.items()):
            numbers = sorted(lines)
            while numbers:
                first = last = numbers.pop(0)
                while numbers and numbers[0] == last + 1:
                    last = numbers.pop(0)
                place = os.path.relpath(file) if Path(file).is_relative_to(Path.cwd()) else file
                yield f"{place}:{first}" + (f"-{last}" if last > first else "")


def _ported(before: Path, after: Path) -> set[int]:
    old, new = (path.read_bytes().splitlines() for path in (before, after))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changed = {
        number + 1
        for tag, _, _, start, end in matcher.get_opcodes()
        if tag in ("replace", "insert")
        for number in range(start, end)
    }
    return changed & _in_functions(compile(after.read_bytes(), str(after), "exec", dont_inherit=True))


def _in_functions(code: CodeType) -> set[int]:
    """The lines of statements in functions, without those of a `def`."""
    found: set[int] = set()
    stack = [code]
    while stack:
        one = stack.pop()
        stack += [constant for constant in one.co_consts if isinstance(constant, CodeType)]
        # A function has fast locals; the code of a module or a class does not.
        if one.co_flags & 0x02:
            found |= {line for _, _, line in one.co_lines() if line and line > one.co_firstlineno}
    return found
