"""Options that `run` of an original had and that are something else here, or nothing."""

from __future__ import annotations

from typing import Final

SAME_AS: Final = {"unix": "uds"}
"""Options of the originals that have a different name here."""

WITHOUT_EFFECT: Final = {
    "after_start": "Sanic 0.4; use @app.listener('after_server_start')",
    "after_stop": "Sanic 0.4; use @app.listener('after_server_stop')",
    "asyncio_server_kwargs": "Sanic 19.12; the engine makes its own listening sockets",
    "auto_reload": "Sanic 0.8; `streamcompat run --reload`",
    "auto_tls": "Sanic 22.6; give a context as `ssl`",
    "before_start": "Sanic 0.4; use @app.listener('before_server_start')",
    "before_stop": "Sanic 0.4; use @app.listener('before_server_stop')",
    "coffee": "Sanic 22.6; a picture in the terminal",
    "dev": "Sanic 22.6; auto_reload and debug together",
    "legacy": "Sanic 22.9; there is one supervisor",
    "loop": "Sanic 0.1; each run makes its own loop, and create_server uses the running one",
    "motd": "Sanic 21.12; only the address is printed at the start",
    "motd_display": "Sanic 21.12; as `motd`",
    "noisy_exceptions": "Sanic 21.12; exceptions that become a 5xx are always logged",
    "protocol": "Sanic 0.1 and Mach9; the engine is the protocol",
    "reload_dir": "Sanic 21.6; as `auto_reload`",
    "return_asyncio_server": "Sanic 19.6; create_server always returns the server",
    "single_process": "Sanic 22.9; one worker is one process",
    "stop_event": "Sanic 0.2; use app.stop()",
    "verbosity": "Sanic 21.12; use `log_config`",
    "version": "Sanic 22.9",
}
"""Options of the originals that are accepted without effect: the first release, and what replaces them."""

FAST: Final = "fast"
"""Since Sanic 21.12: one worker for each processor that the process may use."""
