"""Functions that edits define in a file, where today's Sanic has nothing that does the same.

The rule: each does for one file what old Sanic did everywhere, and needs nothing but Sanic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from streamcompat.porting.model import FILE
from streamcompat.porting.scan import Scan

SENDABLE: Final = "sendable"
AS_TEXT: Final = "as_text"
ABORT: Final = "abort"
WITH_STATUS: Final = "with_status"

_LOOK: Final = "for one in classes:"

DEFINED: Final[dict[str, tuple[str, ...]]] = {
    SENDABLE: (
        "(data):",
        '"""What `response.send` takes."""',
        "return data if isinstance(data, (bytes, bytearray, memoryview, str)) else str(data)",
    ),
    AS_TEXT: (
        '(body, status=200, headers=None, content_type="text/plain; charset=utf-8"):',
        '"""A response with text, with bytes, or with anything as text."""',
        "from sanic.response import HTTPResponse",
        "",
        "if not isinstance(body, (str, bytes)):",
        '    body = "" if body is None else str(body)',
        "return HTTPResponse(body, status, headers, content_type)",
    ),
    ABORT: (
        "(status_code, message=None):",
        '"""Raise the exception of a status."""',
        "import sanic.exceptions as known",
        "",
        "classes = [known.InvalidUsage, known.Unauthorized, known.Forbidden, known.NotFound]",
        "classes += [known.RequestTimeout, known.PayloadTooLarge]",
        "classes += [known.ServerError, known.ServiceUnavailable]",
        _LOOK,
        "    if one.status_code == status_code:",
        "        raise one(message)",
        "raise known.SanicException(message, status_code=status_code)",
    ),
    WITH_STATUS: (
        "(exception, status_code):",
        '"""An exception whose class takes no `status_code`."""',
        "exception.status_code = status_code",
        "return exception",
    ),
}
"""Parameters and lines of each function by its name."""


def defined(scan: Scan, name: str) -> str:
    """The local name of one of the functions, which the port defines in the file."""
    local = scan.free(name)
    scan.facts.helpers.add((f"{name} as {local}", FILE))
    return local


def definition(name: str, local: str, own: Collection[str]) -> Iterator[str]:
    """The lines of a function under a name of the file's; `abort` knows the file's own exceptions first."""
    head, *lines = DEFINED[name]
    if name == ABORT and own:
        lines.insert(lines.index(_LOOK), f"classes = [{', '.join(own)}, *classes]")
    yield f"def {local}{head}"
    for line in lines:
        yield f"    {line}" if line else ""
