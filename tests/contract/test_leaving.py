"""A client that leaves, and a response that is given up: alike on every exchange of the contract."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Exchange,
    ResponseStateError,
)
from tests.contract.suite import FIELDS, cannot, refused
from tests.support.implementations import ClientEnd, Request, converse


@pytest.mark.parametrize("policy", ["raise", "cancel", "ignore"])
def test_a_client_that_leaves_a_reader(implementation: str, policy: Any) -> None:
    seen: list[str] = []

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.on_disconnect = policy
        await end.send(b"a")
        assert await exchange.receive() == b"a"
        await end.leave()
        try:
            await anyio.lowlevel.checkpoint()
            await exchange.receive()
        except ClientDisconnected as error:
            seen.append(str(error))
            with pytest.raises(ClientDisconnected):
                await exchange.receive()
            raise
        except anyio.get_cancelled_exc_class() as error:
            seen.append("cancelled" if exchange.is_cancelled(error) else "another error")
            raise

    request = Request("POST", chunked=True, reads=False)
    if implementation == "fake" and policy != "cancel":
        with pytest.raises(ClientDisconnected):
            converse(implementation, app, request)
    else:
        converse(implementation, app, request)
    assert seen == ["cancelled" if policy == "cancel" else "the client is gone"]


@pytest.mark.parametrize("policy", ["raise", "cancel", "ignore"])
def test_a_client_that_leaves_a_writer(implementation: str, policy: Any) -> None:
    seen: list[str] = []

    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.on_disconnect = policy
        exchange.start(200, FIELDS)
        await exchange.write(b"x")
        await end.leave()
        try:
            with anyio.fail_after(10):
                while not exchange.disconnected:  # noqa: ASYNC110  # nobody announces it
                    await anyio.sleep(0.001)
                await anyio.lowlevel.checkpoint()
                for _ in range(10):
                    await exchange.write(b"x" * 10_000)
                    await anyio.lowlevel.checkpoint()
                assert not exchange.blocked or cannot(implementation, "back-pressure")
                exchange.finish()
            seen.append("returned")
        except ClientDisconnected as error:
            seen.append(str(error))
            with pytest.raises(ClientDisconnected):
                await exchange.drain()
            with pytest.raises(ClientDisconnected):
                exchange.finish()
        except anyio.get_cancelled_exc_class():
            seen.append("cancelled")
            raise

    answer = converse(implementation, app, Request(reads=False))
    assert seen == [{"raise": "the client is gone", "cancel": "cancelled", "ignore": "returned"}[policy]]
    assert not answer.complete


def test_a_response_that_is_given_up(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.start(200, FIELDS)
        await exchange.write(b"abc")
        exchange.abort()
        assert exchange.committed and not exchange.finished
        refused(ResponseStateError, "the response was cut", exchange.write, b"d")
        refused(ResponseStateError, "the response is finished", exchange.respond, 500, FIELDS, b"")

    answer = converse(implementation, app)
    assert (answer.body, answer.complete) == (b"abc", False)


def test_one_that_is_given_up_before_it_has_begun(implementation: str) -> None:
    async def app(exchange: Exchange, end: ClientEnd) -> None:
        exchange.abort()
        assert (exchange.status, exchange.committed, exchange.finished) == (None, False, False)
        refused(ResponseStateError, "the response is finished", exchange.respond, 200, FIELDS, b"")
        refused(ResponseStateError, "the response is finished", exchange.start, 200, FIELDS)

    assert converse(implementation, app).status == (500 if cannot(implementation, "no answer") else 0)
