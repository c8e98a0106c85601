"""The originals' module paths under the aliases: what people import from them is there, or the ImportError
says what to use."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamcompat import aliases
from streamcompat.aliases.moved_names import INSTEAD

IMPORTED = {
    "sanic": "Sanic Blueprint",
    "sanic.app": "Sanic",
    "sanic.blueprints": "Blueprint",
    "sanic.config": "Config LOGGING SANIC_PREFIX",
    "sanic.constants": "HTTP_METHODS",
    "sanic.cookies": "Cookie CookieJar",
    "sanic.exceptions": """SanicException NotFound InvalidUsage MethodNotSupported ServerError
        ServiceUnavailable URLBuildError FileNotFound RequestTimeout PayloadTooLarge HeaderNotFound
        ContentRangeError Forbidden
        InvalidRangeType Unauthorized abort add_status_code INTERNAL_SERVER_ERROR_HTML""",
    "sanic.handlers": "ErrorHandler ContentRangeHandler INTERNAL_SERVER_ERROR_HTML",
    "sanic.helpers": "STATUS_CODES has_message_body remove_entity_headers",
    "sanic.http": "STATUS_CODES has_message_body is_entity_header is_hop_by_hop_header remove_entity_headers",
    "sanic.log": "LOGGING_CONFIG_DEFAULTS logger error_logger access_logger log netlog DefaultFilter",
    "sanic.request": "DEFAULT_HTTP_CONTENT_TYPE File Request RequestParameters parse_multipart_form",
    "sanic.response": """BaseHTTPResponse HTTPResponse StreamingHTTPResponse json text raw file file_stream
        html redirect stream json_dumps STATUS_CODES ALL_STATUS_CODES COMMON_STATUS_CODES""",
    "sanic.router": "Router Route RouteExists RouteDoesNotExist Parameter REGEX_TYPES",
    "sanic.server": "Signal CIDict",
    "sanic.static": "register",
    "sanic.testing": "HOST PORT SanicTestClient",
    "sanic.views": "HTTPMethodView CompositionView stream",
    "sanic.worker": "",
    "mach9": "Mach9 Blueprint Server",
    "mach9.app": "Mach9",
    "mach9.blueprints": "Blueprint",
    "mach9.config": "Config LOGGING MACH9_PREFIX",
    "mach9.exceptions": """Mach9Exception NotFound InvalidUsage ServerError URLBuildError FileNotFound
        RequestTimeout PayloadTooLarge HeaderNotFound ContentRangeError InvalidRangeType
        INTERNAL_SERVER_ERROR_HTML""",
    "mach9.handlers": "ErrorHandler ContentRangeHandler INTERNAL_SERVER_ERROR_HTML",
    "mach9.http": "BodyChannel ReplyChannel",
    "mach9.log": "log netlog DefaultFilter",
    "mach9.request": "DEFAULT_HTTP_CONTENT_TYPE CIDict File Request RequestParameters parse_multipart_form",
    "mach9.response": """HTTPResponse StreamHTTPResponse json text raw file html redirect stream Cookie
        CookieJar ALL_STATUS_CODES COMMON_STATUS_CODES""",
    "mach9.router": "Router Route RouteExists RouteDoesNotExist Parameter REGEX_TYPES",
    "mach9.server": "Server",
    "mach9.signal": "Signal",
    "mach9.static": "register",
    "mach9.testing": "HOST PORT Mach9TestClient",
    "mach9.timer": "get_current_time update_current_time",
    "mach9.views": "HTTPMethodView CompositionView stream",
}


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    aliases.install()
    yield
    aliases.uninstall()


@pytest.mark.parametrize("module", IMPORTED)
def test_what_people_import_is_there(module: str) -> None:
    names = IMPORTED[module].split()
    exec("\n".join([f"import {module}", *(f"from {module} import {name}" for name in names)]), {})
    assert set(names) <= set(importlib.import_module(module).__all__)


@pytest.mark.parametrize(
    ("package", "modules"),
    [
        (
            "sanic",
            """app blueprints config constants cookies exceptions handlers http log request response router
            server static testing views websocket""",
        ),
        (
            "mach9",
            """app blueprints config exceptions handlers http log request response router server signal static
            testing timer views websocket""",
        ),
    ],
)
def test_the_package_brings_its_modules_along(package: str, modules: str) -> None:
    code = "; ".join(
        [
            "from streamcompat import aliases",
            "aliases.install()",
            f"import {package}",
            *(f"{package}.{module}" for module in modules.split()),
        ]
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def places() -> list[tuple[str, str]]:
    """Each name of the table that has a module to be asked for it, with what to use instead."""
    return [
        (f"{alias}.{name}", instead)
        for name, instead in INSTEAD.items()
        for alias in ("sanic", "mach9")
        if "." not in name or f"{alias}.{name.partition('.')[0]}" in IMPORTED
    ]


@pytest.mark.parametrize(("name", "instead"), places())
def test_what_is_elsewhere_is_an_import_error_that_says_where(name: str, instead: str) -> None:
    module, _, last = name.rpartition(".")
    if name == "sanic.worker":
        return  # the one that is there for one flavour only
    with pytest.raises(ImportError) as raised:
        exec(f"from {module} import {last}", {})
    assert str(raised.value).endswith(f"use {instead}")


def test_header_fields_by_their_kind() -> None:
    from streamcompat.sanic_api import http

    fields = {"Content-Length": "1", "Expires": "0", "X-A": "b", "Connection": "close"}
    assert http.remove_entity_headers(fields) == {"Expires": "0", "X-A": "b", "Connection": "close"}
    assert [name for name in fields if http.is_hop_by_hop_header(name)] == ["Connection"]
    assert [http.has_message_body(status) for status in (100, 200, 204, 304, 404)] == [
        False,
        True,
        False,
        False,
        True,
    ]
