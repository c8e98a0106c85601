"""A relay between a client and a server that cuts both directions anew, and knows HTTP and UTF-8.

The rule: where it cuts follows from the seed, the number of the connection, the direction and the bytes of
the messages alone, and not from the pieces in which they come. Nothing is held back for longer than the
pauses, but for a head or a line of the framing that is not complete. What TLS hides is cut too: the relay is
the server of the client, and the client of the server.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import random
import re
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from streamcompat.testing import segments
from streamcompat.testing.canned import PAUSE
from streamcompat.testing.listener import Listener
from streamcompat.testing.messages import Messages, Part
from streamcompat.testing.remote.transport import client_context
from streamcompat.testing.tls_socket import TlsSocket

_READ: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)
"""The option with which closing a connection resets it."""
_CONNECT: Final = 10.0
"""Seconds that the server may take to accept a connection, and each side for a step of TLS's handshake."""
_DENSE: Final = 4096
"""Bytes of a message that are cut densely. Then cuts become rarer, so that a long message ends in time."""
_RAREST: Final = 1 / 256
"""How likely a cut is in the rest of a long message, compared to its beginning."""
_CHANCES: Final = (
    ("inside a UTF-8 character", re.compile(rb"[\x80-\xff][\x80-\xbf]"), 0.5),
    ("inside CR LF", re.compile(rb"\r\n"), 0.4),
    ("inside an empty line", re.compile(rb"\n[\r\n]"), 0.4),
    ("inside an escape", re.compile(rb"\\."), 0.4),
    ("after a line", re.compile(rb"\n."), 0.2),
    ("at a delimiter", re.compile(rb"[\"{}\[\],:;=&%-].|.[\"{}\[\],:;=&%-]"), 0.1),
    ("", re.compile(rb"..", re.DOTALL), 0.03),
)
"""What the two bytes beside a cut are, and how likely it is between them."""
_LIKELIEST: Final = max(chance for _, _, chance in _CHANCES)
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(rb"(?im)^(host:[ \t]*)[^\r\n]*")

Direction = Literal["request", "response"]
End = socket.socket | TlsSocket


class Cut(NamedTuple):
    """A cut that the relay made.

    Attributes:
        connection, message: their numbers, from 1 on.
        part: of the message: `"head"`, `"content"`, `"end"` or `"raw"`.
        offset: in that part of the message, without the framing of chunks.
        how: as a segment or as a chunk.
        where: what is cut there; `""` for nothing special.
    """

    connection: int
    direction: Direction
    message: int
    part: str
    offset: int
    how: Literal["segment", "chunk"]
    where: str

    def line(self) -> str:
        """The cut as a line of JSON."""
        return json.dumps(self._asdict())


class Choices:
    """Where one direction of a connection is cut.

    Args:
        made: told each cut.
    """

    def __init__(self, seed: int, connection: int, direction: Direction, made: Callable[[Cut], None]) -> None:
        self._random = random.Random(f"{seed}/{connection}/{direction}")
        self._joins = random.Random(seed)  # its draws depend on the pieces, so the others do not use it
        self._connection = connection
        self._direction = direction
        self._made = made
        self._message = 0
        self._part = ""
        self._offset = 0
        self._before = b""

    def pieces(self, part: Part) -> list[bytes]:
        """What is sent for a part, each piece a segment of its own."""
        if part.kind == "head":
            self._message += 1
        if part.kind != self._part or part.kind == "head":
            self._part, self._offset, self._before = part.kind, 0, b""
        if part.kind == "content" and part.chunked:
            return self._rechunked(part.data)
        data = b"0\r\n" + part.data if part.kind == "end" else part.data
        cuts = [at for at, _ in self._cuts(data, chunked=False)]
        return _divided(data, cuts)

    def _rechunked(self, data: bytes) -> list[bytes]:
        found = list(self._cuts(data, chunked=True))
        ends = [at for at, how in found if how == "chunk"]
        sent = [b""]
        start = 0
        for content in _divided(data, ends):
            within = [
                at - start for at, how in found if how == "segment" and start < at < start + len(content)
            ]
            first, *rest = _divided(content, within)
            sent[-1] += b"%x\r\n%b" % (len(content), first)
            sent += rest
            sent[-1] += b"\r\n"
            if self._joins.random() < 0.5:  # else the next chunk arrives with this one
                sent.append(b"")
            start += len(content)
        return [piece for piece in sent if piece]

    def _cuts(self, data: bytes, chunked: bool) -> Iterator[tuple[int, Literal["segment", "chunk"]]]:
        both = self._before + data
        first = len(self._before)
        for at in range(0 if first else 1, len(data)):
            # One draw for each byte, so that the next one does not depend on the pieces.
            draw = self._random.random()
            offset = self._offset + at
            density = max(min(1.0, _DENSE / (offset + 1)), _RAREST)
            if draw < _LIKELIEST * density:
                pair = both[at + first - 1 : at + first + 1]
                where, chance = next(((name, chance) for name, kind, chance in _CHANCES if kind.match(pair)))
                if draw < chance * density:
                    chunk = chunked and self._random.random() < 0.5
                    how: Literal["segment", "chunk"] = "chunk" if chunk else "segment"
                    self._made(Cut(*self._place(), self._part, offset, how, where))
                    yield at, how
        self._offset += len(data)
        self._before = both[-1:]

    def _place(self) -> tuple[int, Direction, int]:
        return self._connection, self._direction, self._message


def _divided(data: bytes, ends: list[int]) -> list[bytes]:
    places = [at for at in ends if 0 < at < len(data)]
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


class Relay:
    """A relay on an address of this machine. Use it in a `with` block.

    Args:
        upstream: the address of the server, such as `http://127.0.0.1:8000` or `https://127.0.0.1:8443`.
        seed: decides where to cut. The same connections, in the same order, are cut alike.
        host, port: where to listen.
        pause: seconds between two segments, once the peer has read the first one.
        made: told each cut, from several threads.
        tls: with a certificate, for clients that speak TLS; `None` for plain HTTP.
        insecure: do not check the certificate of a server on another machine. Those of this machine's own
            servers are never checked, as their users have made them.
    Raises: ValueError: `upstream` is no such address.
    """

    def __init__(
        self,
        upstream: str,
        seed: int = 0,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pause: float = PAUSE,
        made: Callable[[Cut], None] = lambda cut: None,
        tls: ssl.SSLContext | None = None,
        insecure: bool = False,
    ) -> None:
        url = urlsplit(upstream)
        if url.scheme not in _PORTS or not url.hostname or url.path not in ("", "/") or url.query:
            raise ValueError(f"{upstream!r} is not the address of a server, such as http://127.0.0.1:8000")
        self._upstream = (url.hostname, url.port or _PORTS[url.scheme])
        self._upstream_tls = url.scheme == "https"
        self._authority = url.netloc.rpartition("@")[2].encode(
            "idna" if not url.netloc.isascii() else "ascii"
        )
        self._seed = seed
        self._pause = pause
        self._made = made
        self._tls = tls
        self._insecure = insecure
        self._listener = Listener(self._serve, host, port)

    @property
    def url(self) -> str:
        """The address for the client; empty before the `with` block."""
        return self._listener.url if self._tls is None else self._listener.url.replace("http", "https", 1)

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)

    def _serve(self, plain: socket.socket, number: int) -> None:
        plain.settimeout(_CONNECT)
        client: End = plain if self._tls is None else TlsSocket(plain, self._tls)
        plain.settimeout(None)
        try:
            connected = socket.create_connection(self._upstream, _CONNECT)
        except OSError as error:
            self._fail(client, error)
            return
        with self._listener.kept(connected):
            try:
                server = self._spoken(connected)
            except OSError as error:
                self._fail(client, error)
                return
            connected.settimeout(None)
            methods: deque[str] = deque()
            there = threading.Thread(
                target=self._pump, args=(client, server, Messages(methods), number, "request"), daemon=True
            )
            there.start()
            self._pump(server, client, Messages(methods, responses=True), number, "response")
            there.join()

    def _spoken(self, connected: socket.socket) -> End:
        """The connection to the server, with TLS if it speaks that."""
        if not self._upstream_tls:
            return connected
        local = ipaddress.ip_address(connected.getpeername()[0].partition("%")[0]).is_loopback
        return TlsSocket(connected, client_context(not (local or self._insecure)), self._upstream[0])

    def _fail(self, client: End, error: OSError) -> None:
        """Tell the client why there is no connection to the server."""
        what: str | None = error.strerror
        if isinstance(error, ssl.SSLCertVerificationError):
            what = f"its certificate is not trusted: {error.verify_message}"
        elif isinstance(error, ssl.SSLError):
            what = f"it does not speak TLS: {error.reason or 'the handshake failed'}"
        why = f"{self._upstream[0]}:{self._upstream[1]}: {what or error}\n".encode()
        client.sendall(
            b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(why)
        )
        client.sendall(why)
        client.shutdown(socket.SHUT_WR)
        client.recv(_READ)  # the request: unread, it would reset the connection

    def _pump(
        self,
        source: End,
        sink: End,
        messages: Messages,
        number: int,
        direction: Direction,
    ) -> None:
        """Hand on one direction until it ends. A connection that is reset is reset on the other side too: an
        end would let a client take a part of a response for the whole."""
        choices = Choices(self._seed, number, direction, self._made)
        write = sink.sendall if isinstance(sink, TlsSocket) else None
        try:
            while data := _received(source, messages):
                for part in messages.feed(data):
                    if part.kind == "head" and direction == "request":
                        part = part._replace(data=_HOST.sub(rb"\g<1>" + self._authority, part.data, count=1))
                    segments.send(_plain(sink), choices.pieces(part), self._pause, write)
            sink.sendall(messages.rest())
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (_plain(source), _plain(sink)):
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RD)  # only wakes the other thread; closing resets it


def _plain(end: End) -> socket.socket:
    return end.plain if isinstance(end, TlsSocket) else end


def _received(source: End, messages: Messages) -> bytes:
    """What comes next. An end without a close of TLS counts as one only after a whole message, as it may be a
    loss (RFC 9112 §9.8)."""
    try:
        return source.recv(_READ)
    except ssl.SSLEOFError:
        if not messages.between:
            raise
        return b""
