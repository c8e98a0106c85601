"""Timers of drivers whose event loop has none of its own."""

from __future__ import annotations

from streamcompat_engine.drivers.timers import TimerHeap


def test_they_come_in_the_order_of_their_times() -> None:
    heap = TimerHeap()
    called: list[float] = []
    for when in (3.0, 1.0, 2.0):
        heap.call_at(when, lambda when=when: called.append(when))  # type: ignore[misc]
    while len(heap):
        callback = heap.pop()
        assert callback is not None
        callback()
    assert called == [1.0, 2.0, 3.0]


def test_what_is_cancelled_does_not_stay() -> None:
    """Connections come and go faster than their times do."""
    heap = TimerHeap()
    called: list[int] = []
    timers = [heap.call_at(60.0 + n, lambda n=n: called.append(n)) for n in range(10_000)]  # type: ignore[misc]
    for number, timer in enumerate(timers):
        if number % 100:
            timer.cancel()
            timer.cancel()
    assert len(heap) <= 250
    while len(heap):
        if callback := heap.pop():
            callback()
    assert called == list(range(0, 10_000, 100))


def test_to_cancel_what_was_called_changes_nothing() -> None:
    heap = TimerHeap()
    first, second = heap.call_at(1.0, list), heap.call_at(2.0, dict)
    assert heap.pop() is list
    for _ in range(200):
        first.cancel()
    assert heap.next == 2.0
    second.cancel()
    assert heap.pop() is None
