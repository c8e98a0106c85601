"""What Sanic 0.8.3 has and today's Sanic (25.12) has not, and what becomes of each.

The rule: the tables are held against both releases by tests, and `docs/porting.md` shows them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

RELEASE: Final = "25.12"
"""The release of Sanic that the rules and the tables are for."""


class Becomes(NamedTuple):
    """What becomes of a name: an edit, or what to do by hand.

    Attributes:
        edited: an edit replaces it; where the edit does not fit, the text says what to do by hand.
    """

    text: str
    edited: bool = False


_CLASSES = "import it from `sanic.exceptions`"
_SERVER = "take it out: how Sanic serves is not for apps to change"

GONE: Final[dict[str, Becomes]] = {
    "response.stream": Becomes("`await request.respond(...)`, `await response.send(...)`, `eof()`", True),
    "response.StreamingHTTPResponse": Becomes("as `stream`; a subclass or a test for it: by hand", True),
    "app.StreamingHTTPResponse": Becomes("as `response.StreamingHTTPResponse`", True),
    "exceptions.abort": Becomes("`raise` the exception of the status", True),
    "exceptions.add_status_code": Becomes("an attribute `status_code` of the class", True),
    "response.CookieJar": Becomes("use `response.add_cookie` and `response.delete_cookie`"),
    "views.CompositionView": Becomes("`app.add_route(handler, uri, methods=[...])` for each handler", True),
    "app.CompositionView": Becomes("as `views.CompositionView`", True),
    "blueprints.CompositionView": Becomes("as `views.CompositionView`", True),
    "router.CompositionView": Becomes("as `views.CompositionView`", True),
    "app.SanicTestClient": Becomes("install `sanic-testing` and import it from `sanic_testing.testing`"),
    "testing.SanicTestClient": Becomes("install `sanic-testing` and import it from `sanic_testing.testing`"),
    "app.HttpProtocol": Becomes("import it from `sanic.server`; most of its attributes are gone"),
    "app.WebSocketProtocol": Becomes("import it from `sanic.server.websockets.connection`"),
    "websocket.WebSocketProtocol": Becomes("import it from `sanic.server.websockets.connection`"),
    "websocket.HttpProtocol": Becomes("import it from `sanic.server`"),
    "app.serve": Becomes(_SERVER),
    "app.serve_multiple": Becomes(_SERVER),
    "server.serve_multiple": Becomes(_SERVER),
    "server.trigger_events": Becomes(_SERVER),
    "server.update_current_time": Becomes(_SERVER),
    "app.static_register": Becomes("use `app.static(...)`"),
    "static.register": Becomes("use `app.static(...)`"),
    "static.file": Becomes("import it from `sanic.response`"),
    "static.file_stream": Becomes("import it from `sanic.response`"),
    "static.ContentRangeHandler": Becomes("import it from `sanic.handlers`"),
    "static.HTTPResponse": Becomes("import it from `sanic.response`"),
    "server.HTTPResponse": Becomes("import it from `sanic.response`"),
    "server.Request": Becomes("import it from `sanic.request`"),
    "handlers.text": Becomes("import it from `sanic.response`"),
    "handlers.html": Becomes("import it from `sanic.response`"),
    "testing.text": Becomes("import it from `sanic.response`"),
    "blueprints.FutureListener": Becomes("import it from `sanic.models.futures`; its fields are others"),
    "blueprints.FutureMiddleware": Becomes("import it from `sanic.models.futures`; its fields are others"),
    "blueprints.FutureException": Becomes("import it from `sanic.models.futures`; its fields are others"),
    "testing": Becomes("install `sanic-testing` and import from `sanic_testing`"),
    "websocket": Becomes("import from `sanic.server.websockets`"),
    "static": Becomes("use `app.static(...)`, and `sanic.response` for files"),
    "reloader_helpers": Becomes("use `app.run(auto_reload=True)`"),
    **{
        f"http.{name}": Becomes("import it from `sanic.helpers`")
        for name in ("has_message_body", "is_entity_header", "is_hop_by_hop_header")
    },
    "http.remove_entity_headers": Becomes("take the fields out by their names"),
    "log.log": Becomes("import `logger` from `sanic.log`"),
    "log.netlog": Becomes("import `access_logger` from `sanic.log`"),
    "router.Parameter": Becomes("ask `app.router` for its routes"),
    "router.url_hash": Becomes("ask `app.router` for its routes"),
    "router.RouteExists": Becomes("import it from `sanic_routing.exceptions`"),
    "router.RouteDoesNotExist": Becomes("catch `sanic.exceptions.NotFound`"),
    **{
        f"{module}.{name}": Becomes(_CLASSES)
        for module, names in {
            "handlers": ("ContentRangeError", "HeaderNotFound", "InvalidRangeType", "SanicException"),
            "request": ("InvalidUsage",),
            "router": ("MethodNotSupported",),
            "server": (
                "InvalidUsage", "PayloadTooLarge", "RequestTimeout", "ServerError", "ServiceUnavailable",
            ),
            "static": ("ContentRangeError", "FileNotFound", "HeaderNotFound", "InvalidUsage"),
            "testing": ("MethodNotSupported",),
            "views": ("InvalidUsage",),
            "websocket": ("InvalidUsage",),
        }.items()
        for name in names
    },
}  # fmt: skip
"""Names of modules."""

APP_GONE: Final[dict[str, Becomes]] = {
    "register_blueprint": Becomes("`app.blueprint(...)`", True),
    "converted_response_type": Becomes("nothing calls it: take it out"),
    "is_request_stream": Becomes("take it out: a route with `stream=True` streams"),
    "is_running": Becomes("read `app.state.is_running`"),
    "remove_route": Becomes("do not register the route"),
    "trigger_events": Becomes("use a listener or a signal"),
}
"""Attributes of an app."""

REQUEST_GONE: Final[dict[str, Becomes]] = {
    "get": Becomes('`getattr(request.ctx, "name", default)`', True),
    "raw_args": Becomes("the first value of each name in `request.args`", True),
    **dict.fromkeys(
        ("clear", "copy", "fromkeys", "items", "keys", "pop", "popitem", "setdefault", "update", "values"),
        Becomes("use the attributes of `request.ctx`"),
    ),
}
"""Attributes of a request, which was a dictionary; `request["name"]` becomes `request.ctx.name`."""

CONFIG_GONE: Final[dict[str, Becomes]] = {
    "from_object": Becomes("`app.config.update_config(...)`", True),
    "from_pyfile": Becomes("`app.config.update_config(...)`", True),
    "from_envvar": Becomes('`app.config.update_config("${NAME}")`'),
}
"""Methods of an app's `config`."""

APP: Final = frozenset(
    """
    add_route add_signal add_task add_websocket_route after_reload_trigger after_server_start
    after_server_stop asgi asgi_client before_reload_trigger before_server_start before_server_stop blueprint
    blueprints cancel_task config configure_logging create_server ctx debug delete dispatch enable_websocket
    error_handler event exception ext extend finalize get get_app get_task go_fast handle_exception
    handle_request head listener listeners loop main_process_ready main_process_start main_process_stop
    middleware name named_request_middleware named_response_middleware on_request on_response options patch
    post prepare put register_listener register_middleware register_named_middleware reload_process_start
    reload_process_stop request_class request_middleware response_middleware route router run serve shared_ctx
    signal signal_router sock state static stop strict_slashes tasks test_client test_mode update_config
    url_for websocket websocket_enabled websocket_tasks
    apps copy exceptions group host middlewares register routes statics url_prefix version version_prefix
    websocket_routes
    """.split()
)
"""Attributes of an app or a blueprint that today's Sanic has; any other is the project's own."""

REQUEST: Final = frozenset(
    """
    accept app args body client_ip conn_info content_type cookies credentials ctx endpoint files form
    forwarded get_args get_cookies get_current get_form get_query_args head headers host id ip is_cacheable
    is_idempotent is_safe json load_json match_info method name network_paths parsed_args parsed_files
    parsed_form parsed_json path port protocol query_args query_string raw_headers raw_url receive_body
    remote_addr request_line reset_response respond responded route scheme scope server_name server_path
    server_port socket stream stream_id token transport uri_template url url_for version
    """.split()
)
"""Attributes of a request that today's Sanic has."""

STATUSES: Final = {
    400: "InvalidUsage",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    416: "ContentRangeError",
    500: "ServerError",
    503: "ServiceUnavailable",
}
"""The exception that `abort` raised for a status; any other status was a plain `SanicException`."""
