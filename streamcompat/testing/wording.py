"""Puts an advice into the words of the interface for which an app is written.

The rule: an advice is written once, in the words of the flavours. Where an ASGI application says the same in
another way, that way replaces it, so that nobody reads of an interface that is not theirs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from streamcompat.asgi_api import ASGIApp
from streamcompat.testing.applications import own, served
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.frameworks import framework_of

_STREAM: Final = "request.stream"
_BARE: Final = "pieces"
"""What an application without a framework calls the stream: an asynchronous generator of its own."""

_IN_ASGI: Final = (
    ("`None` (Sanic), `more_content: False` (Mach9)", "no more from the stream, or `more_body: False`"),
    ("(Mach9: leave the loop when `closed` is True)", "(`http.disconnect`, where you call `receive`)"),
    (
        "Let the error of a read end the handler (Sanic); look at `closed` before you take\n"
        "`more_content: False` for the end, and raise (Mach9).",
        "Let the error of a read end the handler; where you call `receive`, raise at `http.disconnect`,\n"
        "which is not the end of the body.",
    ),
    (
        "To cancel a handler\n"
        "that neither reads nor writes, register its route with `on_disconnect='cancel'`.",
        "A handler that\nneither reads nor writes has to wait for `http.disconnect` beside its work.",
    ),
    (
        "Read the parts with `async for part in request.parts()`.",
        "Read the parts with the form parser of your framework, or another incremental one.",
    ),
    ("or limit the body with `body_limit=...` on the route.", "or refuse a body that is too long with 413."),
    (
        "for a body of one value,\nuse a route that does not stream.",
        "for a body of one value,\nread the whole of it first.",
    ),
)


def in_words_of(app: object, found: Counterexample) -> Counterexample:
    """The counterexample with its advice in the words of the interface of the app."""
    application = served(app)
    if not isinstance(application, ASGIApp):
        return found
    known = framework_of(own(application))
    advice = found.advice
    for ours, theirs in _IN_ASGI:
        advice = advice.replace(ours, theirs)
    stream = known[0].stream if known is not None else _BARE
    return replace(found, advice=advice.replace(f"({_STREAM})", f"({stream})"))
