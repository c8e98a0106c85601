from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pytest

from streamcompat.kernel.response.files import (
    MOST_RANGES,
    ContentRange,
    FileShrunk,
    OpenFile,
    file_headers,
    pieces,
    read,
    satisfiable_ranges,
)
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
            ("BYTES=2-5", 2, 5),
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
    read_so_far = pieces(file, part)
    assert await anext(read_so_far) == b"23"
    with pytest.raises(FileShrunk, match="6 bytes less"):
        await anext(read_so_far)
    with pytest.raises(FileShrunk):
        await read(file, part)


def test_header_fields():
    fields, kind = file_headers("/a/b.csv", None, {"X-A": "b"}, "c.png")
    assert dict(fields) == {"X-A": "b", "Content-Disposition": 'attachment; filename="c.png"'}
    assert kind == "image/png"
    name = "a\\\\\"; filename*=UTF-8''evil.exe"
    quoted = 'attachment; filename="a\\\\\\\\\\"; filename*=UTF-8\'\'evil.exe"'
    assert file_headers("/a/b", None, None, name)[0]["Content-Disposition"] == quoted
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


@pytest.mark.parametrize(
    ("field", "ranges"),
    [
        ("bytes=0-0,-1", [(0, 1), (9, 1)]),
        ("Bytes=5-6 , 1-2", [(5, 2), (1, 2)]),
        ("bytes=,2-3,,", [(2, 2)]),
        ("bytes=0-1,20-30", [(0, 2)]),
        ("bytes=20-,-0,4-4", [(4, 1)]),
        ("bytes=5-2,4-4", [(4, 1)]),
        ("bytes=20-30,40-", []),
        ("bytes=-0", []),
        ("bytes=x", []),
        ("bytes=", []),
        ("bytes=1-2,x", None),
        ("bytes=0-,0-,0-", None),
        ("bytes=0-5,5-9", None),
        ("lines=1-2", None),
        ("bytes", []),
        ("", None),
        ("bytes=" + ",".join(["0-0"] * 11), None),
        ("bytes=" + ",".join(["20-"] * MOST_RANGES), []),
        ("bytes=" + ",".join(["20-"] * (MOST_RANGES + 1)), None),
    ],
)
def test_ranges_that_a_file_of_ten_bytes_has(field, ranges):
    assert satisfiable_ranges(field, 10) == ranges


@pytest.mark.parametrize(
    ("field", "ranges"),
    [("bytes=-5", None), ("bytes=0-1, - 5", None), ("bytes=-0", []), ("bytes=-00", []), ("bytes=0-", [])],
)
def test_ranges_that_an_empty_file_has(field, ranges):
    """RFC 9110 §14.1.2: its last bytes are satisfiable, so they are no 416."""
    assert satisfiable_ranges(field, 0) == ranges


class Growing:
    """A file that is appended to, or cut, whenever its content is read."""

    def __init__(self, path, change):
        self.path, self.change = path, change

    def install(self, monkeypatch):
        taken = OpenFile.read

        def read_and_change(file, start, size):
            data = taken(file, start, size)
            self.change(self.path)
            return data

        monkeypatch.setattr(OpenFile, "read", read_and_change)


def grow(path):
    with open(path, "ab") as file:
        file.write(b"x" * 7)


def shrink(path):
    os.truncate(path, 5)


@pytest.mark.parametrize("respond", [sanic_response.file, mach9_response.file, sanic_response.file_stream])
@pytest.mark.parametrize("announces", [True, False])
async def test_a_file_that_grows_is_sent_as_it_was(respond, announces, file, app, monkeypatch):
    headers = {"Content-Length": "10"} if announces else None
    Growing(file, grow).install(monkeypatch)
    sizes = {"chunk_size": 4} if respond is sanic_response.file_stream else {}
    app.get("/")(handler_of(respond, file, headers=headers, **sizes))
    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.text, exchange.aborted) == (200, "0123456789", False)


@pytest.mark.parametrize("respond", [sanic_response.file, mach9_response.file, sanic_response.file_stream])
async def test_a_length_that_was_taken_before_the_file_grew(respond, file, app):
    headers = {"Content-Length": str(file.stat().st_size)}
    grow(file)
    app.get("/")(handler_of(respond, file, headers=headers))
    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.text) == (200, "0123456789")


@pytest.mark.parametrize("announces", [True, False])
async def test_a_streamed_file_that_shrinks_is_cut(announces, file, app, monkeypatch):
    headers = {"Content-Length": "10"} if announces else None
    Growing(file, shrink).install(monkeypatch)
    app.get("/")(handler_of(sanic_response.file_stream, file, chunk_size=4, headers=headers))
    exchange = await ask(app, "GET", "/")
    assert (exchange.status, exchange.chunks) == (200, [b"0123", b"4"])
    assert exchange.aborted and not exchange.finished


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="there is no /proc")
@pytest.mark.parametrize("respond", [sanic_response.file, mach9_response.file, sanic_response.file_stream])
async def test_a_file_without_a_size(respond, app):
    app.get("/")(handler_of(respond, "/proc/cpuinfo"))
    exchange = await ask(app, "GET", "/")
    assert exchange.status == 200 and "processor" in exchange.text


async def test_a_fifo_is_streamed(tmp_path, app):
    os.mkfifo(tmp_path / "fifo")
    app.get("/")(handler_of(sanic_response.file_stream, tmp_path / "fifo"))
    writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(b"x" * 10_000,))
    writer.start()
    exchange = await ask(app, "GET", "/")
    writer.join()
    assert exchange.text == "x" * 10_000


def handler_of(respond, *arguments, **options):
    async def handler(request):
        return await respond(*arguments, **options)

    return handler
