"""Many connections at once: idle connections, and slow streams that all run at the same time."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.client import wire
from benchmarks.client.streams import RECEIVE, quiet
from benchmarks.client.wire import LAST_CHUNK, ResponseReader, WrongResponse


def idle_connections(port: int, request: bytes, count: int) -> list[socket.socket]:
    """``count`` keep-alive connections that have received one answer each."""
    connections = []
    for _ in range(count):
        connection = wire.connect(port)
        connections.append(connection)
        connection.sendall(request)
        if ResponseReader(connection).response().status != 200:
            raise WrongResponse("the status is not 200")
    return connections


@dataclass
class SlowStreams:
    """The figures of the streams. Times are seconds."""

    complete: int = 0  # streams that ended with their last chunk and all their bytes
    cut: int = 0
    seconds: float = 0.0  # from the start of the last stream to the end of all
    gaps: list[float] = field(default_factory=list)  # between two arrivals on one stream


def slow_streams(
    port: int, request: bytes, count: int, least: int, limit: float, halfway: Callable[[], None]
) -> SlowStreams:
    """Start ``count`` streams, each after the one before has begun, and read all to their end.

    ``least`` is the number of body bytes of each. ``halfway`` is called when all are running.
    After ``limit`` seconds, streams that are still open count as cut.
    """
    result = SlowStreams()
    poller = wire.new_epoll()
    sockets: dict[int, socket.socket] = {}
    received: dict[int, int] = {}
    arrived: dict[int, float] = {}
    last: dict[int, bytes] = {}
    clock = time.perf_counter
    try:
        for _ in range(count):
            connection = wire.connect(port)
            sockets[connection.fileno()] = connection
            connection.sendall(request)
            start = connection.recv(4096)
            if not start.startswith(b"HTTP/1.1 200"):
                raise WrongResponse(f"the answer is {start[:40]!r}")
            received[connection.fileno()] = len(start)
            last[connection.fileno()] = start[-5:]
            poller.register(connection.fileno(), select.EPOLLIN)
        halfway()
        begin = clock()
        end = begin + limit
        with quiet():
            while sockets and clock() < end:
                for number, _ in poller.poll(1.0):
                    try:
                        size = sockets[number].recv_into(RECEIVE)
                    except ConnectionError:
                        size = 0
                    now = clock()
                    if number in arrived:
                        result.gaps.append(now - arrived[number])
                    arrived[number] = now
                    received[number] += size
                    tail = bytes(RECEIVE[max(0, size - 5) : size])
                    last[number] = (last[number] + tail)[-5:]
                    if size == 0 or (last[number] == LAST_CHUNK and received[number] > least):
                        poller.unregister(number)
                        sockets.pop(number).close()
                        result.complete += size > 0
                        result.cut += size == 0
        result.seconds = clock() - begin
        result.cut += len(sockets)
    finally:
        poller.close()
        for connection in sockets.values():
            connection.close()
    return result
