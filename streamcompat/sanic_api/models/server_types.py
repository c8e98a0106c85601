"""What Sanic tells of a connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from streamcompat.kernel.request.request import BaseRequest
    from streamcompat_engine import Address

__all__ = ["ConnInfo", "Signal"]


class Signal:
    """`stopped` is True once the server that holds it has stopped."""

    stopped = False


# The application's own values live as long as the connection.
_contexts: WeakKeyDictionary[Any, SimpleNamespace] = WeakKeyDictionary()


class ConnInfo:
    """The two ends of a request's connection.

    Attributes:
        client, server: the addresses as text, IPv6 in brackets; the server's with its port unless it is the
            scheme's own.
        client_ip, client_port, server_port: their parts; empty and 0 on a Unix socket.
        peername, sockname: the addresses as the socket has them; `peername` is `None` on a Unix socket.
        ssl: whether it is TLS.
        ctx: a namespace for the application's own values, one for each connection.
    """

    client: str
    client_ip: str
    client_port: int
    server: str
    server_port: int
    peername: Address | None
    sockname: Any
    ssl: bool
    ctx: SimpleNamespace

    def __init__(self, request: BaseRequest) -> None:
        transport = request._origin.transport
        extra = getattr(transport, "get_extra_info", lambda name: None)
        self.sockname = extra("sockname")
        self.peername = request._origin.peer
        self.ssl = request._origin.scheme == "https"
        self.client, self.client_ip, self.client_port = "", "", 0
        self.server, self.server_port = "", 0
        if isinstance(self.sockname, str):
            self.server = self.sockname
        elif self.sockname:
            self.server, self.server_port = _bracketed(self.sockname[0]), self.sockname[1]
            if self.server_port != (443 if self.ssl else 80):
                self.server += f":{self.server_port}"
        if self.peername and self.peername[0]:
            self.client_ip, self.client_port = str(self.peername[0]), int(self.peername[1] or 0)
            self.client = _bracketed(self.client_ip)

    @classmethod
    def of(cls, request: BaseRequest) -> ConnInfo:
        """That of a request, with the namespace of its connection."""
        self = cls(request)
        try:
            self.ctx = _contexts.setdefault(request._origin.transport, SimpleNamespace())
        except TypeError:  # no transport, or one that cannot be remembered
            self.ctx = SimpleNamespace()
        return self


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
