from __future__ import annotations

import asyncio

import pytest

from streamcompat.mach9_api.http import BodyChannel, ReplyChannel
from streamcompat.sanic_api.request import StreamQueue
from streamcompat_engine import ClientDisconnected
from tests.support.exchanges import request_to

END = {"content": b"", "closed": False, "more_content": False}


@pytest.fixture(params=[BodyChannel, StreamQueue])
def stream(request):
    return request.param(request_to("POST", "/", b"a", b"b"))


class TestQueue:
    def test_it_is_a_queue(self, stream):
        assert isinstance(stream, asyncio.Queue)

    async def test_it_is_empty_at_the_end_of_the_body(self, stream):
        assert (stream.qsize(), stream.empty(), stream.full(), stream.maxsize) == (1, False, False, 0)
        assert [piece async for piece in stream] == [b"a", b"b"]
        assert (stream.qsize(), stream.empty()) == (0, True)

    async def test_done_and_joined_mean_nothing(self, stream):
        stream.task_done()
        await stream.join()
        assert not stream.empty()

    async def test_nothing_can_be_put_in_nor_taken_without_waiting(self, stream):
        with pytest.raises(RuntimeError, match="only the client"):
            stream.put_nowait(b"x")
        with pytest.raises(RuntimeError, match="only the client"):
            await stream.put(b"x")
        with pytest.raises(RuntimeError, match="await the read"):
            stream.get_nowait()

    def test_it_says_what_it_is(self, stream):
        assert repr(stream) == f"<{type(stream).__name__} open>"


class TestTheOtherFlavoursWords:
    @pytest.mark.parametrize("word", ["get", "read"])
    def test_sanics_words_on_a_body_of_mach9s_say_what_to_write(self, word):
        channel = BodyChannel(request_to("POST", "/", b"a"))
        with pytest.raises(
            AttributeError, match=rf"{word}\(\) is Sanic's: write `message = await request.stream.rec"
        ):
            getattr(channel, word)()
        assert not hasattr(channel, word)

    def test_mach9s_words_on_a_body_of_sanics_say_what_to_write(self):
        with pytest.raises(
            AttributeError, match=r"receive\(\) is Mach9's: write `body = await request.stream.get"
        ):
            StreamQueue(request_to("POST", "/", b"a")).receive()

    def test_sanics_words_on_a_channel_say_what_to_write(self):
        with pytest.raises(AttributeError, match=r"write\(\) is Sanic's: write `await channel.send"):
            ReplyChannel(request_to("GET", "/")).write(b"a")


class TestSanic:
    async def test_pieces_and_then_none_every_time(self):
        stream = StreamQueue(request_to("POST", "/", b"a", b"b"))
        assert [await stream.get() for _ in range(4)] == [b"a", b"b", None, None]

    async def test_its_later_name(self):
        assert await StreamQueue(request_to("POST", "/", b"a")).read() == b"a"

    async def test_a_client_that_leaves(self):
        stream = StreamQueue(request_to("POST", "/", b"a", ClientDisconnected()))
        assert await stream.get() == b"a"
        with pytest.raises(ClientDisconnected):
            await stream.get()

    async def test_a_response_drains_first(self):
        exchange = request_to("POST", "/", b"a", b"b")
        stream = StreamQueue(exchange)
        await stream.get()
        assert exchange.log == []
        exchange.start(200, [])
        assert await stream.get() == b"b"
        assert exchange.log == ["start", "drain"]


class TestMach9:
    async def test_messages_and_then_the_end_every_time(self):
        channel = BodyChannel(request_to("POST", "/", b"a", b"b"))
        assert [await channel.receive() for _ in range(4)] == [
            {"content": b"a", "closed": False, "more_content": True},
            {"content": b"b", "closed": False, "more_content": True},
            END,
            END,
        ]

    async def test_a_client_that_leaves(self):
        channel = BodyChannel(request_to("POST", "/", b"a", ClientDisconnected()))
        await channel.receive()
        gone = {"content": b"", "closed": True, "more_content": False}
        assert [await channel.receive(), await channel.receive()] == [gone, gone]

    async def test_each_message_is_another_dict(self):
        channel = BodyChannel(request_to("POST", "/"))
        (await channel.receive())["more_content"] = True
        assert await channel.receive() == END

    @pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
    async def test_sending_bytes(self, data):
        exchange = request_to("POST", "/")
        exchange.start(200, [])
        channel = ReplyChannel(exchange)
        await channel.send(data)
        await channel.send(b"")
        assert exchange.chunks == [b"ab"]
        assert exchange.awaited == 2

    @pytest.mark.parametrize(
        ("data", "advice"),
        [
            ("text", r"takes bytes, not str: pass text\.encode\(\)"),
            (5, r"takes bytes, not int: pass str\(value\)\.encode\(\)"),
            (None, "takes bytes, not NoneType"),
        ],
    )
    def test_sending_anything_else(self, data, advice):
        exchange = request_to("POST", "/")
        exchange.start(200, [])
        with pytest.raises(TypeError, match=advice):
            ReplyChannel(exchange).send(data)
        assert exchange.chunks == []


class TestReplyChannel:
    @pytest.mark.parametrize("empty", ["", b"", bytearray(), memoryview(b""), [], (), {}])
    async def test_what_has_no_length_sends_nothing(self, empty):
        """The original asked for the length before it looked at the kind."""
        exchange = request_to("GET", "/")
        exchange.start(200, [])
        channel = ReplyChannel(exchange)
        await channel.send(b"a")
        await channel.send(empty)
        await channel.send(b"b")
        assert exchange.chunks == [b"a", b"b"]
        assert not exchange.finished

    @pytest.mark.parametrize("wrong", ["text", ["a"], 1, 0, None, object()])
    def test_what_is_no_buffer(self, wrong):
        exchange = request_to("GET", "/")
        exchange.start(200, [])
        with pytest.raises(TypeError, match="channel.send.. takes bytes, not "):
            ReplyChannel(exchange).send(wrong)
