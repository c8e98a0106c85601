"""The options about what is in front of a server, as an app of each flavour and its clients see them."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from streamcompat.asgi_api import ASGIApp
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text as mach9_text
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text as sanic_text
from streamcompat.serving.options import RunOptions
from streamcompat.serving.site import Site
from streamcompat.serving.tls import tls_context
from tests.support.clients import PATIENCE
from tests.support.servers import Gate, eventually, every_driver, serve_app

SAID = {
    "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Prefix": "/front",
}


def flavoured(kind: Any, text: Any) -> Any:
    app = kind("front", load_env=False)

    @app.route("/page")
    async def page(request):
        return text(
            f"{request.ip} {request.remote_addr or '-'} {request.scheme} {request.host} {request.url} "
            f"{request.path} {app.url_for('page')}"
        )

    return app


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"{scope['client'][0]} {scope['scheme']} {scope['root_path']} {scope['path']}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})


APPS = [(Sanic, sanic_text), (Mach9, mach9_text)]


def fetch(url: str, **given: Any) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE, **given)


def options(**given: Any) -> dict[str, Any]:
    """The arguments of `server_config`, but for the driver's."""
    made = RunOptions(port=0, **given).of_server()
    return {name: value for name, value in made.items() if name not in ("driver", "uvloop")}


@every_driver
@pytest.mark.parametrize(("kind", "text"), APPS)
@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_a_request_is_what_the_client_asked_for(driver: str, kind: Any, text: Any, prefix: str) -> None:
    app = flavoured(kind, text)
    served = app
    if prefix:
        served = Site()
        served.mount(app, prefix)
    given = options(proxy_headers=True, root_path="/below")
    with serve_app(served, driver, **given) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        said = client.get(f"/front{prefix}/page"[len("/front") :], headers=SAID).text
        assert said == (
            f"203.0.113.9 203.0.113.9 https shop.example https://shop.example/front{prefix}/page "
            f"/page /front{prefix}/page"
        )
        # What no field says is the connection's, and the prefix that of `root_path`.
        said = client.get(f"{prefix}/page").text
        host = url.removeprefix("http://")
        assert said == f"127.0.0.1 - http {host} {url}/below{prefix}/page /page /below{prefix}/page"


@pytest.mark.parametrize(("kind", "text"), APPS)
@pytest.mark.parametrize(
    "given", [{}, {"proxy_headers": True, "forwarded_allow_ips": "10.0.0.0/8"}, {"forwarded_allow_ips": "*"}]
)
def test_nobody_else_is_believed(kind: Any, text: Any, given: dict[str, Any]) -> None:
    with serve_app(flavoured(kind, text), **options(**given)) as url:
        said = fetch(f"{url}/page", headers=SAID).text
        host = url.removeprefix("http://")
        assert said == f"127.0.0.1 - http {host} {url}/page /page /page"


@pytest.mark.parametrize(
    ("count", "address"), [(None, "-"), (1, "203.0.113.9"), ("2", "198.51.100.1"), (3, "-"), (0, "-")]
)
def test_the_proxies_that_a_setting_counts(count: object, address: str) -> None:
    app = flavoured(Sanic, sanic_text)
    app.config.PROXIES_COUNT = count
    with serve_app(app) as url:
        said = fetch(f"{url}/page", headers=SAID).text.split()
        # As in Sanic since 19.9: who is believed about the address is believed about the rest.
        assert said[:3] == ["127.0.0.1", address, "http" if address == "-" else "https"]


@every_driver
def test_an_asgi_application_has_the_same_in_its_scope(driver: str) -> None:
    with serve_app(ASGIApp(asgi), driver, **options(proxy_headers=True)) as url:
        assert fetch(f"{url}/page", headers=SAID).text == "203.0.113.9 https /front /front/page"


@pytest.mark.parametrize("target", ["/ready", "/health", "http://elsewhere.example/ready"])
@pytest.mark.parametrize("fields", [{}, {"X-Forwarded-Prefix": "/front"}])
def test_a_load_balancer_asks_without_the_prefix(target: str, fields: dict[str, str]) -> None:
    """The prefix is the proxy's, which has taken it off; the probe has never had it."""
    given = options(root_path="/api", proxy_headers=True, ready_path="/ready", health_path="/health")
    with serve_app(flavoured(Sanic, sanic_text), **given) as url:
        with httpx.Client(timeout=PATIENCE) as client:
            request = client.build_request("GET", url, headers=fields)
            request.extensions["target"] = target.encode()
            assert client.send(request).status_code == 200
            request.extensions["target"] = b"/api" + target.encode()
            assert client.send(request).status_code == 404


@every_driver
def test_fields_of_every_response(driver: str) -> None:
    app = Sanic("fields", load_env=False)

    @app.route("/own")
    async def own(request):
        return sanic_text("x", headers={"x-frame-options": "SAMEORIGIN", "Server": "mine"})

    @app.route("/plain")
    async def plain(request):
        return sanic_text("x")

    given = options(headers={"X-Frame-Options": "DENY"}, server_header=True, date_header=False)
    with (
        serve_app(app, driver, **given, keep_alive=9) as url,
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        for path in ("/plain", "/none", "/plain"):
            fields = client.get(path).headers
            assert fields.get_list("x-frame-options") == ["DENY"]
            assert fields["server"] == "streamcompat" and "date" not in fields
            assert fields["keep-alive"] == "timeout=9"
        fields = client.get("/own").headers
        assert fields.get_list("x-frame-options") == ["SAMEORIGIN"]
        assert fields.get_list("server") == ["mine"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"headers": {"Content-Length": "3"}}, "the server sets Content-Length by itself"),
        ({"headers": [("X-A", "b\nc")]}, "is not a valid header"),
        ({"headers": {"X A": "b"}}, "is not a valid header"),
        ({"proxy_headers": True, "forwarded_allow_ips": "proxy.example"}, "'proxy.example' does not appear"),
        ({"proxy_headers": True, "proxy_fields": ["fro"]}, "'fro' is none of for"),
        ({"headers": ["X-A"]}, "'X-A' is not NAME:VALUE"),
        ({"ready_path": "/r", "health_path": "/r"}, "are the same: /r"),
        ({"root_path": "api"}, "'api' is not a prefix of paths"),
        ({"ssl_ciphers": "x"}, "TLS needs a certificate"),
        ({"ssl": "folder", "ssl_certfile": "c"}, "give either `ssl` or the options"),
    ],
)
def test_what_is_not_valid_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**given)


@every_driver
def test_one_request_too_many_gets_a_503_and_the_next_one_an_answer(driver: str) -> None:
    app, gate = Sanic("busy", load_env=False), Gate()

    @app.route("/slow")
    async def slow(request):
        await gate.wait()
        return sanic_text("done")

    @app.route("/")
    async def fast(request):
        return sanic_text("fast")

    given = options(limit_concurrency=1, ready_path="/ready")
    with serve_app(app, driver, **given) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        import threading

        answers: list[str] = []
        running = threading.Thread(target=lambda: answers.append(fetch(f"{url}/slow").text))
        running.start()
        gate.until_reached()
        refused = client.get("/")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert client.get("/ready").status_code == 200
        gate.open()
        running.join(PATIENCE)
        assert answers == ["done"]
        # The client may have its answer before the server knows that the handler has ended.
        eventually(lambda: client.get("/").text == "fast", "an answer")


def test_the_level_of_the_log(app: Sanic) -> None:
    before = {
        name: logging.getLogger(name).level for name in ("streamcompat", app.log.name, app.access_log.name)
    }
    try:
        app.prepare(RunOptions(log_level="error"))
        assert app.log.level == app.access_log.level == logging.ERROR
        assert logging.getLogger("streamcompat.engine").getEffectiveLevel() == logging.ERROR
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def test_the_forms_of_a_certificate(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    cert, key, both = (tmp_path / name for name in ("cert.pem", "key.pem", "both.pem"))
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    issued.private_key_and_cert_chain_pem.write_to_path(str(both))
    for given in (
        {"ssl": {"cert": str(cert), "key": str(key)}},
        {"ssl": {"certificate": str(cert), "keyfile": str(key)}, "ssl_version": "1.3"},
        {"ssl_certfile": str(cert), "ssl_keyfile": str(key)},
        {"ssl_certfile": str(both)},
    ):
        made = options(**given)
        assert isinstance(made["ssl"], ssl.SSLContext)
        assert made["renew_ssl"]() is not made["ssl"]
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made = options(ssl=own)
    assert made["ssl"] is own and "renew_ssl" not in made
    with pytest.raises(ValueError, match="SSLContext or certificate and key required"):
        tls_context({"cert": str(cert)})


def test_a_key_with_a_password_is_never_asked_for_it(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    issued = trustme.CA().issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    plain = load_pem_private_key(issued.private_key_pem.bytes(), None)
    key.write_bytes(
        plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    given = {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}
    with pytest.raises(ValueError, match="the key needs a password"):
        options(**given)
    not_pem = "not in PEM, or the password is not that of the key"
    with pytest.raises(OSError, match=not_pem):
        options(**given, ssl_keyfile_password="wrong")
    for wrong in ({"ssl_certfile": __file__}, {"ssl_keyfile": __file__}):
        with pytest.raises(OSError, match=not_pem):
            options(**(given | wrong), ssl_keyfile_password="secret")
    assert "secret" not in repr(RunOptions(**given, ssl_keyfile_password="secret"))
    assert isinstance(options(**given, ssl_keyfile_password="secret")["ssl"], ssl.SSLContext)
