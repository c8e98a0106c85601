"""An answer without what today's Sanic by itself says in other words than the old one.

The rule: only what Sanic itself writes is left out, and what the page on porting lists.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Final

from streamcompat.verification.answers import Answer
from streamcompat.verification.conversations import FAILED, NORMAL

_PAGE: Final = re.compile(rb'\xe2\x9a\xa0|\s*<!DOCTYPE html>.*Sanic|\{"description":', re.DOTALL)
"""How Sanic's own error pages begin today: as text, as HTML, as JSON."""
_JSON: Final = "application/json"


def is_own_page(before: Answer, after: Answer) -> bool:
    """Whether both refuse with the same status, and today's Sanic with a page of its own."""
    return before.status == after.status >= 400 and _PAGE.match(b"".join(after.chunks)) is not None


def hides_cut(before: Answer, after: Answer) -> bool:
    """Whether a body that was cut after an exception ends, with the same bytes, as if it were whole; or a
    WebSocket is closed as if there was none."""
    if (before.status, before.headers) != (after.status, after.headers) or before.endless:
        return False
    if before.closed == FAILED:
        return after.closed == NORMAL and before.messages == after.messages
    return after.complete and not before.complete and before.chunks == after.chunks


def comparable(answer: Answer) -> Answer:
    """The answer, with JSON as its value, cookies without the order of their attributes and the time at which
    they end, and without the type of no content."""
    headers = tuple(
        sorted((name, _cookie(value) if name == "set-cookie" else value) for name, value in answer.headers)
    )
    if answer.status == 204:
        headers = tuple(one for one in headers if one[0] != "content-type")
    chunks = answer.chunks
    if dict(headers).get("content-type", "").startswith(_JSON) and answer.complete:
        try:
            chunks = (json.dumps(json.loads(b"".join(chunks)), sort_keys=True).encode(),)
        except ValueError:
            pass
    return replace(answer, headers=headers, chunks=chunks)


def _cookie(value: str) -> str:
    first, *rest = value.split("; ")
    kept = sorted(one.lower() for one in rest if not one.lower().startswith("expires="))
    return "; ".join([re.sub(r'=""$', "=", first), *kept])
