"""Makes a TLS context from the forms that the originals' `ssl` option accepted."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping


def tls_context(given: ssl.SSLContext | Mapping[str, str] | str | os.PathLike[str]) -> ssl.SSLContext:
    """The TLS context of a server.

    Args:
        given: a context; a mapping with the paths `cert` (or `certificate`) and `key` (or `keyfile`), and
            `password` if the key has one; or a folder with `fullchain.pem` and `privkey.pem`, as in
            Sanic 21.12.
    Raises: ValueError: one of the two paths is missing. OSError: a file cannot be read.
    """
    if isinstance(given, ssl.SSLContext):
        return given
    if isinstance(given, (str, os.PathLike)):
        folder = os.fspath(given)
        given = {
            "cert": os.path.join(folder, "fullchain.pem"),
            "key": os.path.join(folder, "privkey.pem"),
        }
    elif not isinstance(given, Mapping):
        raise ValueError(f"ssl takes a context, a dict or a folder, not a {type(given).__name__}")
    cert = given.get("cert") or given.get("certificate")
    key = given.get("key") or given.get("keyfile")
    if cert is None or key is None:
        raise ValueError("SSLContext or certificate and key required.")
    context = ssl.create_default_context(purpose=ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, keyfile=key, password=given.get("password"))
    return context
