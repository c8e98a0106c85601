"""The measured servers and how each is started. Every table has the same order."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path


class Family(Enum):
    PEER = "peer"
    OURS = "streamcompat"
    ORIGINAL = "original"
    ALONE = "alone"
    ABLATION = "without"


@dataclass(frozen=True)
class ServerSpec:
    """One row of the tables."""

    key: str  # for --servers and the JSON file
    title: str  # {version} is replaced by the version of ``package``
    family: Family
    arguments: Callable[[int], list[str]]  # the arguments after ``python``, for a port
    package: str | None = None  # the package whose version is reported
    environment: str = "peers"
    by_default: bool = True
    only: frozenset[str] | None = None  # keys of the workloads to measure; None for all
    back_pressure: bool = True  # False: it buffers without bound if the client is slow
    everywhere: bool = False  # may run on every core, including the client's
    shared: str | None = (
        None  # the ASGI application that other servers serve, too; None for an app of its own
    )
    root: Path | None = None  # the source tree to run from; None for this checkout
    tls: ssl.SSLContext | None = None  # by which a client connects; None for plain HTTP

    def with_workers(self, count: int) -> "ServerSpec":
        """The same with this many worker processes, on every core; only for our own rows."""
        words = [str(count)] if self.key.startswith("ours") else ["--workers", str(count)]
        return replace(self, arguments=lambda port: [*self.arguments(port), *words], everywhere=True)

    @property
    def headline(self) -> bool:
        """Whether the row is in the short chart, and has a ratio to every other row."""
        if self.family in (Family.PEER, Family.ORIGINAL):
            return self.by_default
        return self.key == "bare-h11" or (self.key.endswith("-uvloop") and self.only is None)


def uvicorn(app: str, http: str, websocket: str = "none") -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        words = (
            f"-m uvicorn {app} --host 127.0.0.1 --port {port} --loop uvloop --http {http} --ws {websocket}"
        )
        return f"{words} --backlog 2048 --no-access-log --log-level warning".split()

    return arguments


def hypercorn(app: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        words = f"-m hypercorn {app} --config python:benchmarks.apps.hypercorn_config"
        return f"{words} --bind 127.0.0.1:{port}".split()

    return arguments


def granian(app: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        words = f"-m granian {app} --interface asgi --http 1 --no-ws --loop uvloop --workers 1"
        return f"{words} --host 127.0.0.1 --port {port} --backlog 2048 --log-level warning".split()

    return arguments


def run(target: str, *options: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        words = f"-m streamcompat run {target} --host 127.0.0.1 --port {port} --backlog 2048"
        return [*words.split(), *options]

    return arguments


def _module(name: str, *more: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return ["-m", f"benchmarks.apps.{name}", str(port), *more]

    return arguments


ASGI = "benchmarks.apps.asgi:app"
STARLETTE = "benchmarks.apps.starlette_app:app"

PEERS = [
    ServerSpec(
        "uvicorn-h11",
        "uvicorn {version}, h11, uvloop",
        Family.PEER,
        uvicorn(ASGI, "h11"),
        "uvicorn",
        shared="asgi",
    ),
    ServerSpec(
        "uvicorn-httptools",
        "uvicorn {version}, httptools, uvloop",
        Family.PEER,
        uvicorn(ASGI, "httptools"),
        "uvicorn",
        shared="asgi",
    ),
    ServerSpec(
        "starlette",
        "Starlette {version} on uvicorn, httptools",
        Family.PEER,
        uvicorn(STARLETTE, "httptools"),
        "starlette",
        shared="starlette",
    ),
    ServerSpec(
        "hypercorn",
        "hypercorn {version}, h11, uvloop",
        Family.PEER,
        hypercorn(ASGI),
        "hypercorn",
        shared="asgi",
    ),
    ServerSpec("sanic", "Sanic {version}, uvloop", Family.PEER, _module("sanic_current"), "sanic"),
    ServerSpec(
        "aiohttp", "aiohttp {version}, uvloop", Family.PEER, _module("aiohttp_app", "uvloop"), "aiohttp"
    ),
    ServerSpec(
        "aiohttp-asyncio",
        "aiohttp {version}, asyncio",
        Family.PEER,
        _module("aiohttp_app", "asyncio"),
        "aiohttp",
        by_default=False,
    ),
    ServerSpec(
        "granian",
        "granian {version} (Rust), uvloop",
        Family.PEER,
        granian(ASGI),
        "granian",
        shared="asgi",
    ),
]

# The same two ASGI applications on our server and on the others, where no row above has them.
ASGI_ROWS = [
    ServerSpec(
        "ours-asgi-uvloop",
        "streamcompat, bare ASGI app, uvloop",
        Family.OURS,
        run(ASGI, "--no-access-log"),
        shared="asgi",
    ),
    ServerSpec(
        "ours-starlette-uvloop",
        "streamcompat, Starlette, uvloop",
        Family.OURS,
        run(STARLETTE, "--no-access-log"),
        shared="starlette",
    ),
    *(
        ServerSpec(
            f"starlette-{key}",
            f"Starlette {{version}} on {words}",
            Family.PEER,
            arguments,
            "starlette",
            by_default=False,
            shared="starlette",
        )
        for key, words, arguments in (
            ("h11", "uvicorn, h11", uvicorn(STARLETTE, "h11")),
            ("hypercorn", "hypercorn", hypercorn(STARLETTE)),
            ("granian", "granian", granian(STARLETTE)),
        )
    ),
]

ORIGINALS = [
    ServerSpec(
        "sanic-original",
        "Sanic {version}, the original",
        Family.ORIGINAL,
        _module("sanic_original"),
        "sanic",
        environment="originals",
        back_pressure=False,
    ),
    ServerSpec(
        "mach9-original",
        "Mach9 {version}, the original",
        Family.ORIGINAL,
        _module("mach9_original"),
        "mach9",
        environment="originals",
        back_pressure=False,
    ),
]

ALONE = [
    ServerSpec("engine", "our engine without an app, uvloop", Family.ALONE, _module("engine_only", "uvloop")),
    ServerSpec(
        "engine-asyncio",
        "our engine without an app, asyncio",
        Family.ALONE,
        _module("engine_only", "asyncio"),
        by_default=False,
    ),
    ServerSpec(
        "bare-h11",
        "h11 {version} alone, uvloop",
        Family.ALONE,
        _module("bare_h11", "uvloop"),
        "h11",
    ),
    ServerSpec(
        "bare-h11-asyncio",
        "h11 {version} alone, asyncio",
        Family.ALONE,
        _module("bare_h11", "asyncio"),
        "h11",
    ),
    ServerSpec(
        "raw-transport",
        "a transport without HTTP, uvloop",
        Family.ALONE,
        _module("raw_transport", "uvloop"),
        "uvloop",
    ),
    ServerSpec(
        "raw-transport-asyncio",
        "a transport without HTTP, asyncio",
        Family.ALONE,
        _module("raw_transport", "asyncio"),
        by_default=False,
    ),
]

# Workloads in which an awaited and an un-awaited write can differ.
WRITING = frozenset({"down-64k", "down-100", "echo-16k", "echo-100", "big-down", "first-byte", "echo-turn"})


def _ours(app: str, driver: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return ["-m", "benchmarks.apps.serve", str(port), app, driver]

    return arguments


def _without(part: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return ["-m", "benchmarks.apps.without", part, str(port), "sanic_flavour", "uvloop"]

    return arguments


# Our server without one optimisation, in the workloads that the optimisation is for.
WITHOUT = [
    ServerSpec(
        f"without-{part}",
        f"streamcompat, Sanic API, uvloop, without {words}",
        Family.ABLATION,
        _without(part),
        only=frozenset(only),
    )
    for part, words, only in (
        ("coalescing", "coalescing", {"down-100", "down-64k", "first-byte"}),
        ("lane-out", "the outbound body lane", {"down-100", "down-64k"}),
        ("lane-in", "the inbound body lane", {"up-100", "up-64k"}),
        ("remembered-heads", "remembered heads", {"get", "get-paths"}),
        ("kept-stacks", "kept stacks", {"first-byte"}),
    )
]


# Our server with one way to look inside, in the workloads in which a request or a chunk costs least.
OBSERVED = [
    ServerSpec(
        f"observed-{part}",
        f"streamcompat, Sanic API, uvloop, {words}",
        Family.OURS,
        run("benchmarks/apps/sanic_flavour.py:app", *options),
        by_default=False,
        only=frozenset({"get", "down-100", "echo-100"}),
    )
    for part, words, options in (
        ("off", "nothing observed", ("--no-access-log",)),
        ("log", "access log", ("--access-log",)),
        ("json", "access log in JSON", ("--access-log-format", "json")),
        ("metrics", "metrics", ("--no-access-log", "--metrics-port", "0")),
        ("inspector", "the inspector", ("--no-access-log", "--inspect")),
        ("tracing", "tracing without an SDK", ("--no-access-log", "--tracing")),
    )
]


def _our_rows() -> list[ServerSpec]:
    flavours = [
        ("sanic", "Sanic API, un-awaited write", "sanic_flavour", None),
        ("mach9", "Mach9 API", "mach9_flavour", None),
        ("sanic-awaited", "Sanic API, awaited write", "sanic_awaited", WRITING),
    ]
    rows = []
    for flavour, words, module, only in flavours:
        for driver in ("uvloop", "asyncio", "anyio", "trio"):
            rows.append(
                ServerSpec(
                    f"ours-{flavour}-{driver}",
                    f"streamcompat, {words}, {_DRIVERS[driver]}",
                    Family.OURS,
                    _ours(module, driver),
                    environment="peers",
                    by_default=driver != "trio" and (only is None or driver != "anyio"),
                    only=only,
                )
            )
    return rows


_DRIVERS = {
    "uvloop": "uvloop",
    "asyncio": "asyncio",
    "anyio": "anyio driver on asyncio",
    "trio": "anyio driver on trio",
}

ALL = [*_our_rows(), *ASGI_ROWS, *OBSERVED, *WITHOUT, *PEERS, *ORIGINALS, *ALONE]


CROWDS = "benchmarks.apps.crowds"

# The rows of ``benchmarks.scale``.
SCALE = [
    ServerSpec(
        "scale-sanic", "streamcompat, Sanic API", Family.OURS, run(f"{CROWDS}:sanic_0", "--no-access-log")
    ),
    ServerSpec(
        "scale-starlette",
        "streamcompat, Starlette",
        Family.OURS,
        run(f"{CROWDS}:starlette_0", "--no-access-log"),
    ),
    ServerSpec(
        "scale-uvicorn",
        "uvicorn {version}, Starlette",
        Family.PEER,
        uvicorn(f"{CROWDS}:starlette_0", "httptools", "auto"),
        "uvicorn",
    ),
]


def chosen(names: str | None) -> list[ServerSpec]:
    """The rows for ``--servers``: keys, or ``ours``, ``asgi``, ``observed``, ``peers``, ``originals``,
    ``alone``, ``without``."""
    if names is None:
        return [spec for spec in ALL if spec.by_default]
    groups = {
        "ours": Family.OURS,
        "peers": Family.PEER,
        "originals": Family.ORIGINAL,
        "alone": Family.ALONE,
        "without": Family.ABLATION,
    }
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = {spec.key for spec in ALL}
    more = {
        "observed": {spec.key for spec in OBSERVED},
        "asgi": {spec.key for spec in ALL if spec.shared},
    }
    for name in wanted & set(more):
        wanted = wanted - {name} | more[name]
    unknown = wanted - known - set(groups) - {"all"}
    if unknown:
        raise SystemExit(
            f"unknown server: {', '.join(sorted(unknown))}; known are: {', '.join(sorted(known))}"
        )
    families = {groups[name] for name in wanted if name in groups}
    return [
        spec
        for spec in ALL
        if "all" in wanted or spec.key in wanted or (spec.by_default and spec.family in families)
    ]
