"""The rules of a response on a wire that only notes what is put on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyLengthError,
    ClientDisconnected,
    EngineError,
    Fields,
    ResponseStateError,
)
from streamcompat_engine.exchange import response
from streamcompat_engine.exchange.response import (
    COMMITTED,
    CUT,
    FINISHED,
    NO_RESPONSE,
    REPLACED,
    STARTED,
    TRANSITIONS,
    WHOLE_RESPONSE,
    Body,
    State,
)
from streamcompat_engine.exchange.suspension import READY


class Noted(Body):
    """A body whose wire is a list."""

    def __init__(self, declared: int | None = None) -> None:
        super().__init__(declared, self._note)
        self.wire: list[object] = []
        self.told: list[int] = []

    def _note(self, added: int) -> Awaitable[None]:
        self.told.append(added)
        return READY

    def _put_head(self) -> None:
        self.wire.append("head")

    def _put_chunk(self, data: bytes) -> None:
        self.wire.append(data)

    def _put_end(self, trailers: Fields) -> None:
        self.wire.append(("end", trailers))


def test_the_head_goes_before_the_first_chunk_and_once() -> None:
    body = Noted()
    assert body.state is STARTED and not body.committed
    body.write(b"one")
    body.write(b"two")
    body.finish(((b"t", b"v"),))
    assert body.wire == ["head", b"one", b"two", ("end", ((b"t", b"v"),))]
    assert (body.state, body.sent, body.told) == (FINISHED, 6, [3, 3])


def test_an_empty_write_sends_the_head_alone() -> None:
    body = Noted()
    body.write(b"")
    assert (body.wire, body.state) == (["head"], COMMITTED)


@pytest.mark.parametrize("wrong", ["text", 1, None, ["list"]])
def test_what_is_not_bytes_puts_nothing_on_the_wire(wrong: object) -> None:
    body = Noted()
    with pytest.raises(TypeError, match="a chunk is bytes, not "):
        body.write(wrong)  # type: ignore[arg-type]
    assert (body.wire, body.state) == ([], STARTED)


def test_more_than_declared_is_refused_and_the_rest_may_follow() -> None:
    body = Noted(5)
    body.write(b"abc")
    with pytest.raises(BodyLengthError, match="more bytes than the Content-Length of 5"):
        body.write(b"def")
    body.write(b"de")
    body.finish()
    assert body.wire == ["head", b"abc", b"de", ("end", ())]


def test_less_than_declared_is_no_end() -> None:
    body = Noted(5)
    body.write(b"abc")
    with pytest.raises(BodyLengthError, match="3 bytes where Content-Length says 5"):
        body.finish()
    assert body.state is COMMITTED


def test_a_response_whose_head_was_not_sent_may_be_replaced() -> None:
    body = Noted()
    response.replace(body)
    assert body.state is REPLACED and not body.committed
    with pytest.raises(ResponseStateError, match="another response has taken this one's place"):
        body.write(b"late")
    assert body.wire == []


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda body: body.write(b""), "the response has begun"),
        (lambda body: body.finish(), "the response is finished"),
        (lambda body: body.cut(ResponseStateError("the response was cut")), "the response is finished"),
    ],
)
def test_no_other_may_be_replaced(prepare: Callable[[Body], object], message: str) -> None:
    body = Noted()
    prepare(body)
    with pytest.raises(ResponseStateError, match=message):
        response.replace(body)


def test_a_whole_response_is_finished_and_none_may_begin() -> None:
    response.replace(NO_RESPONSE)
    with pytest.raises(ResponseStateError, match="the response is finished"):
        response.replace(WHOLE_RESPONSE)


def test_nothing_is_written_before_a_response_is_started() -> None:
    with pytest.raises(ResponseStateError, match="the response has not been started"):
        response.not_started(b"x")


def test_the_first_reason_counts_until_writes_are_ignored() -> None:
    body = Noted()
    first = ClientDisconnected()
    body.fail(first)
    body.fail(ResponseStateError("second"))
    with pytest.raises(ClientDisconnected) as raised:
        body.write(b"x")
    assert raised.value is first
    body.ignore()
    body.write(b"x")
    assert body.wire == ["head", b"x"]


CALLS: dict[str, Callable[[Noted], object]] = {
    "write": lambda body: body.write(b"ab"),
    "commit": lambda body: body.write(b""),
    "finish": lambda body: body.finish(),
    "fail": lambda body: body.fail(ClientDisconnected()),
    "cut": lambda body: body.cut(ResponseStateError("the response was cut")),
    "replace": lambda body: response.replace(body),
}


@given(st.lists(st.sampled_from(list(CALLS)), max_size=8), st.sampled_from([None, 0, 2, 4]))
def test_any_calls_take_steps_of_the_table_and_leave_a_wire_that_is_whole_or_a_beginning(
    calls: list[str], declared: int | None
) -> None:
    body = Noted(declared)
    for call in calls:
        before, on_wire = body.state, len(body.wire)
        try:
            CALLS[call](body)
        except EngineError:
            assert (body.state, len(body.wire)) == (before, on_wire), "an error changes nothing"
        assert body.state is before or body.state in _reachable(before)
    data = [one for one in body.wire if isinstance(one, bytes)]
    assert body.wire[:1] == ["head"] * bool(body.wire)
    assert sum(map(len, data)) == body.sent
    ended = [one for one in body.wire if isinstance(one, tuple)]
    assert len(ended) == (body.state is FINISHED)
    if ended:
        assert body.wire[-1] is ended[0]
        assert declared is None or body.sent == declared


def _reachable(state: State) -> set[State]:
    found = set(TRANSITIONS[state])
    for _ in State:
        found |= {after for known in found for after in TRANSITIONS[known]}
    return found


def test_an_end_is_an_end() -> None:
    assert all(not TRANSITIONS[state] for state in (FINISHED, CUT, REPLACED))
