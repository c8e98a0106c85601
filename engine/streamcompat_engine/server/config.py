"""Where and how a server listens: values only; the docstring names the source of each default."""

from __future__ import annotations

import importlib.util
import socket
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..events import Fields
from ..exchange.origin import Origins
from ..limits import Limits, Timeouts
from .link import WorkerLink

Driver = Literal["asyncio", "anyio", "trio"]
Loop = Literal["asyncio", "uvloop", "trio"]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where and how a server listens.

    Attributes:
        host, port: a TCP address; port 0 lets the system choose. Every address of a name is bound.
        uds: the path of a Unix socket, in place of host and port.
        uds_mode: the mode of that socket's file, such as 0o660; `None` for what the umask leaves of 0o777.
        sockets: bound sockets, in place of an address or a path.
        driver: `"asyncio"` is the fast driver; `"anyio"` is the portable driver on asyncio, `"trio"` on trio.
        uvloop: use uvloop with the drivers on asyncio; `None`: if it is installed.
        backlog: connections that wait to be accepted; 2048 as in uvicorn.
        reuse_port: other servers of the same user may listen on the port, too, and the system shares out the
            connections; by default a port in use is an error.
        link: the link of a worker to the parent of several; see `Workers`. On SIGHUP a worker stops too, but
            each idle connection may bring one more request, since another worker replaces it.
        worker_timeout: seconds after which a worker without a sign of life, or one that is not ready, is
            killed; 30 as in gunicorn, `None` for never.
        ready_path: a path that is answered with 200 while the server serves and with 503 once it was told to
            stop; the application does not see these requests.
        health_path: a path that is answered with 200 for as long as the event loop runs.
        metrics_host, metrics_port: an address of its own for `/metrics`, `/health` and `/ready`, without TLS;
            `None` for none.
        metrics_sockets: bound sockets in place of that address.
        drain: seconds for which a server that was told to stop goes on accepting, with answers that close
            their connection, so that a load balancer can notice; 0.
        handle_signals: stop on SIGINT and SIGTERM, if the server runs in the main thread.
        max_requests, max_memory: requests served, and bytes of memory (the resident set), from which on a
            worker asks to be replaced; none.
        grace: seconds that running exchanges have to finish when the server stops; 15.
        ssl: a context for TLS; `None` for plain HTTP.
        renew_ssl: makes this context anew, from its files; called on SIGHUP. Connections that are there keep
            theirs. It raises OSError or ValueError if it cannot; then the context stays.
        concurrency: requests that may run at once, WebSockets included; the next one gets a 503. `None` for
            no limit.
        headers: fields of every response that does not have them by itself.
        date_header: whether responses have a Date (RFC 9110 §6.6.1); they should.
        origins: where requests come from if proxies are in front; `None` believes the connection alone.
        proxy_protocol: each connection must begin with the PROXY protocol, and its peer be trusted by this;
            needs the package proxy-protocol. `None` for connections without it.
        limits, timeouts: see `limits`.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    uds_mode: int | None = None
    sockets: tuple[socket.socket, ...] = ()
    driver: Driver = "asyncio"
    uvloop: bool | None = None
    backlog: int = 2048
    reuse_port: bool = False
    link: WorkerLink | None = None
    worker_timeout: float | None = 30.0
    ready_path: str | None = None
    health_path: str | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    metrics_sockets: tuple[socket.socket, ...] = ()
    handle_signals: bool = True
    max_requests: int | None = None
    max_memory: int | None = None
    drain: float = 0.0
    grace: float = 15.0
    ssl: tls.SSLContext | None = None
    renew_ssl: Callable[[], tls.SSLContext] | None = None
    concurrency: int | None = None
    headers: Fields = ()
    date_header: bool = True
    origins: Origins | None = None
    proxy_protocol: Origins | None = None
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def loop(self) -> Loop:
        """The event loop below the driver."""
        if self.driver == "trio":
            return "trio"
        if self.uvloop is None:
            return "uvloop" if importlib.util.find_spec("uvloop") is not None else "asyncio"
        return "uvloop" if self.uvloop else "asyncio"
