"""Methods of Sanic's classes that an app overrides and that nothing calls here: the log names them, once.

The rule: a method that is called here is not in the table; one that is not, and that the original's server
called, is. The check runs when a class is made, so it costs a request nothing.
"""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["NEVER_CALLED", "warn_of_overridden"]

NEVER_CALLED: Final = {
    "Blueprint": {"lazy": "register routes in the blueprint's module", "make_route": "`register`"},
    "ErrorHandler": {
        "_full_lookup": "`lookup`",
        "_get_fallback_value": "the setting FALLBACK_ERROR_FORMAT",
        "_legacy_lookup": "`lookup`",
        "_lookup": "`lookup`",
        "finalize": "the constructor",
    },
    "HTTPResponse": {
        "_parse_headers": "response middleware",
        "get_headers": "response middleware",
        "output": "response middleware",
        "processed_headers": "response middleware",
    },
    "Request": {
        "body_append": "request middleware: `request.body` is whole there",
        "body_finish": "request middleware: `request.body` is whole there",
        "body_init": "request middleware",
        "body_push": "request middleware, or a route that streams",
        "reset_response": "an exception handler",
    },
    "Router": {
        "_add": "`add`",
        "_get": "`get`",
        "check_dynamic_route_exists": "`add`",
        "finalize": "a listener of before_server_start",
        "get_supported_methods": "`get`",
        "is_stream_handler": "the route's option `stream`",
        "resolve": "`get`",
    },
    "Sanic": {
        "_apply_exception_handler": "`register_exception`",
        "_apply_listener": "`register_listener`",
        "_apply_middleware": "`register_middleware`",
        "_apply_route": "`add_route`",
        "_build_endpoint_name": "the route's option `name`",
        "_helper": "`run` and `create_server`",
        "_websocket_handler": "the handler of the WebSocket",
        "converted_response_type": "response middleware",
        "finalize": "a listener of before_server_start",
        "handle_exception": "an error handler",
        "motd": "a listener of before_server_start",
        "signalize": "a listener of before_server_start",
        "trigger_events": "listeners",
    },
    "StreamingHTTPResponse": {
        "get_headers": "response middleware",
        "stream": "the streaming function",
    },
}
"""By the name of the class: the methods, and what to use."""


def warn_of_overridden(cls: type, kind: str) -> None:
    """Logs one warning for a subclass that overrides methods of the table."""
    table = NEVER_CALLED[kind]
    found = sorted(table.keys() & vars(cls).keys())
    if found:
        said = "; ".join(f"{name}: use {table[name]}" for name in found)
        logging.getLogger("sanic.root").warning(
            "%s.%s overrides what is never called here: %s", cls.__module__, cls.__qualname__, said
        )
