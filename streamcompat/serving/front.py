"""The options of a run that concern what is in front of the server, and what it says: TLS, proxies, header
fields and logs. `options` has the others.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import ssl as tls
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from streamcompat.serving import flags
from streamcompat.serving.flags import LEVELS, LIMITS, LOGS, PROXIES, TLS, Flag
from streamcompat.serving.tls import tls_context
from streamcompat_engine import PROXY_FIELDS, Fields, Origins

LOCAL: Final = ("127.0.0.1", "::1", "unix")
"""The proxies that are trusted by default, once any is: those of this machine, as in uvicorn."""


def on_command_line(flag: Flag, default: Any) -> Any:
    """A field with a flag."""
    return field(default=default, metadata={"flag": flag}, repr=not flag.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontOptions:
    """What is in front of the server, and what it says of itself.

    Attributes:
        ssl: an `ssl.SSLContext`; a dict with `cert` and `key`, and `password` if the key has one; or the
            path of a folder with `fullchain.pem` and `privkey.pem`.
        ssl_certfile, ssl_keyfile, ssl_keyfile_password: the same one by one; a certificate and its key may
            be in one file. What SIGHUP finds in the files is used from the next handshake on.
        ssl_ca_certs, ssl_cert_reqs: the certificates of the authorities that sign those of clients, and
            whether a client needs one: 0 for no, 1 for its choice, 2 for yes, as `ssl.VerifyMode`.
        ssl_ciphers, ssl_version: ciphers in OpenSSL's words, and the minimum version of TLS, "1.2" or "1.3".
        proxy_headers: whether X-Forwarded-* and Forwarded count, of proxies that are trusted.
        forwarded_allow_ips: the trusted proxies: addresses, networks, `unix` or `*`; `LOCAL` by default.
        proxy_fields: which of `for proto host port prefix forwarded` the proxies set; all of them.
        proxy_protocol: whether every connection begins with the PROXY protocol, of a trusted proxy.
        root_path: the prefix that a proxy has taken off every path; the app builds its URLs with it.
        limit_concurrency: requests that may run at once; the next one gets a 503. `None` or 0 for no limit.
        timeout_keep_alive: seconds that an idle connection is kept; `None` for the app's KEEP_ALIVE_TIMEOUT.
        headers: fields of every response that does not have them by itself; a mapping, or pairs.
        server_header, date_header: whether responses have a Server and a Date.
        log_level: one of `LEVELS`, for the app's loggers and the engine's.
        log_config: for `logging.config.dictConfig`, instead of the default logging configuration, or the path
            of a file with one, or with one for `fileConfig`.
    """

    ssl: tls.SSLContext | Mapping[str, str] | str | os.PathLike[str] | None = None
    ssl_certfile: str | None = on_command_line(
        Flag(TLS, "the certificate, with its chain (default: none)", "FILE", flags.file, aliases=("--cert",)),
        None,
    )
    ssl_keyfile: str | None = on_command_line(
        Flag(TLS, "its key (default: the file of the certificate)", "FILE", flags.file, aliases=("--key",)),
        None,
    )
    ssl_keyfile_password: str | None = on_command_line(
        Flag(TLS, "the password of the key (default: none)", "TEXT", secret=True), None
    )
    ssl_ca_certs: str | None = on_command_line(
        Flag(
            TLS,
            "the certificates of the authorities that sign those of clients (default: the system's)",
            "FILE",
            flags.file,
        ),
        None,
    )
    ssl_cert_reqs: int = on_command_line(
        Flag(
            TLS,
            "whether clients need a certificate: none, optional or required, or 0, 1, 2 (default: none)",
            "WHETHER",
            flags.verify_mode,
            source="uvicorn",
        ),
        0,
    )
    ssl_ciphers: str | None = on_command_line(
        Flag(TLS, "the ciphers up to TLS 1.2, in OpenSSL's words (default: those of Python)", "TEXT"), None
    )
    ssl_version: str = on_command_line(
        Flag(
            TLS,
            "the minimum version of TLS: 1.2 or 1.3 (default: %(default)s)",
            "VERSION",
            flags.tls_version,
            source="RFC 9325 §3.1.1",
        ),
        "1.2",
    )
    proxy_headers: bool = on_command_line(
        Flag(
            PROXIES,
            "let X-Forwarded-* and Forwarded of trusted proxies say who the client is, and what it asked for "
            "(default: no)",
        ),
        False,
    )
    forwarded_allow_ips: Sequence[str] = on_command_line(
        Flag(
            PROXIES,
            "the proxies that are trusted: addresses, networks, `unix` for a Unix socket, `*` for anybody, "
            "separated by commas (default: FORWARDED_ALLOW_IPS, or 127.0.0.1,::1,unix)",
            "LIST",
            flags.networks,
            source="uvicorn",
        ),
        LOCAL,
    )
    proxy_fields: Sequence[str] = on_command_line(
        Flag(
            PROXIES,
            "what your proxies set, of for, proto, host, port, prefix, forwarded; what they only pass on is "
            "a client's word (default: all)",
            "LIST",
            flags.proxy_fields,
        ),
        PROXY_FIELDS,
    )
    proxy_protocol: bool = on_command_line(
        Flag(
            PROXIES,
            "every connection begins with the PROXY protocol, version 1 or 2, of a trusted proxy; needs the "
            "extra `proxy-protocol` (default: no)",
        ),
        False,
    )
    root_path: str = on_command_line(
        Flag(PROXIES, "the prefix that a proxy takes off every path (default: none)", "PATH", flags.prefix),
        "",
    )
    limit_concurrency: int | None = on_command_line(
        Flag(
            LIMITS,
            "requests that a process may have at once; the next one gets a 503; 0 for no limit (default: no "
            "limit)",
            "N",
            flags.whole("a valid number of requests", 0, float("inf")),
            unit="requests",
            source="uvicorn",
        ),
        None,
    )
    timeout_keep_alive: float | None = on_command_line(
        Flag(
            LIMITS,
            "how long an idle connection is kept (default: the app's KEEP_ALIVE_TIMEOUT, or 5)",
            "SECONDS",
            flags.seconds,
            unit="seconds",
            source="uvicorn, the originals",
        ),
        None,
    )
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = on_command_line(
        Flag(
            LOGS,
            "a field of every response that does not have it by itself; repeatable (default: none)",
            "NAME:VALUE",
            flags.header,
            repeatable=True,
            name="header",
            separator="\n",
        ),
        (),
    )
    server_header: bool = on_command_line(Flag(LOGS, "send `Server: streamcompat` (default: no)"), False)
    date_header: bool = on_command_line(
        Flag(LOGS, "send the Date, as a server should (default: yes)", source="RFC 9110 §6.6.1"), True
    )
    log_level: str | None = on_command_line(
        Flag(
            LOGS,
            "what is logged, of the app's loggers and the engine's (default: info, or debug with --debug)",
            choices=LEVELS,
            source="uvicorn",
        ),
        None,
    )
    log_config: dict[str, Any] | str | os.PathLike[str] | None = on_command_line(
        Flag(
            LOGS,
            "the configuration of logging: for dictConfig in JSON or YAML, for fileConfig in .ini, .cfg or "
            ".conf (default: lines on the standard streams)",
            "FILE",
            flags.log_file,
        ),
        None,
    )

    def tls_files(self) -> tls.SSLContext | Mapping[str, Any] | str | os.PathLike[str] | None:
        """What `tls_context` makes a context of; `None` for plain HTTP.

        Raises: ValueError: an option of TLS without a certificate, or a certificate twice.
        """
        single = {
            "cert": self.ssl_certfile,
            "key": self.ssl_keyfile,
            "password": self.ssl_keyfile_password,
            "ca_certs": self.ssl_ca_certs,
            "cert_reqs": self.ssl_cert_reqs or None,
            "ciphers": self.ssl_ciphers,
            "version": None if self.ssl_version == "1.2" else self.ssl_version,
        }
        given = {name: value for name, value in single.items() if value is not None}
        if not given:
            return self.ssl
        if self.ssl is None:
            if self.ssl_certfile is None:
                raise ValueError("TLS needs a certificate: give --ssl-certfile")
            return given
        if self.ssl_certfile is not None or not isinstance(self.ssl, Mapping):
            raise ValueError("give either `ssl` or the options ssl_...")
        return {**self.ssl, **given}

    def of_front(self) -> dict[str, Any]:
        """The arguments of `Servable.server_config` for these options.

        Raises: OSError, ValueError: a file for TLS cannot be used, or a value is not valid.
        """
        given: dict[str, Any] = {
            "concurrency": self.limit_concurrency or None,
            "date_header": self.date_header,
        }
        if (files := self.tls_files()) is not None:
            given["ssl"] = tls_context(files)
            if not isinstance(files, tls.SSLContext):
                given["renew_ssl"] = functools.partial(tls_context, files)
        if self.proxy_headers or self.root_path:
            trusted = self.forwarded_allow_ips if self.proxy_headers else ()
            given["origins"] = Origins(_listed(trusted), _listed(self.proxy_fields), self.root_path)
        if self.proxy_protocol:
            if importlib.util.find_spec("proxyprotocol") is None:
                raise ValueError("the PROXY protocol needs: pip install 'streamcompat[proxy-protocol]'")
            given["proxy_protocol"] = Origins(_listed(self.forwarded_allow_ips))
        if fields := self._fields():
            given["headers"] = fields
        if self.timeout_keep_alive is not None:
            given["keep_alive"] = self.timeout_keep_alive
        return given

    def _fields(self) -> Fields:
        pairs = list(self.headers.items()) if isinstance(self.headers, Mapping) else list(self.headers)
        checked = [flags.header(one if isinstance(one, str) else "{}:{}".format(*one)) for one in pairs]
        if self.server_header and not any(name.lower() == "server" for name, _ in checked):
            checked.insert(0, ("Server", "streamcompat"))
        return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in checked)


def _listed(value: Sequence[str] | str) -> Sequence[str]:
    """A sequence, also where a text was given, as uvicorn takes it."""
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else value
