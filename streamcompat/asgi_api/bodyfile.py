"""A file as the body of a response, for the extension `http.response.pathsend`.

The rule: a file is opened, and read a piece at a time, in threads. Nothing but files is opened: a pipe could
wait for ever.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from typing import Final

from streamcompat_engine import Fields

PIECE: Final = 256 * 1024
"""Bytes that are read at a time. Each turn of a thread costs as much as to send 64 KiB."""


def opened(path: str) -> FileIO:
    """The file at an absolute path.

    Raises: OSError: it cannot be opened; ValueError: it is not a file, or the path is not absolute.
    """
    if not os.path.isabs(path):
        raise ValueError(f"the path of http.response.pathsend must be absolute, not {path!r}")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is not a file")
    return FileIO(path)


def declared_length(fields: Fields) -> int | None:
    """The Content-Length among the fields of a response; `None` without one, or if it is not a number."""
    for name, value in fields:
        if name.lower() == b"content-length":
            return int(value) if value.isdigit() else None
    return None
