"""The bytes that a client sends, made before the time is measured, and a strict reader of responses.

All sizes are bytes. Nothing here is fast; the timed loops are in the other modules of this folder.
"""

import select
import socket
import ssl
from dataclasses import dataclass, field

LAST_CHUNK = b"0\r\n\r\n"
MARK = b"############"  # replaced by a counter of 12 digits, to make each request different
USUAL_FIELDS = b"Host: localhost\r\nUser-Agent: streamcompat-benchmarks/1\r\nAccept: */*\r\n"
UNIQUE_FIELDS = b"X-Request-Id: " + MARK + b"\r\nCookie: session=" + MARK + b"; theme=dark\r\n"


class WrongResponse(Exception):
    """The response is not what the workload asks for."""


def get(path: str, fields: bytes = b"") -> bytes:
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), USUAL_FIELDS, fields)


def unique_get() -> bytes:
    """A GET whose path, request id and cookie hold ``MARK``, to be replaced for every request."""
    return get(f"/item/{MARK.decode()}", UNIQUE_FIELDS)


def numbered(template: bytes, number: int) -> bytes:
    return template.replace(MARK, b"%012d" % number)


def post(path: str, *, wire: int, content_length: int | None = None) -> bytes:
    """The head of a POST; chunked without ``content_length``. ``wire`` is the body's size on the wire,
    framing included; only the raw-transport server looks at it."""
    if content_length is None:
        framing = b"Transfer-Encoding: chunked"
    else:
        framing = b"Content-Length: %d" % content_length
    return b"POST %b HTTP/1.1\r\n%b%b\r\nContent-Type: application/octet-stream\r\nX-Wire: %d\r\n\r\n" % (
        path.encode(),
        USUAL_FIELDS,
        framing,
        wire,
    )


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def framed_size(size: int) -> int:
    """Bytes on the wire of one chunk of ``size`` bytes."""
    return size + len(f"{size:x}") + 4


@dataclass
class Response:
    status: int
    fields: dict[str, str]
    body: bytes
    chunks: list[int] | None  # sizes of the chunks on the wire; None when the body is not chunked
    wire: int = 0  # bytes of the body on the wire


@dataclass
class ResponseReader:
    """Reads one response after another from a blocking socket, and records each chunk of a body."""

    connection: socket.socket
    buffered: bytearray = field(default_factory=bytearray)

    def _more(self) -> None:
        data = self.connection.recv(262144)
        if not data:
            raise WrongResponse("the server closed the connection in the middle of a response")
        self.buffered += data

    def _until(self, mark: bytes) -> bytes:
        searched = 0
        while (position := self.buffered.find(mark, searched)) < 0:
            searched = max(0, len(self.buffered) - len(mark))
            self._more()
        found = bytes(self.buffered[:position])
        del self.buffered[: position + len(mark)]
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self.buffered) < size:
            self._more()
        found = bytes(self.buffered[:size])
        del self.buffered[:size]
        return found

    def head(self) -> tuple[int, dict[str, str]]:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ")
        if version != "HTTP/1.1":
            raise WrongResponse(f"not an HTTP/1.1 response: {first[:40]!r}")
        fields = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        return int(status), fields

    def one_chunk(self) -> bytes:
        """The data of the next chunk; ``b""`` at the end of the body."""
        size = int(self._until(b"\r\n").partition(b";")[0], 16)
        data = self._exactly(size)
        if self._exactly(2) != b"\r\n":
            raise WrongResponse("a chunk does not end where its size says")
        return data

    def response(self) -> Response:
        status, fields = self.head()
        if "content-length" in fields:
            size = int(fields["content-length"])
            return Response(status, fields, self._exactly(size), None, size)
        if fields.get("transfer-encoding", "").lower() != "chunked":
            raise WrongResponse("the body has neither a Content-Length nor chunked framing")
        chunks: list[int] = []
        body = bytearray()
        while data := self.one_chunk():
            chunks.append(len(data))
            body += data
        wire = sum(map(framed_size, chunks)) + len(LAST_CHUNK)
        return Response(status, fields, bytes(body), chunks, wire)


def new_epoll() -> "select.epoll":
    if not hasattr(select, "epoll"):
        raise WrongResponse("needs epoll, which this system does not have")
    return select.epoll()


def connect(port: int, timeout: float = 20.0, tls: ssl.SSLContext | None = None) -> socket.socket:
    """A blocking connection to the server on loopback. ``timeout`` (seconds) holds for every call on it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection if tls is None else tls.wrap_socket(connection)
