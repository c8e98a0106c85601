"""The form of a route's error pages where nothing tells it: Sanic since 21.9 reads the handler's text.

The rule: what a handler returns by name, `return json(...)`, is the form of its errors, if all such calls
agree. Nothing is executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from inspect import getsource
from textwrap import dedent
from typing import Final

__all__ = ["SINCE", "of_handler"]

SINCE: Final = (21, 9)
_FORMS: Final = {
    "empty": "html",
    "file": "html",
    "file_stream": "text",
    "html": "html",
    "json": "json",
    "raw": "text",
    "redirect": "html",
    "stream": "text",
    "text": "text",
}


def of_handler(handler: Callable[..., object]) -> str | None:
    """`html`, `json` or `text`; `None` where the handler's text does not tell, or is not there."""
    try:
        tree = ast.parse(dedent(getsource(handler)))
    except (OSError, TypeError, SyntaxError):
        return None
    called = {
        node.value.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
    }
    forms = {_FORMS[name] for name in called if name in _FORMS}
    return forms.pop() if len(forms) == 1 else None
