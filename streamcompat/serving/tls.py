"""Makes a TLS context from the forms that the originals' `ssl` option accepted, and from files.

The rule: TLS 1.2 at least, and HTTP/1.1 by ALPN. A context that the application has made stays as it is.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_KEY: Final = b"PRIVATE KEY-----"


def tls_context(given: ssl.SSLContext | Mapping[str, Any] | str | os.PathLike[str]) -> ssl.SSLContext:
    """The TLS context of a server.

    Args:
        given: a context; a mapping with the paths `cert` (or `certificate`) and `key` (or `keyfile`), and
            `password` if the key has one; or a folder with `fullchain.pem` and `privkey.pem`, as in
            Sanic 21.12. A mapping may also have `ca_certs` (a path), `cert_reqs` (an `ssl.VerifyMode`),
            `ciphers` (for OpenSSL) and `version` ("1.2" or "1.3").
    Raises: ValueError: one of the two paths is missing, or the key needs a password. OSError: a file cannot
        be read, is not in PEM, or needs another password.
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
    if cert is None or (key is None and not has_key(cert)):
        raise ValueError("SSLContext or certificate and key required.")
    context = ssl.create_default_context(purpose=ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = _VERSIONS[given.get("version", "1.2")]
    context.set_alpn_protocols(["http/1.1"])
    if (ciphers := given.get("ciphers")) is not None:
        context.set_ciphers(ciphers)
    try:
        context.load_cert_chain(cert, keyfile=key, password=given.get("password") or _no_password)
    except ssl.SSLError as error:
        if error.reason is not None:
            raise
        # OpenSSL says only "PEM lib".
        raise OSError("a file is not in PEM, or the password is not that of the key") from error
    context.verify_mode = ssl.VerifyMode(given.get("cert_reqs", ssl.CERT_NONE))
    if (authorities := given.get("ca_certs")) is not None:
        context.load_verify_locations(authorities)
    elif context.verify_mode is not ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return context


def has_key(path: str) -> bool:
    """Whether a file has a private key, beside the certificate; not so if it cannot be read."""
    try:
        return _KEY in Path(path).read_bytes()
    except OSError:
        return False


def _no_password() -> str:
    """Called for a key that is encrypted; without it OpenSSL would ask on the terminal, and wait."""
    raise ValueError("the key needs a password")
