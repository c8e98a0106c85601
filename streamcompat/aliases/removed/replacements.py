"""Functions that Python has removed and that no other function of it replaces as they were."""

from __future__ import annotations

import html
import inspect
import platform
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["ArgSpec", "assert_contains", "escape", "formatargspec", "getargspec", "linux_distribution"]


class ArgSpec(NamedTuple):
    """`inspect.ArgSpec`."""

    args: list[str]
    varargs: str | None
    keywords: str | None
    defaults: tuple[Any, ...] | None


def getargspec(func: Callable[..., Any]) -> ArgSpec:
    """`inspect.getargspec`. ValueError: the function has annotations, or arguments that are only keywords."""
    spec = inspect.getfullargspec(func)
    if spec.kwonlyargs or spec.annotations:
        raise ValueError(
            "Function has keyword-only parameters or annotations, use inspect.signature() API which can "
            "support them"
        )
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def formatargspec(
    args: list[str],
    varargs: str | None = None,
    varkw: str | None = None,
    defaults: tuple[Any, ...] | None = None,
) -> str:
    """`inspect.formatargspec`, for what `getargspec` gives."""
    first = len(args) - len(defaults or ())
    shown = [
        name if at < first else f"{name}={(defaults or ())[at - first]!r}" for at, name in enumerate(args)
    ]
    shown += [f"*{varargs}"] if varargs else []
    shown += [f"**{varkw}"] if varkw else []
    return f"({', '.join(shown)})"


def escape(s: str, quote: bool = False) -> str:
    """`cgi.escape`: as `html.escape`, which escapes quotes by default, and the single one too."""
    escaped = html.escape(s, quote=False)
    return escaped.replace('"', "&quot;") if quote else escaped


def linux_distribution(*args: Any, **kwargs: Any) -> tuple[str, str, str]:
    """`platform.linux_distribution`: name, version and code name; empty where the system does not say."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "", "", ""
    return release.get("NAME", ""), release.get("VERSION_ID", ""), release.get("VERSION_CODENAME", "")


def wrap_socket(
    sock: Any,
    keyfile: Any = None,
    certfile: Any = None,
    server_side: bool = False,
    cert_reqs: int = ssl.CERT_NONE,
    ssl_version: Any = ssl.PROTOCOL_TLS,
    ca_certs: Any = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
) -> ssl.SSLSocket:
    """`ssl.wrap_socket`, with its own defaults: no certificate is asked for, no name is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.VerifyMode(cert_reqs)
    if ca_certs is not None:
        context.load_verify_locations(ca_certs)
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )


def assert_contains(case: Any, subset: dict[Any, Any], dictionary: dict[Any, Any], msg: Any = None) -> None:
    """`TestCase.assertDictContainsSubset`."""
    if not subset.items() <= dictionary.items():
        raise case.failureException(msg or f"{subset!r} is not in {dictionary!r}")
