"""What the files of the contract suite share.

`EXCEPTIONS` lists what an implementation cannot do; everything else holds on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

EXCEPTIONS = {
    "asgi": {
        "hint": "few servers have the extension for it: it is checked and dropped",
        "ping": "ASGI has no word for pings: one passes for answered at once",
        "reason": "ASGI has no field for a reason phrase: it is checked and dropped",
    },
    "uvicorn": {
        "hint": "as behind any ASGI server",
        "at once": "it takes messages while the writer waits, until its own buffer and the system's are full",
        "no answer": "where nothing of a response has reached it, it answers 500 by itself",
        "ping": "as behind any ASGI server",
        "reason": "as behind any ASGI server",
        "trailers in": "it does not offer the extension `http.request.trailers`, and drops them",
        "trailers out": "it does not offer the extension `http.response.trailers`: checked and dropped",
    },
    "fake": {
        "hint": "it has no client to send it to",
        "back-pressure": "its peer takes everything, and `blocked` is always true",
        "websocket": "it has no connection to switch",
    },
}
FIELDS = [(b"Content-Type", b"text/plain")]


def cannot(implementation: str, what: str) -> bool:
    return what in EXCEPTIONS.get(implementation, {})


def refused(kind: type[Exception], text: str, call: Callable[..., object], *arguments: Any) -> None:
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert str(caught.value) == text
