"""Listening sockets: bound before any code of the application runs, and closed at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from typing import Final

from .config import ServerConfig

_LOCK_TRIES: Final = 100
_LOCK_PAUSE: Final = 0.01


@contextlib.contextmanager
def bound_sockets(config: ServerConfig) -> Iterator[list[socket.socket]]:
    """The listening sockets of a configuration, closed at the end.

    Raises: OSError: an address is in use, not local, or not allowed.
    """
    with contextlib.ExitStack() as stack:
        if config.sockets:
            sockets = list(config.sockets)
            for sock in sockets:
                sock.listen(config.backlog)  # a socket that listens already gets the backlog
        elif config.uds is not None:
            sockets = [_bind_unix(config.uds, config.uds_mode, config.backlog)]
            stack.callback(_remove_socket, config.uds, os.stat(config.uds).st_ino, os.getpid())
        else:
            sockets = _bind_tcp(config)
        for sock in sockets:
            stack.callback(sock.close)
            sock.setblocking(False)
        yield sockets


def bound_metrics(config: ServerConfig) -> contextlib.AbstractContextManager[list[socket.socket]]:
    """The listening sockets for metrics, as `bound_sockets`; none where there is no address for them."""
    if config.metrics_port is None and not config.metrics_sockets:
        return contextlib.nullcontext([])
    return bound_sockets(
        ServerConfig(host=config.metrics_host, port=config.metrics_port or 0, sockets=config.metrics_sockets)
    )


def _bind_tcp(config: ServerConfig) -> list[socket.socket]:
    """Listen on every address of the host, all on one port."""
    try:
        infos = socket.getaddrinfo(
            config.host or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except UnicodeError as error:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
    sockets: list[socket.socket] = []
    port = config.port
    try:
        for family, _, protocol, _, address in dict.fromkeys(infos):
            sock = socket.socket(family, socket.SOCK_STREAM, protocol)
            sockets.append(sock)
            # Accepted sockets inherit it: a last short chunk must not wait for an acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if config.reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            port = port or sock.getsockname()[1]
            sock.listen(config.backlog)
    except OSError as error:
        error.filename = f"{config.host}:{config.port}"  # so that its text names the address
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bind_unix(path: str, mode: int | None, backlog: int) -> socket.socket:
    """Listen on a path; replace a socket file there that no process listens on any more."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_in(os.path.dirname(path) or "."):
            if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                    try:
                        probe.connect(path)
                    except ConnectionRefusedError:
                        os.unlink(path)
            sock.bind(path)
            if mode is not None:
                os.chmod(path, mode)  # nobody can have connected: it does not listen yet
            sock.listen(backlog)
    except OSError as error:
        sock.close()
        if error.errno is None:  # Python's own check of the length
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path) from error
        error.filename = path
        raise
    return sock


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Let one server at a time bind in a folder: the socket of one that does not listen yet looks dead.

    A folder that cannot be locked, or that somebody else locks for over a second, is used without.
    """
    import fcntl  # not on Windows, which has no Unix sockets either

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            for _ in range(_LOCK_TRIES):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(_LOCK_PAUSE)
        yield


def _remove_socket(path: str, inode: int, owner: int) -> None:
    """Remove our own socket file, but not one that another server has created at the same path. A fork leaves
    it to the process that has bound it."""
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == inode and os.getpid() == owner:
            os.unlink(path)


def url(sock: socket.socket, tls: bool) -> str:
    """The name of a bound socket for logs: a URL, or `unix:PATH`."""
    name = sock.getsockname()
    if isinstance(name, (str, bytes)):
        return f"unix:{os.fsdecode(name)}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if tls else 'http'}://{host}:{name[1]}"
