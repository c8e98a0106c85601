"""The extensions of ASGI: debug information, early hints, files by their path, and what is told of TLS."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamcompat.asgi_api import ASGIApp
from streamcompat.asgi_api.tls import distinguished_name
from streamcompat.testing import Client as AppClient
from tests.support.asgi_apps import END, START, Told, body, without_lifespan
from tests.support.clients import Client, get, request
from tests.support.servers import every_driver, portable_drivers, serve
from tests.support.websocket_clients import serving


def opened_files() -> set[str]:
    return {os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")}


LINKS = [b"</a.css>; rel=preload; as=style", b"</b.js>; rel=preload; as=script"]


def hint(links: Any) -> dict[str, Any]:
    return {"type": "http.response.early_hint", "links": links}


# ---- debug information ----


@pytest.mark.parametrize("asked", [True, False])
async def test_debug_information_is_for_who_asks(asked: bool) -> None:
    """The specification keeps it from servers; a test of an application may ask."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if "http.response.debug" in scope["extensions"]:
            for place in (START, body(b"a"), body(b"b", more=False)):
                await send({"type": "http.response.debug", "info": {"before": place["type"]}})
                await send(place)
        await send({"type": "http.response.debug", "info": {}})

    seen: list[Any] = []
    served = ASGIApp(app, debug=seen.append) if asked else ASGIApp(app)
    async with AppClient(served) as client:
        response = await client.get("/")
    assert (response.status, response.body) == ((200, b"ab") if asked else (500, b"Internal Server Error\n"))
    kinds = ["http.response.start", "http.response.body", "http.response.body"]
    assert seen == ([{"before": kind} for kind in kinds] if asked else [])


# ---- early hints ----


@every_driver
def test_early_hints_leave_at_once(driver: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert ("http.response.early_hint" in scope["extensions"]) == (scope["http_version"] == "1.1")
        await send(hint(LINKS))
        await receive()  # which the client only sends once it has the hints
        await send(hint(iter(LINKS[:1])))
        await send(START)
        await send(END)

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Content-Length: 1"))
        assert client._head().splitlines() == [
            b"HTTP/1.1 103 Early Hints",
            *(b"Link: " + one for one in LINKS),
        ]
        client.send(b"x")
        response = client.response()
        assert (response.status, response.informational) == (200, [103])
        client.send(request("GET", "/", version="1.0"))
        assert client.rest().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("links", [[b"a\r\nb: c"], ["text"], [None]])
def test_hints_that_cannot_be_sent_are_a_500(links: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(hint(links))

    with serving(without_lifespan(app), logged=("GET / failed before its response",)) as served:
        response = served.get()
    assert (response.status, response.informational) == (500, [])


def test_hints_come_before_the_response_and_never_within_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(hint(LINKS))

    with serving(without_lifespan(app), logged=("not 'http.response.early_hint'",)) as served:
        assert served.get().status == 500


# ---- files ----


@every_driver
def test_a_file_is_the_body(driver: str, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    (tmp_path / "file").write_bytes(content)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "http.response.pathsend" in scope["extensions"]
        fields = {
            "/": [],
            "/part": [(b"content-length", b"300000")],
            "/none": [],
            "/trailers": [],
        }[scope["path"]]
        status = 304 if scope["path"] == "/none" else 200
        await send({**START, "status": status, "headers": fields, "trailers": scope["path"] == "/trailers"})
        await send({"type": "http.response.pathsend", "path": str(tmp_path / "file")})
        if scope["path"] == "/trailers":
            await send({"type": "http.response.trailers", "headers": [(b"x-a", b"1")]})

    with serving(without_lifespan(app), driver) as served, served.connect() as client:
        client.send(get())
        response = client.response()
        assert (response.body, response.field(b"content-length")) == (content, [b"700000"])
        client.send(get("/part"))  # the file has grown since
        assert client.response().body == content[:300000]
        client.send(request("HEAD", "/"))
        response = client.response("HEAD")
        assert (response.body, response.field(b"content-length")) == (b"", [b"700000"])
        client.send(get("/none"))
        assert client.response().body == b""
        client.send(get("/trailers"))
        response = client.response()
        assert (response.body, response.trailers) == (content, [(b"x-a", b"1")])


def test_a_file_that_cannot_be_sent_is_a_500_or_a_visible_cut(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_bytes(b"abc")
    logged = ["No such file", "is not a file", "is not a file", "must be absolute", "is cut"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"][1:]
        await send({**START, "headers": [(b"content-length", b"5")]})
        path = name if name == "relative" else str(tmp_path / name)
        await send({"type": "http.response.pathsend", "path": path})

    with serving(without_lifespan(app), logged=logged) as served:
        for name in ("missing", "pipe", ".", "relative"):
            assert served.get(f"/{name}").status == 500
        with served.connect() as client:
            client.send(get("/short"))
            response = client.response_or_cut()
        assert (response.body, response.complete) == (b"abc", False)


@portable_drivers
def test_a_client_that_leaves_within_a_file_closes_it(driver: str, tmp_path: Path) -> None:
    told = Told()
    (tmp_path / "file").write_bytes(bytes(16 * 1024 * 1024))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            await send({"type": "http.response.pathsend", "path": str(tmp_path / "file")})
        except OSError as error:
            told.tell((type(error).__name__, str(tmp_path / "file") in opened_files()))
            raise

    with serving(without_lifespan(app), driver, send_buffer=65536) as served:
        with served.connect(65536) as client:
            client.send(get())
            client.receive()
            client.reset()
        assert told.next() == ("ClientGone", False)
        served.until_empty()


# ---- TLS ----


@every_driver
@pytest.mark.parametrize("asked", [ssl.CERT_NONE, ssl.CERT_REQUIRED])
def test_what_is_told_of_tls(driver: str, asked: ssl.VerifyMode) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.tell(scope["extensions"].get("tls"))
        await send(START)
        await send(body(b"", more=False))

    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    authority.configure_trust(trusting)
    context.verify_mode = asked
    own = authority.issue_cert("client@a.example", common_name="a, b", organization_name="O")
    own.configure_cert(trusting)
    served_app = without_lifespan(app)
    with serve(served_app.handle, driver, ssl=context) as served:
        sock = trusting.wrap_socket(served.connect().socket, server_hostname="127.0.0.1")
        with Client(sock) as client:
            client.send(get("/", "Connection: close"))
            assert client.response().status == 200
            tls = told.next()
            (suite,) = [one for one in trusting.get_ciphers() if one["name"] == sock.cipher()[0]]
    pem = own.cert_chain_pems[0].bytes().decode()
    with_certificate = asked is ssl.CERT_REQUIRED
    assert [one.split() for one in tls.pop("client_cert_chain")] == (
        [pem.split()] if with_certificate else []
    )
    name = tls.pop("client_cert_name")
    assert "CN=a\\, b" in name if with_certificate else name is None
    assert tls == {
        "server_cert": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": suite["id"] & 0xFFFF,
    }


def test_without_tls_there_is_no_extension() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "tls" not in scope["extensions"]
        await send(START)
        await send(END)

    with serving(without_lifespan(app)) as served:
        assert served.get().status == 200


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ([[("countryName", "UK")], [("commonName", "Steve")]], "CN=Steve,C=UK"),
        ([[("commonName", "J"), ("userId", "1")]], "CN=J+UID=1"),
        ([[("commonName", '#a"+,;<>\\ ')]], 'CN=\\#a\\"\\+\\,\\;\\<\\>\\\\\\ '),
        ([[("commonName", " ")]], "CN=\\ "),
        ([[("emailAddress", "a\0b")]], "emailAddress=a\\00b"),
    ],
)
def test_a_name_is_written_as_rfc_4514_says(subject: Any, name: str) -> None:
    assert distinguished_name({"subject": subject}) == name
    assert distinguished_name({}) is None and distinguished_name(None) is None
