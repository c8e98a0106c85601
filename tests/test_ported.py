"""What ported apps call: each does what Sanic's words did."""

from __future__ import annotations

import pytest

from streamcompat import ported
from streamcompat.mach9_api import exceptions as mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.ported import abort, content, encoded
from streamcompat.sanic_api import exceptions as sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import ClientDisconnected


def test_content_gives_pieces_then_none() -> None:
    assert content({"content": b"piece", "more_content": True, "closed": False}) == b"piece"
    assert content({"content": b"", "more_content": False, "closed": False}) is None


def test_content_tells_a_cut_body_from_a_whole_one() -> None:
    with pytest.raises(ClientDisconnected):
        content({"content": b"", "more_content": False, "closed": True})


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("é", "é".encode()),
        (b"\xff", b"\xff"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"b"), b"b"),
        (12, b"12"),
        (1.5, b"1.5"),
        (None, b"None"),
        ([1], b"[1]"),
        ("", b""),
    ],
)
def test_encoded_gives_what_write_sends(written: object, sent: bytes) -> None:
    assert encoded(written) == sent


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, mach9.InvalidUsage),
        (401, ported.Unauthorized),
        (403, ported.Forbidden),
        (404, mach9.NotFound),
        (405, mach9.Mach9Exception),
        (413, mach9.PayloadTooLarge),
        (429, mach9.Mach9Exception),
        (500, mach9.ServerError),
        (503, ported.ServiceUnavailable),
    ],
)
def test_abort_raises_mach9s_exceptions_with_sanics_messages(
    status: int, error: type[mach9.Mach9Exception]
) -> None:
    for given in ((), ("why",)):
        with pytest.raises(sanic.SanicException) as theirs:
            sanic.abort(status, *given)
        with pytest.raises(mach9.Mach9Exception) as ours:
            abort(status, *given)
        assert type(ours.value) is error
        assert str(ours.value) == str(theirs.value)
        assert ours.value.status_code == theirs.value.status_code == status
        assert ours.value.headers == theirs.value.headers


def test_a_class_that_is_given_a_status_is_what_abort_raises_for_it() -> None:
    @ported.add_status_code(499)
    class Left(mach9.Mach9Exception):
        pass

    with pytest.raises(Left, match="gone"):
        abort(499, "gone")


def test_responses_of_both_flavours_are_told_apart_as_sanics_classes_do() -> None:
    async def nothing(out: object) -> None:
        pass

    whole = (sanic_response.text("a"), mach9_response.text("a"), sanic_response.redirect("/"))
    streamed = (sanic_response.stream(nothing), mach9_response.stream(nothing))
    for response in (*whole, *streamed, "a"):
        assert isinstance(response, ported.WholeResponse) is (response in whole)
        assert isinstance(response, (ported.StreamedResponse, int)) is (response in streamed)


def test_its_names() -> None:
    ours = {name for name, one in vars(ported).items() if getattr(one, "__module__", "") == ported.__name__}
    assert {name for name in ours if not name.startswith("_")} == set(ported.__all__)
