"""`request.parts()` and what is below it: a multipart body part by part, however it is cut, however much."""

from __future__ import annotations

import threading
from contextlib import closing

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.kernel.request.multipart import HEADER_SIZE, PartHead, PartsParser, Sign, TooMuch
from streamcompat.kernel.request.parts import READ_LIMIT
from streamcompat_engine import ClientDisconnected
from tests.support.clients import connect_to
from tests.support.commands import PATIENCE
from tests.support.exchanges import ask
from tests.support.multipart import events_of
from tests.support.servers import serve_app

BOUNDARY = "----frontier"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
MEGABYTE = 1024 * 1024


def part(head: str, content: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


BODY = multipart(
    part('Content-Disposition: form-data; name="a"', b"1"),
    part(
        'content-disposition: form-data; name="f"; filename="../ä.bin"\r\nContent-Type: image/png\r\nX-A: b',
        b"\r\n--\0" * 9 + f"\r\n--{BOUNDARY[:-1]}".encode(),
    ),
    part('Content-Disposition: form-data; name="t"\r\nContent-Type: text/plain; charset=latin-1', b"\xe4"),
    part("Content-Type: text/css", b""),
)
PARTS = [
    ("a", None, "text/plain", b"1"),
    ("f", "../ä.bin", "image/png", b"\r\n--\0" * 9 + f"\r\n--{BOUNDARY[:-1]}".encode()),
    ("t", None, "text/plain", b"\xe4"),
    (None, None, "text/css", b""),
]


def parsed(pieces):
    """Each part as in `PARTS`, by the parser below."""
    parser = PartsParser(TYPE)
    parts = []
    for piece in pieces:
        for event in events_of(parser, piece):
            if isinstance(event, PartHead):
                head, content = event, b""
            elif isinstance(event, bytes):
                assert event
                content += event
            elif event is Sign.PART_END:
                parts.append((head.name, head.filename, head.content_type, content))
    parser.close()
    return parts


class TestTheParser:
    def test_cut_at_every_byte(self):
        for at in range(len(BODY) + 1):
            assert parsed([BODY[:at], BODY[at:]]) == PARTS, at

    def test_byte_by_byte_and_whole(self):
        assert parsed([BODY[at : at + 1] for at in range(len(BODY))]) == PARTS
        assert parsed([BODY]) == PARTS

    @given(st.lists(st.integers(0, len(BODY)), max_size=12))
    def test_cut_anywhere(self, cuts):
        places = [0, *sorted(cuts), len(BODY)]
        assert parsed([BODY[a:b] for a, b in zip(places, places[1:], strict=False)]) == PARTS

    @given(st.binary(max_size=200), st.lists(st.integers(0, 400), max_size=4))
    def test_any_content_comes_through(self, content, cuts):
        body = multipart(part('Content-Disposition: form-data; name="f"; filename="x"', content))
        places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        if f"\r\n--{BOUNDARY}".encode() in b"\r\n" + content:
            return
        pieces = [body[a:b] for a, b in zip(places, places[1:], strict=False)]
        assert parsed(pieces) == [("f", "x", "text/plain", content)]

    @given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, len(BODY)))
    def test_anything_else_is_refused_with_its_own_errors(self, pieces, at):
        parser = PartsParser(TYPE, 5)
        try:
            for piece in (BODY[:at], *pieces):
                events_of(parser, piece)
            parser.close()
        except (ValueError, TooMuch):
            pass

    def test_what_follows_the_last_boundary_is_ignored(self):
        assert parsed([BODY, b"epilogue", b"\r\n--" + BOUNDARY.encode()]) == PARTS


def receiving(app, handler, path="/", **options):
    app.post(path, **options)(handler)


@pytest.fixture(params=[True, False], ids=["streaming", "buffered"])
def streams(request):
    return request.param


def pieces_of(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


async def post(app, body, content_type=TYPE, size=7):
    return await ask(app, "POST", "/", *pieces_of(body, size), headers={"content-type": content_type})


class TestARequest:
    async def test_each_part_in_its_turn(self, flavour, streams):
        app, responses, _ = flavour
        seen = []

        async def handler(request):
            async for part in request.parts():
                content = b"".join([piece async for piece in part])
                seen.append((part.name, part.filename, part.content_type, content))
                assert await part.read() == b""
            return responses.text("ok")

        receiving(app, handler, stream=streams)
        assert (await post(app, BODY)).body == b"ok"
        assert seen == PARTS

    async def test_at_once_as_text_and_with_its_header(self, flavour, streams):
        app, responses, _ = flavour

        async def handler(request):
            parts = request.parts()
            first = await anext(parts)
            assert repr(first) == "<Part 'a'>"
            second = await anext(parts)
            assert (second.headers["x-a"], repr(second)) == ("b", "<Part 'f' '../ä.bin'>")
            third = await anext(parts)
            return responses.text(await third.text())

        receiving(app, handler, stream=streams)
        assert (await post(app, BODY)).body == "ä".encode()

    async def test_parts_that_nobody_reads_are_passed_by(self, flavour):
        app, responses, _ = flavour

        async def handler(request):
            parts = [part async for part in request.parts()]
            with pytest.raises(RuntimeError, match="<Part 'a'> was skipped"):
                await parts[0].read()
            return responses.text(" ".join(str(part.name) for part in parts))

        receiving(app, handler, stream=True)
        assert (await post(app, BODY)).body == b"a f t None"

    async def test_a_charset_that_nobody_knows(self, flavour):
        app, responses, _ = flavour

        async def handler(request):
            return responses.text(await (await anext(request.parts())).text())

        receiving(app, handler, stream=True)
        body = multipart(
            part('Content-Disposition: form-data; name="a"\r\nContent-Type: a; charset=x', b"1\xff")
        )
        assert (await post(app, body)).body == "1�".encode()

    async def test_no_more_is_read_than_what_is_asked_for(self, app):
        from streamcompat.sanic_api.response import text

        left = []

        async def handler(request):
            parts = request.parts()
            for _ in range(2):
                part = await anext(parts)
                left.append(len(request._exchange.pieces))
            await anext(part)
            left.append(len(request._exchange.pieces))
            return text("")

        receiving(app, handler, stream=True)
        head = 'Content-Disposition: form-data; name="a"'
        body = multipart(part(head, b"1"), part(head, b"x" * 1000))
        await post(app, body, size=10)
        total = len(pieces_of(body, 10))
        first, second, third = (total - pieces for pieces in left)
        assert first <= len(part(head, b"")) // 10 + 1
        assert second <= 2 * len(part(head, b"1")) // 10 + 1
        assert third <= second + 2

    @pytest.mark.parametrize(
        ("content_type", "body", "says"),
        [
            ("text/plain", b"x", "the body is not multipart"),
            ("multipart/form-data", b"x", "has no boundary"),
            (TYPE, b"nothing of the kind", "has no boundary"),
            (TYPE, b"", "has no boundary"),
            (TYPE, b"x" * 9000, "does not begin with its boundary"),
            (TYPE, BODY[:-20], "has no last boundary"),
            ("multipart/form-data; boundary=ä", b"", "multipart"),
        ],
    )
    async def test_a_broken_body_is_a_400(self, flavour, streams, content_type, body, says):
        app, _, _ = flavour

        async def handler(request):
            async for part in request.parts():
                await part.read()

        receiving(app, handler, stream=streams)
        exchange = await post(app, body, content_type)
        assert exchange.status == 400
        assert exchange.body.startswith(b"Error: Failed when parsing body as multipart: ")
        assert says in exchange.body.decode()

    async def test_what_is_too_much_is_a_413(self, flavour, streams):
        app, responses, _ = flavour
        limits = {}

        async def handler(request):
            async for part in request.parts(**limits):
                await part.read(8)
            return responses.text("ok")

        receiving(app, handler, stream=streams)
        name = 'Content-Disposition: form-data; name="a"'
        many = multipart(*[part(name, b"12345678")] * 1000)
        assert (await post(app, many, size=4096)).status == 200
        for body, says in (
            (multipart(*[part(name, b"")] * 1001), b"too many parts"),
            (multipart(part(name, b"123456789")), b"The part 'a' is longer than 8 bytes"),
            (
                multipart(part(f"{name}\r\nX: {'x' * 4000}\r\nY: {'y' * 4000}\r\nZ: {'z' * 400}", b"")),
                b"header",
            ),
        ):
            exchange = await post(app, body, size=4096)
            assert (exchange.status, says in exchange.body) == (413, True), exchange.body
        limits["most"] = 1
        assert (await post(app, many)).status == 413
        limits["most"] = None
        assert (await post(app, multipart(*[part(name, b"")] * 1001), size=4096)).status == 200

    @pytest.mark.parametrize("field", [f"X{'x' * 2 * HEADER_SIZE}: 1", f"X: {'x' * 2 * HEADER_SIZE}"])
    async def test_a_header_that_never_ends_is_not_gathered(self, flavour, field):
        app, _, _ = flavour

        async def handler(request):
            await anext(request.parts())

        receiving(app, handler, stream=True)
        exchange = await post(app, multipart(part(field, b"")), size=100)
        assert exchange.status == 413
        assert len(exchange.pieces) > 30

    async def test_a_client_that_is_gone(self, flavour):
        app, _, _ = flavour
        seen = []

        async def handler(request):
            try:
                async for part in request.parts():
                    seen.append(part.name)
            except ClientDisconnected:
                seen.append("gone")
                raise

        receiving(app, handler, stream=True)
        exchange = await ask(
            app, "POST", "/", BODY[:100], ClientDisconnected(), headers={"content-type": TYPE}
        )
        assert seen == ["a", "gone"]
        assert exchange.aborted


class TestOverASocket:
    def test_an_upload_that_is_larger_than_what_is_held(self, flavour, driver):
        app, responses, _ = flavour
        largest = []

        async def handler(request):
            sizes = {}
            async for part in request.parts():
                sizes[part.name] = 0
                async for piece in part:
                    largest.append(len(piece))
                    sizes[part.name] += len(piece)
            return responses.json(sizes)

        receiving(app, handler, stream=True, body_limit=None)
        files = {"a": ("a.bin", b"a" * (8 * MEGABYTE)), "b": ("b.bin", b"\r\n-" * MEGABYTE)}
        with serve_app(app, driver) as url:
            answer = httpx.post(url, files=files, timeout=PATIENCE)
        assert answer.json() == {"a": 8 * MEGABYTE, "b": 3 * MEGABYTE}
        assert max(largest) <= READ_LIMIT

    def test_a_client_that_leaves_in_the_middle(self, flavour, driver):
        app, responses, _ = flavour
        told = []
        ended = threading.Event()

        async def handler(request):
            try:
                async for part in request.parts():
                    async for _ in part:
                        pass
            except ClientDisconnected as error:
                told.append(type(error))
                raise
            finally:
                ended.set()

        receiving(app, handler, stream=True)
        with serve_app(app, driver) as url:
            with closing(connect_to(url)) as connection:
                head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {TYPE}\r\nContent-Length: 9999\r\n\r\n"
                connection.sendall(head.encode() + BODY[:100])
            assert ended.wait(PATIENCE)
        assert told == [ClientDisconnected]
