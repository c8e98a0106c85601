from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from streamcompat.kernel.response.files import ContentRange, file_headers, pieces, read
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import exceptions
from streamcompat.sanic_api import response as sanic_response
from streamcompat.sanic_api.dialect import SANIC
from tests.support.exchanges import ask

STATS = os.stat_result([0] * 6 + [10] + [0] * 3)


def range_of(field, stats=STATS):
    headers = {} if field is None else {"Range": field}
    return ContentRange(SimpleNamespace(headers=headers), stats, SANIC)


class TestRange:
    @pytest.mark.parametrize(
        ("field", "first", "last"),
        [
            ("bytes=0-0", 0, 0),
            ("bytes=2-5", 2, 5),
            ("bytes = 2 - 5", 2, 5),
            ("bytes=4-", 4, 9),
            ("bytes=-3", 7, 9),
            ("bytes=-30", 0, 9),
            ("bytes=8-100", 8, 9),
        ],
    )
    def test_first_and_last_byte(self, field, first, last):
        part = range_of(field)
        assert (part.start, part.end, part.size, part.total) == (first, last, last - first + 1, 10)
        assert part.headers == {"Content-Range": f"bytes {first}-{last}/10"}
        assert part

    @pytest.mark.parametrize(
        ("field", "error"),
        [
            (None, exceptions.HeaderNotFound),
            ("lines=1-2", exceptions.InvalidRangeType),
            ("bytes=-", exceptions.ContentRangeError),
            ("bytes=x-2", exceptions.ContentRangeError),
            ("bytes=1-x", exceptions.ContentRangeError),
            ("bytes=1--2", exceptions.ContentRangeError),
            ("bytes=5-2", exceptions.ContentRangeError),
            ("bytes=10-", exceptions.ContentRangeError),
            ("bytes=-0", exceptions.ContentRangeError),
            ("bytes=0-1,3-4", exceptions.ContentRangeError),
            ("bytes=²-3", exceptions.ContentRangeError),
        ],
    )
    def test_what_is_none(self, field, error):
        with pytest.raises(error) as caught:
            range_of(field)
        if error is not exceptions.HeaderNotFound:
            assert caught.value.status_code == 416
            assert caught.value.headers["Content-Range"] == "bytes */10"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"0123456789")
    return path


async def test_pieces(file):
    assert [piece async for piece in pieces(file, size=4)] == [b"0123", b"4567", b"89"]
    assert [piece async for piece in pieces(file, range_of("bytes=2-7"), 4)] == [b"2345", b"67"]
    assert await read(str(file)) == b"0123456789"
    assert await read(file, range_of("bytes=-1")) == b"9"


async def test_a_range_of_a_file_that_has_shrunk(file):
    part = range_of("bytes=2-9")
    file.write_bytes(b"0123")
    assert await read(file, part) == b"23"


def test_header_fields():
    fields, kind = file_headers("/a/b.csv", None, {"X-A": "b"}, "c.png")
    assert dict(fields) == {"X-A": "b", "Content-Disposition": 'attachment; filename="c.png"'}
    assert kind == "image/png"
    assert file_headers("/a/b.unknown", None, None)[1] == "text/plain"
    assert file_headers("/a/b.csv", "x/y", None)[1] == "x/y"


@pytest.mark.parametrize("response", [sanic_response, mach9_response])
async def test_file(response, file):
    answer = await response.file(str(file), mime_type="x/y", headers={"A": "b"})
    assert (answer.body, answer.status, answer.content_type) == (b"0123456789", 200, "x/y")
    part = await response.file(file, _range=range_of("bytes=1-2"))
    assert part.body == b"12"
    assert part.headers["content-range"] == "bytes 1-2/10"
    with pytest.raises(FileNotFoundError):
        await response.file(str(file) + "x")


async def test_file_stream(file, app):
    @app.get("/")
    async def handler(request):
        return await sanic_response.file_stream(file, chunk_size=4, filename="x.csv")

    exchange = await ask(app, "GET", "/")
    assert exchange.chunks == [b"0123", b"4567", b"89"]
    assert exchange.field("content-disposition") == 'attachment; filename="x.csv"'
    assert exchange.field("content-type") == "text/csv"
