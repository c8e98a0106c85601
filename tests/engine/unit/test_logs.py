"""What a peer can cause to be logged is one line, printable, short, and not without end."""

from __future__ import annotations

import logging

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import Exchange, Limits, Timeouts
from streamcompat_engine.drivers.memory import MemoryTransport, VirtualClock
from streamcompat_engine.drivers.service import Service
from streamcompat_engine.logs import LINE, LogBudget, printable
from tests.support.wire import request, upload


@given(text=st.text(max_size=400), most=st.integers(10, LINE))
def test_any_text_is_one_printable_short_line(text: str, most: int) -> None:
    shown = printable(text, most)
    assert len(shown) <= most
    assert all(" " <= character <= "~" for character in shown)


def test_what_is_plain_is_shown_as_it_is() -> None:
    assert printable("GET /a?b=c HTTP/1.1") == "GET /a?b=c HTTP/1.1"
    assert printable("a\r\nb\x1b[2J\0ü") == r"a\r\nb\x1b[2J\x00\xfc"
    assert printable("x" * 300) == "x" * LINE
    assert printable("\n" * 300).endswith("...")


def test_a_budget_is_a_burst_and_a_rate() -> None:
    budget = LogBudget(burst=3, rate=0.5)
    assert [budget.spend(0.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert budget.spend(1.0) is None
    assert budget.spend(2.0) == 3
    assert budget.spend(2.0) is None
    assert budget.spend(1000.0) == 1
    assert [budget.spend(1000.0) for _ in range(3)] == [0, 0, None]
    assert budget.spend(999.0) is None  # a clock that goes back gives nothing


async def _app(exchange: Exchange) -> None:
    if exchange.head.target == b"/fail" + b"x" * 4000:
        raise RuntimeError("as asked")
    exchange.respond(200, (), await exchange.read_body())


async def _send(wires: list[bytes], gap: float = 0.0) -> None:
    """Each of them on a connection of its own, with some time between them."""
    clock = VirtualClock()
    service = Service(_app, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        for wire in wires:
            transport = MemoryTransport(service, clock, tasks)
            await transport.client.send(wire)
            while await transport.client.receive():
                pass
            transport.client.disconnect()
            clock.advance(gap)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "streamcompat.engine"]


async def test_a_refusal_is_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    wires = [
        request(b"GET / HTTP/1.1", b"A: \x1b[2J\0"),
        request(b"GET / HTTP/1.1\nX-Evil: a log line"),
        upload(b"\r\n"),
        request(
            b"M" * 3000 + b" /" + b"x" * 3000 + b" HTTP/1.1", b"Transfer-Encoding: chunked", body=b"z\r\n"
        ),
    ]
    with caplog.at_level(logging.INFO, "streamcompat.engine"):
        await _send(wires)
    lines = _lines(caplog)
    assert len(lines) == len(wires)
    for line in lines:
        assert len(line) <= LINE
        assert all(" " <= character <= "~" for character in line)
    assert "400" in lines[0]
    assert "Evil" not in "".join(lines)


async def test_a_flood_is_counted_and_told_later(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "streamcompat.engine"):
        await _send([b"\0"] * 120)
        assert len(_lines(caplog)) == 20
        caplog.clear()
        await _send([b"\0"] * 21 + [b"\0"] * 100, gap=0.01)
    lines = _lines(caplog)
    assert len(lines) == 21
    assert "lines before it that are not shown" in lines[-1]


async def test_the_request_that_an_application_fails_on_is_shown_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "streamcompat.engine"):
        await _send([request(b"GET /fail" + b"x" * 4000 + b" HTTP/1.1", b"Connection: close")])
    (line,) = _lines(caplog)
    assert len(line) <= LINE
