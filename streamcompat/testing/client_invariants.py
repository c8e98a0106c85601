"""The invariants of an HTTP client: what it makes of a response depends neither on where the network cuts the
response, nor is a response that is lost halfway taken for a whole one.

The rule: nothing is claimed that was not seen. The uncut response has to give the same value twice before any
cut is tried, and a lost response counts as taken for whole only where a whole response of the same bytes
gives the same value.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final, Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from streamcompat.testing import client_report, deliveries
from streamcompat.testing.canned import CannedResponse, Delivery
from streamcompat.testing.client_report import Failure, Made
from streamcompat.testing.cut_server import CutServer, as_response
from streamcompat.testing.cuts import Cuts

Fetch = Callable[[str], Any]

PATIENCE: Final = 10.0
"""Seconds after which a client counts as hanging."""
_TRIES: Final = 250
"""Pairs of fetches after which the reduction ends."""
_AGAIN: Final = 3
"""Times to try a cut again that makes a difference, so that a slow machine is no fault of the client."""
_HANGS: Final = 6
_TINY: Final = (
    b"ab", "é".encode(), b"a\n", b"a\nb", b"a\r\nb", "é\n".encode(), b"12", b'"a"', b'"\\u00e9"', b"{}\n",
    b'{"a":1}\n', b"data: a\n\n", "data: é\n\n".encode(), b"data: a\r\n\r\n", b"data: {}\n\n",
)  # fmt: skip
"""The smallest bodies that reveal the most common faults, the plainest first."""


class UnusableFetch(Exception):
    """The function cannot be judged; its text says why."""


def assert_client_boundary_invariant(
    fetch: Fetch,
    response: CannedResponse | bytes,
    *,
    most: int = deliveries.MOST,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that a client makes the same of a response wherever the network cuts it.

    The response is served on a free port of 127.0.0.1: at once, in the smallest pieces, with single cuts as
    segments and as HTTP chunks, with pauses, and with several cuts. A failure is reduced to the smallest
    response that shows it.

    Args:
        fetch: gets the address and returns what the client made of the response, or raises. It may be an
            `async` function. Its values are compared with `==`; what an iterator gives as a list.
        response: or the body of one.
        most: ways of cutting. All single cuts of a body of up to about 180 bytes are among 400.
        backend: of an async `fetch`: `"asyncio"` or `"trio"`. It runs in a thread of its own.
        patience: seconds after which a client counts as hanging; then its connection is closed.
    Raises: AssertionError: it depends; ValueError: the client fails without cuts, makes no request, or gives
        another value each time, so no comparison is possible.
    """
    __tracebackhide__ = True

    def check(client: Fetcher) -> Failure | None:
        return boundary(client, canned, most)

    canned = as_response(response)
    _check(fetch, canned, check, "the cuts matter", backend, patience)


def assert_client_detects_loss(
    fetch: Fetch,
    response: CannedResponse | bytes,
    *,
    most: int = deliveries.LOST,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that a client never takes a response for a whole one whose connection was lost, and ends.

    It has to raise an error, or to return what tells the loss. It may return the whole value if that has
    arrived, such as that of an event stream after its last event.

    Args:
        fetch, response, backend, patience: as for `assert_client_boundary_invariant`. Where a body with the
            framing `"close"` ends cannot be detected, so that is a ValueError.
        most: places at which the connection is lost. All of them are tried if there are not more.
    Raises: AssertionError; ValueError: as for `assert_client_boundary_invariant`.
    """
    __tracebackhide__ = True
    canned = as_response(response)
    if canned.framing == "close":
        raise ValueError("the loss of a body that ends with the connection cannot be detected (RFC 9112 §8)")

    def check(client: Fetcher) -> Failure | None:
        return loss(client, canned, most)

    _check(fetch, canned, check, "a loss is detected", backend, patience)


def _check(
    fetch: Fetch,
    response: CannedResponse,
    search: Callable[[Fetcher], Failure | None],
    question: str,
    backend: str,
    patience: float,
) -> None:
    """Run a search on a client, and raise what it finds."""
    __tracebackhide__ = True

    def check() -> Failure | None:
        with CutServer(response) as server, Fetcher(fetch, server, backend, patience) as client:
            _check_value(client, response)
            return search(client)

    try:
        failure = _outside_of_loops(check)
    except UnusableFetch as why:
        raise ValueError(f"cannot tell whether {question} for {response!r}: {why}") from None
    if failure is not None:
        raise AssertionError(str(failure))


def _check_value(client: Fetcher, response: CannedResponse) -> None:
    """Raises: UnusableFetch: it gives no value, whatever the response is."""
    whole = client.made(response)
    if whole.value is None and not whole.error and response.body:
        if whole.same(client.made(response.shortened(0))):
            raise UnusableFetch("it returns None, also for an empty body, so there is nothing to compare")


def _outside_of_loops(check: Callable[[], Failure | None]) -> Failure | None:
    """Call it in this thread, or in a new one if this thread runs an event loop: trio's loops cannot wait for
    each other."""
    try:
        anyio.get_current_task()
    except RuntimeError:
        return check()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(check).result()


class Fetcher:
    """Calls a `fetch` for one delivery after the other."""

    def __init__(self, fetch: Fetch, server: CutServer, backend: str, patience: float) -> None:
        self._fetch = fetch
        self._server = server
        self._backend = backend
        self._patience = patience
        self._portal: BlockingPortal | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def made(self, response: CannedResponse, delivery: Delivery = Delivery()) -> Made:  # noqa: B008
        """What the client makes of the response.

        Raises: UnusableFetch: it makes no request.
        """
        self._server.serve(response, delivery)
        self._server.requests.clear()
        hung = threading.Event()

        def give_up() -> None:
            hung.set()
            self._server.drop()

        timer = threading.Timer(self._patience, give_up)
        timer.daemon = True
        timer.start()
        try:
            value, error = self._value(self._fetch(self._server.url)), ""
        except Exception as failure:
            value, error = None, " ".join(f"{type(failure).__name__}: {failure}".split())
        finally:
            timer.cancel()
        if not self._server.requests and not hung.is_set():
            raise UnusableFetch(
                f"the function made no request to the URL that it got{f' ({error})' if error else ''}"
            )
        if hung.is_set():
            return Made(None, f"no end within {self._patience:g} s")
        return Made(value, error)

    def _value(self, value: Any) -> Any:
        if inspect.isawaitable(value) or isinstance(value, AsyncIterator):
            if self._portal is None:
                self._portal = self._stack.enter_context(start_blocking_portal(self._backend))
            value = self._portal.call(self._awaited, value)
        return list(value) if isinstance(value, Iterator) else value

    async def _awaited(self, value: Any) -> Any:
        with anyio.move_on_after(self._patience + 1):  # the timer has closed its connections by then
            if inspect.isawaitable(value):
                value = await value
            if isinstance(value, AsyncIterator):
                value = [item async for item in value]
            return value
        raise TimeoutError


def boundary(client: Fetcher, response: CannedResponse, most: int, reduces: bool = True) -> Failure | None:
    """The failure of a client whose value depends on the cuts, if it does.

    Args:
        reduces: whether the body may be changed to find a smaller failure.
    Raises: UnusableFetch.
    """
    whole = steady(client, response)
    failure = several = None
    for delivery in deliveries.cut(response, most):
        failure = differs(client, response, delivery, whole)
        if failure is not None and (failure.cut.hangs or delivery.count <= 2):
            break
        several = several or failure  # a single cut says more, if one suffices
    failure = failure or several
    if failure is None:
        return None
    steady(client, response)
    return FailureReduction(client, failure).result() if reduces else failure


def loss(client: Fetcher, response: CannedResponse, most: int) -> Failure | None:
    """The failure of a client that takes a lost response for a whole one, or hangs.

    Raises: UnusableFetch.
    """
    whole = steady(client, response)
    for delivery in deliveries.lost(response, most):
        failure = taken_for_whole(client, response, delivery, whole)
        if failure is not None:
            return failure
    return None


def differs(client: Fetcher, response: CannedResponse, delivery: Delivery, whole: Made) -> Failure | None:
    """The failure of a client that makes something else of this delivery, more than once."""
    cut = client.made(response, delivery)
    if whole.same(cut):
        return None
    again = cut.hangs or any(not whole.same(client.made(response, delivery)) for _ in range(_AGAIN))
    return Failure(response, delivery, whole, cut) if again else None


def steady(client: Fetcher, response: CannedResponse) -> Made:
    """What the client makes of the uncut response, twice.

    Raises: UnusableFetch: it fails, or gives another value each time.
    """
    whole, again = client.made(response), client.made(response)
    if whole.error:
        raise UnusableFetch(f"it fails without cuts: {whole.error}")
    if not whole.same(again):
        values = client_report.shown(whole, again)
        raise UnusableFetch(f"without cuts it returns another value each time: {values[0]}, then {values[1]}")
    return whole


def taken_for_whole(
    client: Fetcher, response: CannedResponse, delivery: Delivery, whole: Made
) -> Failure | None:
    """The failure of a client that takes a lost response for a whole one, or hangs."""
    got = client.made(response, delivery)
    if got.error:
        return Failure(response, delivery, whole, got) if got.hangs else None
    if whole.same(got):
        return None
    size = sum(response.offset(at) < (delivery.lost_at or 0) for at in range(len(response.content())))
    shorter = client.made(response.shortened(size))
    return Failure(response, delivery, whole, got, size) if shorter.same(got) else None


class FailureReduction:
    """Makes a failure smaller: the fewest bytes, and the plainest ones, in a bounded number of fetches."""

    def __init__(self, client: Fetcher, failure: Failure) -> None:
        self._client = client
        self._best = failure
        self._left = _HANGS if failure.cut.hangs else _TRIES

    def result(self) -> Failure:
        """The reduced failure."""
        self._plainer_framing()
        if not self._tiny():
            self._fewer_bytes()
            self._plainer_bytes()
        return self._best

    def _takes(self, response: CannedResponse, *ways: Delivery) -> bool:
        """Whether one of the ways fails for this response too; then it is the best failure."""
        whole: Made | None = None
        for delivery in ways:
            if self._left <= 0:
                return False
            self._left -= 1
            if whole is None:
                whole = self._client.made(response)
                if whole.error:
                    return False
            cut = self._client.made(response, delivery)
            if not whole.same(cut):
                self._best = Failure(response, delivery, whole, cut)
                return True
        return False

    def _plainer_framing(self) -> None:
        """Prefer a cut by the network to one by chunks, and no chunks and no coding at all."""
        best = self._best
        plain = replace(best.response, framing="length", trailers=(), chunks=(), encoding="")
        for response in (plain, replace(plain, encoding=best.response.encoding)):
            ends = best.delivery.chunks or self._in_content(best)
            ends = tuple(at for at in ends if 0 < at < len(response.content()))
            if self._takes(response, Delivery(ends), Delivery(deliveries.bytewise(response.content()))):
                return

    @staticmethod
    def _in_content(failure: Failure) -> Cuts:
        first = failure.response.offset(0)
        return tuple(at - first for at in failure.delivery.cuts)

    def _tiny(self) -> bool:
        best = self._best
        for body in _TINY:
            response = replace(best.response, body=body, chunks=())
            singles = range(1, len(response.content()))
            if best.delivery.chunks is not None:
                ways = [Delivery(chunks=(at,)) for at in singles]
            else:
                ways = [Delivery((response.offset(at),)) for at in singles]
            if len(body) < len(best.response.body) and self._takes(response, *ways):
                return True
        return False

    def _fewer_bytes(self) -> None:
        size = len(self._best.response.body) // 2
        while size and self._left > 0:
            start = len(self._best.response.body) - size
            removed = False
            while start >= 0:
                removed = self._without(start, start + size) or removed
                start -= size
            if size > 1 or not removed:
                size //= 2

    def _without(self, start: int, end: int) -> bool:
        best = self._best
        body = best.response.body[:start] + best.response.body[end:]
        begin = best.response.offset(0)

        def moved(ends: Cuts, first: int) -> Cuts:
            places = {at if at - first <= start else max(at - (end - start), start + first) for at in ends}
            return tuple(sorted(places))

        chunks = None if best.delivery.chunks is None else moved(best.delivery.chunks, 0)
        delivery = replace(best.delivery, cuts=moved(best.delivery.cuts, begin), chunks=chunks)
        return self._takes(replace(best.response, body=body, chunks=()), delivery)

    def _plainer_bytes(self) -> None:
        for at in range(len(self._best.response.body)):
            best = self._best
            body = best.response.body
            if body[at : at + 1].isalnum() and body[at] != ord("a"):
                response = replace(best.response, body=body[:at] + b"a" + body[at + 1 :])
                self._takes(response, best.delivery)
