"""The messages that wait for a handler: in order, within their limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import ReceivedMessages, WebSocketSettings

LIMIT = st.one_of(st.none(), st.integers(0, 6))


@given(st.lists(st.one_of(st.none(), st.text("ab", max_size=4)), max_size=40), LIMIT, LIMIT)
def test_messages_leave_in_order_and_reading_stops_in_between(
    steps: list[str | None], count: int | None, size: int | None
) -> None:
    """`None` takes a message; a message comes only if there is room for it, as an owner reads."""
    messages = ReceivedMessages(None, WebSocketSettings(waiting_messages=count, waiting_bytes=size))
    waiting: list[str] = []
    woken: list[None] = []
    messages.wake = lambda: woken.append(None)
    full = False
    for step in steps:
        if step is None:
            assert messages.take() == (waiting.pop(0) if waiting else None)
            full = full and (
                len(waiting) > (count or 1000) // 2 or sum(map(len, waiting)) > (size or 1000) // 2
            )
        elif not messages._full:
            before = len(woken)
            messages._deliver(step, len(step))
            waiting.append(step)
            assert len(woken) == before + 1
            full = bool((count and len(waiting) >= count) or (size and sum(map(len, waiting)) > size))
        assert messages._full == full
    while messages.take() is not None:
        pass
    assert not messages._full, "else nothing would be read any more"
