"""What clients do to a server: `python -m tests.resilience.loads NAME '{"port": ..., ...}'`.

A load is a process of its own, so that its work is not the server's. It prints what it has to say as lines of
JSON, the last of them its result; some wait for a line on standard input in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.resilience.asking import OFFER, READ, RESET, answer, connect, get, heard, percentiles, post, say
from tests.support.floods import FLOODS

# ---- honest clients ----


async def honest(port: int, prefixes: list[str], clients: int, rate: float) -> None:
    """Ask at a steady pace on kept connections; says the latencies of each phase that a line ends."""
    times: list[float] = []
    failed = 0

    async def client(number: int) -> None:
        nonlocal failed
        path = f"{prefixes[number % len(prefixes)]}/text/{number}"
        reader, writer = await connect(port)
        due = time.monotonic() + random.random() * clients / rate
        while True:
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            begin = time.monotonic()
            try:
                writer.write(get(path))
                status, _, body = await answer(reader)
                assert (status, body) == (200, str(number).encode())
                times.append(time.monotonic() - begin)
            except (OSError, EOFError, AssertionError):
                failed += 1
                reader, writer = await connect(port)
            due = max(due + clients / rate, time.monotonic())

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    await asyncio.sleep(1.0)
    while True:
        times.clear()
        say(begun=True)
        await heard()
        say(**percentiles(times), count=len(times), failed=failed)
        assert tasks


# ---- slow heads ----


class SlowHead(asyncio.Protocol):
    """Sends the beginning of a request and is never done with it."""

    def __init__(self, connections: set[SlowHead], ended: Callable[[bytes], None]) -> None:
        self._connections = connections
        self._ended = ended
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)
        transport.write(b"GET / HTTP/1.1\r\nHost: test\r\nX: ")

    def data_received(self, data: bytes) -> None:
        self._received += data

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._ended(self._received)


async def slow_heads(port: int, prefixes: list[str], clients: int) -> None:
    """Keep this many connections with half a head: a byte a second, and a new one for each that is closed."""
    loop = asyncio.get_running_loop()
    connections: set[SlowHead] = set()
    statuses: dict[str, int] = {}
    missing = clients
    complete = asyncio.Event()

    def ended(received: bytes) -> None:
        nonlocal missing
        missing += 1
        status = received[9:12].decode() or "none"
        statuses[status] = statuses.get(status, 0) + 1

    async def another() -> None:
        await loop.create_connection(lambda: SlowHead(connections, ended), "127.0.0.1", port)

    async def keep() -> None:
        nonlocal missing
        while True:
            for connection in itertools.islice(connections.copy(), random.randrange(100), None, 100):
                connection.transport.write(b"v")
            now, missing = min(missing, 20), max(missing - 20, 0)
            made = await asyncio.gather(*(another() for _ in range(now)), return_exceptions=True)
            missing += sum(isinstance(one, BaseException) for one in made)
            if len(connections) >= clients * 0.98:
                complete.set()
            await asyncio.sleep(0.01)  # evenly, so that the server never has much to do at once

    task = asyncio.create_task(keep())
    await complete.wait()
    say(open=len(connections))
    await heard()
    say(open=len(connections), ended=statuses)
    assert task


# ---- slow bodies ----


async def slow_bodies(
    port: int, prefixes: list[str], clients: int, path: str, length: int, seconds: float
) -> None:
    """Send bodies at 20 bytes a second until the answer or the end; says when and what."""
    ends: list[float] = []
    statuses: dict[str, int] = {}

    async def client(number: int) -> None:
        reader, writer = await connect(port)
        begin = time.monotonic()
        writer.write(post(prefixes[number % len(prefixes)] + path, length))
        answered = asyncio.create_task(answer(reader))
        for _ in range(0, length, 20):
            done, _ = await asyncio.wait([answered], timeout=1.0)
            if done or time.monotonic() > begin + seconds:
                break
            writer.write(b"b" * 20)
        status = "none"
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            code, _, body = await asyncio.wait_for(answered, 10)
            status = str(code)
            if code == 200 and body != str(length).encode():
                status = "wrong"
        answered.cancel()
        ends.append(time.monotonic() - begin)
        statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    say(statuses=statuses, first=min(ends), last=max(ends))


# ---- clients that take nothing, and clients that leave ----


async def non_readers(port: int, prefixes: list[str], clients: int, size: int) -> None:
    """Ask for much, and read none of it."""
    loop = asyncio.get_running_loop()
    socks = []
    for number in range(clients):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, get(f"{prefixes[number % len(prefixes)]}/download/{size}"))
        socks.append(sock)
    say(open=len(socks))
    await heard()


async def vanishing(port: int, prefixes: list[str], clients: int, size: int) -> None:
    """Ask for much, read a tenth of it, and vanish: one half with a reset."""

    async def client(number: int) -> int:
        reader, writer = await connect(port)
        writer.write(get(f"{prefixes[number % len(prefixes)]}/download/{size}"))
        got = 0
        while got < size // 10:
            data = await reader.read(READ)
            assert data
            got += len(data)
        await asyncio.sleep(0.5)  # while the server goes on, to a client that takes nothing
        if number % 2:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        return got

    got = await asyncio.gather(*(client(number) for number in range(clients)))
    say(received=sum(got))


async def idle(port: int, prefixes: list[str], clients: int) -> None:
    """Ask once on each of many connections, and keep them."""
    writers = []
    for begin in range(0, clients, 100):

        async def client(number: int) -> asyncio.StreamWriter:
            reader, writer = await connect(port)
            writer.write(get(f"{prefixes[number % len(prefixes)]}/text/{number}"))
            assert (await answer(reader))[0] == 200
            return writer

        writers += await asyncio.gather(*(client(n) for n in range(begin, min(begin + 100, clients))))
    say(open=len(writers))
    await heard()
    for writer in writers:
        writer.close()
    say(open=0)
    await heard()


# ---- pipelining, long streams ----


async def pipelined(port: int, prefixes: list[str], count: int) -> None:
    """Send many requests at once; says the numbers that the answers bear."""
    order = []
    reader, writer = await connect(port)
    paths = [f"{prefixes[number % len(prefixes)]}/text/{number}" for number in range(count)]
    writer.write(b"".join(map(get, paths)))
    for _ in paths:
        status, _, body = await answer(reader)
        order.append(int(body) if status == 200 else -status)
    say(order=order)


async def download(port: int, prefixes: list[str], size: int) -> None:
    """Download as fast as it goes, from each prefix in turn; says the chunked body's bytes and seconds."""
    loop = asyncio.get_running_loop()
    begin, got = time.monotonic(), 0
    for prefix in prefixes:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, get(f"{prefix}/download/{size}", "Connection: close"))
            buffer = bytearray(READ * 4)
            tail = b""
            while count := await loop.sock_recv_into(sock, buffer):
                got += count
                tail = bytes(buffer[max(count - 7, 0) : count])
            assert tail.endswith(b"0\r\n\r\n"), "the download is cut"
    say(bytes=got, seconds=time.monotonic() - begin)


async def upload(port: int, prefixes: list[str], size: int) -> None:
    """Upload as fast as it goes, to each prefix in turn, chunked and by length."""
    loop = asyncio.get_running_loop()
    begin = time.monotonic()
    piece = b"u" * READ
    for index, prefix in enumerate(prefixes):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setblocking(False)
            chunked = index % 2 == 0
            wire = b"%x\r\n%b\r\n" % (READ, piece) if chunked else piece
            await loop.sock_sendall(sock, post(f"{prefix}/upload", None if chunked else size))
            for _ in range(size // READ):
                await loop.sock_sendall(sock, wire)
            if chunked:
                await loop.sock_sendall(sock, b"0\r\n\r\n")
            got = b""
            while not got.endswith(str(size).encode()):
                data = await loop.sock_recv(sock, READ)
                assert data, f"the upload is cut: {got!r}"
                got += data
    say(bytes=size * len(prefixes), seconds=time.monotonic() - begin)


# ---- WebSockets ----


async def floods(port: int, prefixes: list[str], clients: int) -> None:
    """Send what costs most on a WebSocket, as fast as the server takes it: another kind by each client, and
    again on a new connection where one is closed; then leave with a reset. Says the bytes."""
    sent = 0

    async def client(number: int) -> None:
        nonlocal sent
        flood = [*FLOODS.values()][number % len(FLOODS)]
        path = prefixes[number // len(FLOODS) % len(prefixes)] + "/sink"
        while True:
            reader, writer = await connect(port)
            try:
                writer.write(get(path, *OFFER))
                await reader.readuntil(b"\r\n\r\n")
                dropping = asyncio.create_task(drop(reader))
                writer.write(flood.before)
                while not dropping.done():
                    writer.write(flood.wire)
                    sent += len(flood.wire)
                    await writer.drain()
            except (OSError, EOFError):
                pass
            finally:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()

    async def drop(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(READ):
                pass

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    await asyncio.sleep(0.5)
    say(begun=True)
    await heard()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    say(sent=sent)


# ---- workers ----


async def steady(port: int, prefixes: list[str], fresh: int, kept: int) -> None:
    """Ask all the time, on fresh connections and on kept ones; says what failed, and begun when."""
    failures: list[tuple[float, str]] = []
    answered = {"fresh": 0, "kept": 0}
    seen: dict[str, float] = {}
    over = False

    def note(body: bytes) -> None:
        seen.setdefault(body.decode(), time.monotonic())

    async def ask_fresh(number: int) -> None:
        path = f"{prefixes[number % len(prefixes)]}/pid"
        while not over:
            begin = time.monotonic()
            try:
                reader, writer = await connect(port)
                writer.write(get(path, "Connection: close"))
                status, _, body = await answer(reader)
                assert status == 200
                note(body)
                answered["fresh"] += 1
                writer.close()
            except (OSError, EOFError, AssertionError) as error:
                failures.append((begin, f"fresh: {error!r}"))
            await asyncio.sleep(0.02)

    async def ask_kept(number: int) -> None:
        path = f"{prefixes[number % len(prefixes)]}/pid"
        streams = None
        while not over:
            begin = time.monotonic()
            try:
                if streams is None:
                    streams = await connect(port)
                streams[1].write(get(path))
                status, head, body = await answer(streams[0])
                assert status == 200
                note(body)
                answered["kept"] += 1
                if "connection: close" in head:
                    streams[1].close()
                    streams = None
            except (OSError, EOFError, AssertionError) as error:
                failures.append((begin, f"kept: {error!r}"))
                streams = None
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(ask_fresh(number)) for number in range(fresh)]
    tasks += [asyncio.create_task(ask_kept(number)) for number in range(kept)]
    say(begun=True)
    await heard()
    over = True
    await asyncio.gather(*tasks)
    say(failures=failures, answered=answered, seen=seen)


# ---- ends ----


async def refused(port: int, prefixes: list[str], clients: int, path: str, wire: str) -> None:
    """Send a body that is refused at once, go on sending, and read only when that fails or is done."""
    loop = asyncio.get_running_loop()
    read: dict[str, int] = {}

    async def client(number: int) -> None:
        size = 50_000_000
        length = None if wire else size
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                head = post(prefixes[number % len(prefixes)] + path, length)
                await loop.sock_sendall(sock, head + wire.encode())
                sent, end = 0, time.monotonic() + 5
                while sent < size and time.monotonic() < end:
                    await asyncio.wait_for(loop.sock_sendall(sock, b"b" * READ), 5)
                    sent += READ
            got = b""
            with contextlib.suppress(OSError, TimeoutError):
                while data := await asyncio.wait_for(loop.sock_recv(sock, READ), 5):
                    got += data
            head_read, _, body = got.partition(b"\r\n\r\n")
            status = got[9:12].decode() if head_read and body else "none"
            read[status] = read.get(status, 0) + 1

    for begin in range(0, clients, 10):
        await asyncio.gather(*(client(number) for number in range(begin, begin + 10)))
    say(read=read)


async def leaving(port: int, prefixes: list[str], clients: int, head: str) -> None:
    """Begin requests that never end and leave, one half with a reset; says how late the handlers knew."""
    left: dict[str, float] = {}

    async def client(number: int) -> None:
        name = f"{head}{number}"
        prefix = prefixes[number % len(prefixes)]
        _, writer = await connect(port)
        writer.write(
            get(f"{prefix}/watch/{name}") if head == "watch" else post(f"{prefix}/read/{name}", 1000)
        )
        await asyncio.sleep(0.5 + random.random())
        if number % 4 >= 2:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        left[name] = time.monotonic()
        writer.transport.abort()

    await asyncio.gather(*(client(number) for number in range(clients)))
    noticed: dict[str, float] = {}
    end = time.monotonic() + 10
    while not left.keys() <= noticed.keys() and time.monotonic() < end:
        await asyncio.sleep(0.2)
        reader, writer = await connect(port)
        writer.write(get(f"{prefixes[0]}/noticed", "Connection: close"))
        noticed = json.loads((await answer(reader))[2])
        writer.close()
    late = [noticed[name] - left[name] for name in left if name in noticed]
    say(**percentiles(late), noticed=len(late))


LOADS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        honest,
        slow_heads,
        slow_bodies,
        non_readers,
        vanishing,
        idle,
        pipelined,
        download,
        upload,
        floods,
        steady,
        refused,
        leaving,
    )
}


def raise_descriptors() -> None:
    """As many descriptors as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    raise_descriptors()
    asyncio.run(LOADS[sys.argv[1]](**json.loads(sys.argv[2])))
