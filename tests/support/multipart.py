"""Multipart bodies as the kernel reads them."""

from __future__ import annotations

from streamcompat.kernel.request.multipart import Event, PartsParser, Sign


def events_of(parser: PartsParser, data: bytes) -> list[Event]:
    """The events that further bytes make, with BODY_END where they reach it."""
    parser.feed(data)
    events: list[Event] = []
    while (event := parser.next_event()) is not Sign.NEED_DATA:
        events.append(event)
        if event is Sign.BODY_END:
            break
    return events
