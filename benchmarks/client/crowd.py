"""A crowd of connections in a process of its own, which can vanish at once.

``python -m benchmarks.client.crowd PORT KIND COUNT``; KIND is ``idle`` (a GET is answered, then nothing),
``stream`` (an event of 100 bytes each second) or ``websocket``. It prints ``ready`` when all connections
stand. Then each line on its standard input is a command: ``turn`` sends a message on each WebSocket, waits
for all that come back, and prints the seconds. Its end closes all connections: SIGKILL makes them vanish at
once.
"""

import os
import select
import socket
import sys
import time

from benchmarks import machine
from benchmarks.client import wire
from benchmarks.client.wire import ResponseReader, WrongResponse

SECOND = 1000  # milliseconds between two events of a stream
EVENTS = 1_000_000
MESSAGE = b"hello"
ANSWER = b"\x81\x05hello"
PING = b"\x89"
HANDSHAKE = wire.get(
    "/ws",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
)


def frame() -> bytes:
    """The message as a client sends it: masked (RFC 6455, section 5.3)."""
    mask = os.urandom(4)
    return b"\x81\x85" + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(MESSAGE))


def pong(data: bytes) -> bytes:
    """The answer to the ping in ``data``, with a mask of zeros."""
    _, _, ping = data.partition(PING)
    return b"\x8a" + bytes([0x80 | ping[0]]) + bytes(4) + ping[1 : 1 + ping[0]]


def joined(port: int, kind: str) -> socket.socket:
    """A connection of the crowd, after its first answer."""
    connection = wire.connect(port, timeout=60.0)
    if kind == "websocket":
        connection.sendall(HANDSHAKE)
        status, _ = ResponseReader(connection).head()
        expected = 101
    elif kind == "stream":
        connection.sendall(wire.get(f"/slow/{EVENTS}/{SECOND}"))
        status, _ = ResponseReader(connection).head()
        expected = 200
    else:
        connection.sendall(wire.get("/"))
        status, expected = ResponseReader(connection).response().status, 200
    if status != expected:
        raise WrongResponse(f"the status is {status}, not {expected}")
    return connection


def turn(connections: dict[int, socket.socket], poller: "select.epoll") -> float:
    """A message on each connection; the seconds until the last has come back."""
    begin = time.perf_counter()
    data = frame()
    for connection in connections.values():
        connection.sendall(data)
    missing = dict.fromkeys(connections, b"")
    while missing:
        ready = poller.poll(60.0)
        if not ready:
            raise WrongResponse(f"{len(missing)} messages did not come back within a minute")
        for number, _ in ready:
            data = connections[number].recv(4096)
            if not data:
                raise WrongResponse("the server closed a WebSocket")
            if PING in data:
                connections[number].sendall(pong(data))
            if number in missing:
                missing[number] += data
                if ANSWER in missing[number]:
                    del missing[number]
    return time.perf_counter() - begin


def main(arguments: list[str]) -> None:
    port, kind, count = int(arguments[0]), arguments[1], int(arguments[2])
    machine.raise_file_limit()
    poller = wire.new_epoll()
    connections: dict[int, socket.socket] = {}
    for _ in range(count):
        connection = joined(port, kind)
        connections[connection.fileno()] = connection
        poller.register(connection.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    if kind == "stream":
        _read_for_ever(connections, poller)
    for line in sys.stdin:
        if line.strip() == "turn":
            print(turn(connections, poller), flush=True)


def _read_for_ever(connections: dict[int, socket.socket], poller: "select.epoll") -> None:
    poller.register(sys.stdin.fileno(), select.EPOLLIN)
    while True:
        for number, _ in poller.poll():
            if number == sys.stdin.fileno():
                return
            if not connections[number].recv(65536):
                raise WrongResponse("the server ended a stream")


if __name__ == "__main__":
    main(sys.argv[1:])
