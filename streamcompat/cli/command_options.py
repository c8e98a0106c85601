"""The options of `streamcompat run` beside those of serving: which app it serves, and how it imports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamcompat.sanic_api.versions import RELEASES, checked
from streamcompat.serving.flags import Flag
from streamcompat.serving.front import on_command_line

IMPORTS: Final = "how to import"
RELOADING: Final = "while developing"
SETTINGS: Final = "settings"

Mounted = tuple[str | None, str, str]
"""A host or `None`, a prefix of paths, and a TARGET."""


def mount(text: str) -> Mounted:
    """Reads `shop.example/api=shop.py:app` as host (`None` if there is none), path prefix and TARGET."""
    place, equals, target = text.partition("=")
    if not equals or not place or not target:
        raise ValueError(f"{text!r} is not PREFIX=TARGET, such as /shop=shop.py:app")
    host, slash, path = place.partition("/")
    if not slash and not any(mark in host for mark in ".:") and host != "localhost":
        raise ValueError(
            f"{text!r} may mean a path or a host: write /{host}={target} for the path, {host}/={target} for "
            "the host"
        )
    return host or None, (slash + path).rstrip("/"), target


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """Which app is served, and how it is imported; each flag says what it is."""

    target: str | None = on_command_line(
        Flag(
            IMPORTS,
            "package.module:app or path/to/file.py:app; `:app` may be left out if there is just one app "
            "(default: none)",
            "TARGET",
        ),
        None,
    )
    mount: Sequence[Mounted] = on_command_line(
        Flag(
            IMPORTS,
            "serve another app below a path (/shop), on a host (shop.example, or shop/ for a name without "
            "a dot) or both (shop.example/api); repeatable. TARGET, if given, serves all other requests "
            "(default: none)",
            "PREFIX=TARGET",
            mount,
            repeatable=True,
        ),
        (),
    )
    app_dir: str | None = on_command_line(
        Flag(IMPORTS, "where modules and files are looked for (default: the current folder)", "DIR"), None
    )
    interface: str = on_command_line(
        Flag(
            IMPORTS,
            "what a TARGET is that is not an app of a flavour, where its signature does not say; auto "
            "recognises applications of ASGI and WSGI by their signatures (default: %(default)s)",
            choices=("auto", "asgi", "wsgi"),
        ),
        "auto",
    )
    alias: bool = on_command_line(
        Flag(
            IMPORTS,
            "let `import sanic` and `import mach9` find streamcompat, so that old apps run unedited "
            "(default: no)",
        ),
        False,
    )
    force_alias: bool = on_command_line(
        Flag(IMPORTS, "the same, even where the real package is installed (default: no)"), False
    )
    old_python: bool = on_command_line(
        Flag(
            IMPORTS,
            "give back what Python itself has removed since the app was written, such as asyncio.coroutine "
            "and collections.Iterable; each has a line in the log when it is first used (default: no)",
        ),
        False,
    )
    factory: bool = on_command_line(
        Flag(
            IMPORTS,
            "TARGET names a function that makes the app, as in app.py:create_app; one that needs arguments "
            "is called in TARGET itself, as in 'app.py:create_app(\"shop\", debug=True)' (default: no)",
        ),
        False,
    )
    compat: str | None = on_command_line(
        Flag(
            IMPORTS,
            "the release of Sanic whose behaviour applies where releases contradict each other, one of "
            f"{', '.join(RELEASES)}, or one between them such as 20.9 (default: 0.8)",
            "RELEASE",
            checked,
        ),
        None,
    )
    ignore_run: bool = on_command_line(
        Flag(IMPORTS, "take no defaults from the app's own `app.run(...)` (default: no)"), False
    )
    traceback: bool = on_command_line(
        Flag(IMPORTS, "show the whole traceback if an app fails to import or to start (default: no)"), False
    )
    reload: bool = on_command_line(
        Flag(
            RELOADING,
            "serve the new code once a file was saved; needs the extra `reload` (default: no)",
            aliases=("--auto-reload", "-r"),
        ),
        False,
    )
    reload_dir: Sequence[str] = on_command_line(
        Flag(
            RELOADING,
            "a folder to watch; repeatable (default: the current folder, and --app-dir)",
            "DIR",
            repeatable=True,
        ),
        (),
    )
    reload_include: Sequence[str] = on_command_line(
        Flag(
            RELOADING,
            "a pattern of the names or paths of files to watch; repeatable (default: *.py)",
            "PATTERN",
            repeatable=True,
        ),
        (),
    )
    reload_exclude: Sequence[str] = on_command_line(
        Flag(RELOADING, "one of files not to watch; repeatable (default: none)", "PATTERN", repeatable=True),
        (),
    )
    env_file: str | None = on_command_line(
        Flag(
            SETTINGS,
            "a file of environment variables, NAME=value; those that are set already stay (default: none)",
            "FILE",
        ),
        None,
    )

    @property
    def folder(self) -> Path:
        """Where modules and files are looked for."""
        return Path(self.app_dir or ".").resolve()

    def found(self, target: str) -> str:
        """A TARGET that can be loaded from the current folder: the file of `--app-dir` if it is one there."""
        place, colon, attribute = target.partition(":")
        below = self.folder / place
        if self.app_dir is None or not below.is_file() or Path(place).is_absolute():
            return target
        return f"{below}{colon}{attribute}"
