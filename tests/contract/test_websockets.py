"""What every WebSocket's core does alike: on each driver, in memory, behind ASGI, and behind uvicorn.

The tests' own exchange has none: `EXCEPTIONS` in `suite` says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest

from streamcompat.asgi import ASGI
from streamcompat.testing.observed import Observed, ObservedExchange
from streamcompat_engine import (
    EngineError,
    Exchange,
    Limits,
    MemoryTransport,
    Observer,
    ResponseStateError,
    ServerConfig,
    Service,
    Timeouts,
    VirtualClock,
    WebSocketCore,
    WebSocketSettings,
    accept,
    read_handshake,
)
from tests.support.clients import PATIENCE, Client
from tests.support.frames import BINARY, CLOSE, TEXT, frame, frames, handshake
from tests.support.implementations import under_uvicorn
from tests.support.servers import SOCKETS, needs, serve

App = Callable[[Exchange], Awaitable[None]]
Message = str | bytes
Close = tuple[int, str]
IMPLEMENTATIONS = (*SOCKETS, "memory", "observed", "asgi", "uvicorn")
TOO_BIG = (1009, "a message that is too big")
NORMAL = frame(CLOSE, b"\x03\xe8", mask=None)


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in IMPLEMENTATIONS])
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def switch(exchange: Exchange, **settings: Any) -> WebSocketCore:
    given = WebSocketSettings(ping_interval=None, **settings)
    accepted = accept(read_handshake(exchange.head), None, given.deflate, given.message_size)
    return exchange.switch(accepted, given)


async def receive(exchange: Exchange, core: WebSocketCore) -> Message | None:
    while (message := core.take()) is None:
        if core.closed:
            return None
        await exchange.changed()
    if exchange.reading_paused:
        exchange.proceed()
    return message


async def close(exchange: Exchange, core: WebSocketCore, code: int = 1000, reason: str = "") -> None:
    core.close(code, reason)
    exchange.proceed()
    while not core.closed:
        await exchange.changed()


# ---- the client ----


def _wire(sent: Sequence[Message | Close]) -> bytes:
    data = handshake()
    for item in sent:
        if isinstance(item, tuple):
            data += frame(CLOSE, item[0].to_bytes(2, "big") + item[1].encode())
        else:
            data += frame(TEXT, item.encode()) if isinstance(item, str) else frame(BINARY, item)
    return data


def _read(data: bytes) -> list[Message | Close]:
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    got: list[Message | Close] = []
    for one in frames(rest):
        if one.opcode == CLOSE:
            got.append((int.from_bytes(one.payload[:2], "big"), one.payload[2:].decode()))
        elif one.opcode in (TEXT, BINARY):
            got.append(one.payload.decode() if one.opcode == TEXT else one.payload)
    return got


def _over_sockets(driver: str, app: App, sent: Sequence[Message | Close]) -> list[Message | Close]:
    with serve(app, driver) as served, served.connect() as client:
        client.send(_wire(sent))
        return _converse(client, b"")


def _behind_uvicorn(app: App, sent: Sequence[Message | Close]) -> list[Message | Close]:
    bare: Any = _Bare(app)
    with under_uvicorn(ASGI(bare), ws="wsproto") as client:
        client.send(handshake())
        data = b""
        while b"\r\n\r\n" not in data:  # uvicorn loses frames that come with the handshake
            data += client.receive()
        client.send(_wire(sent).removeprefix(handshake()))
        too_big = frame(CLOSE, TOO_BIG[0].to_bytes(2, "big") + TOO_BIG[1].encode(), mask=None)
        return _converse(client, data, (NORMAL, too_big))  # it waits for the answer to each


def _converse(client: Client, data: bytes, answered: tuple[bytes, ...] = (NORMAL,)) -> list[Message | Close]:
    """What the client gets, behind the bytes that it has already.

    Args:
        answered: the frames of the Closes that it answers.
    """
    while True:
        if b"\r\n\r\n" in data and data.endswith(answered):
            client.send(frame(CLOSE, b"\x03\xe8"))
        piece = client.receive()
        if not piece:
            return _read(data)
        data += piece


async def _in_memory(observed: bool, app: App, sent: Sequence[Message | Close]) -> list[Message | Close]:
    async def run(exchange: Exchange) -> None:
        await app(ObservedExchange(exchange, Observed(), transport.session.unsent) if observed else exchange)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            transport = MemoryTransport(Service(run, Limits(), Timeouts()), VirtualClock(), group)
            await transport.client.send(_wire(sent))
            data = b""
            while piece := await transport.client.receive():
                data += piece
                if data.endswith(frame(CLOSE, b"\x03\xe8", mask=None)) and not transport.client.at_eof:
                    await transport.client.send(frame(CLOSE, b"\x03\xe8"))
            transport.client.disconnect()
    return _read(data)


class _Bare:
    """As much of a Servable as ASGI needs."""

    def __init__(self, app: App) -> None:
        self.app = app

    def observer(self) -> Observer:
        return Observer()

    def server_config(self) -> ServerConfig:
        return ServerConfig()

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        await self.app(exchange)


async def _behind_asgi(app: App, sent: Sequence[Message | Close]) -> list[Message | Close]:
    to_app: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    for item in sent:
        if isinstance(item, tuple):
            to_app.append({"type": "websocket.disconnect", "code": item[0], "reason": item[1]})
        else:
            kind = "text" if isinstance(item, str) else "bytes"
            to_app.append({"type": "websocket.receive", kind: item})
    got: list[Message | Close] = []
    state = "start"

    async def receive_message() -> dict[str, Any]:
        if not to_app:
            await anyio.sleep_forever()
        return to_app.pop(0)

    async def send_message(message: dict[str, Any]) -> None:
        nonlocal state
        kind = message["type"]
        if kind == "websocket.accept":
            assert state == "start"
            state = "open"
        elif kind == "websocket.send":
            assert state == "open"
            got.append(message["text"] if "text" in message else message["bytes"])
        else:
            assert kind == "websocket.close" and state == "open"
            state = "closed"
            got.append((message["code"], message["reason"]))

    scope = {
        "type": "websocket",
        "path": "/",
        "headers": [(b"host", b"test")],
        "client": ("192.0.2.1", 5000),
        "server": ("192.0.2.2", 80),
        "subprotocols": [],
    }
    bare: Any = _Bare(app)
    with anyio.fail_after(PATIENCE):
        await ASGI(bare)(scope, receive_message, send_message)
    if state == "open":
        # The client has closed, and a server echoes its Close by itself.
        got += [item for item in sent if isinstance(item, tuple)]
    return got


def talk(implementation: str, app: App, *sent: Message | Close) -> list[Message | Close]:
    """What a client gets that sends this at once and answers a Close with 1000."""
    failures: list[BaseException] = []

    async def run(exchange: Exchange) -> None:
        try:
            await app(exchange)
        except AssertionError as failure:
            failures.append(failure)

    if implementation in SOCKETS:
        got = _over_sockets(implementation, run, sent)
    elif implementation == "uvicorn":
        got = _behind_uvicorn(run, sent)
    elif implementation == "asgi":
        got = anyio.run(_behind_asgi, run, sent)
    else:
        got = anyio.run(_in_memory, implementation == "observed", run, sent)
    if failures:
        raise failures[0]
    return got


# ---- what is promised ----


def test_messages_both_ways_and_the_applications_close(implementation: str) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange)
        assert (exchange.status, exchange.committed, exchange.finished) == (101, True, False)
        assert (core.open, core.closed, core.code, core.subprotocol) == (True, False, None, None)
        for _ in range(2):
            message = await receive(exchange, core)
            assert message is not None
            await exchange.write(core.message(message))
        await close(exchange, core)
        assert (core.open, core.closed, core.code) == (False, True, 1000)
        with pytest.raises(EngineError):
            exchange.write(b"late")

    assert talk(implementation, app, "ä", b"b") == ["ä", b"b", (1000, "")]


def test_the_clients_close(implementation: str) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange)
        assert await receive(exchange, core) == "a"
        for _ in range(2):
            assert await receive(exchange, core) is None
        assert (core.open, core.closed, core.code, core.reason) == (False, True, 4000, "why")

    assert talk(implementation, app, "a", (4000, "why"))[-1] == (4000, "why")


@pytest.mark.parametrize(
    ("message", "limit", "passes"),
    [
        ("x" * 10, 10, True),
        ("x" * 11, 10, False),
        ("é" * 5, 10, True),  # a limit is in bytes
        ("é" * 10, 10, False),
        (b"x" * 10, 10, True),
        (b"x" * 11, 10, False),
        ("x" * 70_000, 69_999, False),
        ("x" * 70_000, None, True),
    ],
)
def test_a_limit_on_messages(implementation: str, message: Message, limit: int | None, passes: bool) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange, message_size=limit, deflate=False)
        got = await receive(exchange, core)
        if passes:
            assert got == message
            await close(exchange, core)
        else:
            assert got is None
            assert (core.open, core.closed, core.code, core.reason) == (False, True, *TOO_BIG)

    assert talk(implementation, app, message) == [(1000, "") if passes else TOO_BIG]


def test_what_may_not_be_sent(implementation: str) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange)
        for call, arguments, text in (
            (core.ping, (b"x" * 126,), "a ping or pong has at most 125 bytes"),
            (core.pong, (b"x" * 126,), "a ping or pong has at most 125 bytes"),
            (core.close, (1006, ""), "not a close code that may be sent: 1006"),
            (core.close, (1000, "x" * 124), "a close reason has at most 123 bytes"),
            (core.close, (1005, "why"), "a close reason needs a code"),
        ):
            with pytest.raises(ValueError) as caught:
                call(*arguments)  # type: ignore[operator]
            assert str(caught.value) == text
        payload, ping = core.ping(b"x" * 125)
        assert payload == b"x" * 125
        await exchange.write(ping)
        await exchange.write(core.pong(b""))
        assert core.open
        await close(exchange, core)

    assert talk(implementation, app) == [(1000, "")]


def test_a_connection_leaves_http_once(implementation: str) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange)
        with pytest.raises(ResponseStateError) as caught:
            switch(exchange)
        assert str(caught.value) == "the connection cannot leave HTTP any more"
        with pytest.raises(ResponseStateError):
            exchange.respond(200, (), b"")
        await close(exchange, core)

    assert talk(implementation, app) == [(1000, "")]


@pytest.mark.parametrize("none", [0, None])
@pytest.mark.parametrize("setting", ["waiting_messages", "waiting_bytes"])
def test_no_limit_on_the_messages_that_wait(implementation: str, setting: str, none: int | None) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange, **{setting: none})
        assert [await receive(exchange, core) for _ in range(40)] == ["x" * 2000] * 40
        await close(exchange, core)

    assert talk(implementation, app, *["x" * 2000] * 40) == [(1000, "")]


@pytest.mark.parametrize(("setting", "value"), [("waiting_messages", 1), ("waiting_bytes", 1)])
def test_a_message_that_may_not_wait_with_another(implementation: str, setting: str, value: int) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange, **{setting: value})
        assert [await receive(exchange, core) for _ in range(5)] == list("abcde")
        await close(exchange, core)

    assert talk(implementation, app, *"abcde") == [(1000, "")]


def test_a_write_to_a_websocket_that_is_closed(implementation: str) -> None:
    async def app(exchange: Exchange) -> None:
        core = switch(exchange)
        await close(exchange, core)
        assert exchange.finished
        with pytest.raises(ResponseStateError) as caught:
            exchange.write(b"late")
        assert str(caught.value) == "the WebSocket is closed"

    assert talk(implementation, app) == [(1000, "")]
