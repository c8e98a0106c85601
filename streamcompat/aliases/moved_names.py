"""Names of the originals' modules that streamcompat does not have, or has elsewhere.

The rule: a table only. A key is a name without its flavour: `server.HttpProtocol` stands for
`sanic.server.HttpProtocol` and for Mach9's. The value says what to use instead, for the ImportError.
"""

from __future__ import annotations

from typing import Final

_COMMAND = "the command `streamcompat run`"
_SERVE = "`app.run()` or `await app.create_server()`"
_ERROR_PAGE = "your own `ErrorHandler`: override `default`"
_FUTURE = "`blueprint.routes`, `.middlewares`, `.exceptions` and `.listeners`: a blueprint keeps plain tuples"
_HANDSHAKE = "a route for WebSockets: the engine does the handshake"
_HEADERS = "`streamcompat.datastructures.Headers`, which holds several values per name"
_ROUTER_CACHE = "nothing: the router keeps no cache"

INSTEAD: Final = {
    "app.LOGGING": "`config.LOGGING`",
    "app.ReplyChannelProxy": "`http.ReplyChannel`",
    "app.WebSocketReplyChannelProxy": "`websocket.ReplyChannel`",
    "blueprints.FutureException": _FUTURE,
    "blueprints.FutureListener": _FUTURE,
    "blueprints.FutureMiddleware": _FUTURE,
    "blueprints.FutureRoute": _FUTURE,
    "blueprints.FutureStatic": _FUTURE,
    "cookies.MultiHeader": _HEADERS,
    "defaultFilter": "`log.DefaultFilter`",
    "reloader_helpers": "a tool that restarts the process, such as watchfiles",
    "response.MultiHeader": _HEADERS,
    "router.ROUTER_CACHE_SIZE": _ROUTER_CACHE,
    "server.current_time": "`time.time()`",
    "server.serve": _SERVE,
    "server.serve_multiple": "`app.run(workers=N)`",
    "server.trigger_events": "`@app.listener`: the server calls the listeners",
    "server.update_current_time": "`time.time()`",
    "timer.current_time": "`timer.get_current_time()`",
    "websocket.handshake": _HANDSHAKE,
    "websocket.upgrade_to_websocket": _HANDSHAKE,
    "worker": _COMMAND,
    "worker.GunicornWorker": "the command `streamcompat run --workers N`",
} | {
    f"{module}.{name}": _ERROR_PAGE
    for module in ("exceptions", "handlers")
    for name in (
        "TRACEBACK_BORDER",
        "TRACEBACK_LINE_HTML",
        "TRACEBACK_STYLE",
        "TRACEBACK_WRAPPER_HTML",
        "TRACEBACK_WRAPPER_INNER_HTML",
    )
}
