"""Serves an app over a real socket while a test talks to it, in a thread or as the command line does.

Readiness is an event, never a sleep: the server says where it listens, and only then does the test go on.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamcompat_engine import Lifespan, Server

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0  # seconds that anything may take on a loaded machine before a test gives up


@dataclass
class Command:
    """A running `streamcompat run`.

    Attributes:
        url: where it listens, such as `http://127.0.0.1:40123`; empty on a Unix socket.
        said: its standard output up to the line that says so.
    """

    process: subprocess.Popen[str]
    url: str
    said: str


def environment() -> dict[str, str]:
    """The environment of a child that writes UTF-8 and buffers nothing."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONWARNINGS": "default"}


@contextmanager
def serve_command(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Iterator[Command]:
    """`python -m streamcompat run ARGUMENTS --port 0` as a child, which ends gracefully with status 0.

    Args:
        arguments: what follows `run`; `--port 0` is added unless a place to listen is among them.
        cwd: its current folder.
        env: variables on top of `environment()`.

    Raises:
        AssertionError: it ended, or fell silent, before it listened; or it did not end with status 0.
    """
    line = [sys.executable, "-m", "streamcompat", "run", *arguments]
    if not {"--port", "--uds"} & set(arguments):
        line += ["--port", "0"]
    process = subprocess.Popen(
        line,
        cwd=cwd,
        env={**environment(), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors: list[str] = []
    # Both pipes are read all the time, so that a talkative child never blocks on them.
    error_reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
    error_reader.start()
    watchdog = threading.Timer(PATIENCE * 3, process.kill)
    watchdog.start()
    said = ""
    try:
        assert process.stdout is not None
        for text in process.stdout:
            said += text
            if "listening on" in text:
                break
        else:
            error_reader.join(PATIENCE)
            raise AssertionError(f"it ended with {process.wait(PATIENCE)}: {said}{''.join(errors)}")
        found = re.search(r"http://\S+:\d+", said)
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        yield Command(process, found[0] if found else "", said)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE)
        rest.join(PATIENCE)
        error_reader.join(PATIENCE)
        assert status == 0, f"ended with {status}: {''.join(errors)}"
    finally:
        watchdog.cancel()
        process.kill()
        process.wait(PATIENCE)
        error_reader.join(PATIENCE)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


class _Announcing(Lifespan):
    """Passes everything on to an app's lifespan, and tells a waiting thread where the server listens."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.ready = threading.Event()
        self.addresses: list[str] = []

    async def before_start(self, loop: Any) -> None:
        await self.inner.before_start(loop)

    async def after_start(self, loop: Any) -> None:
        await self.inner.after_start(loop)

    async def before_stop(self, loop: Any) -> None:
        await self.inner.before_stop(loop)

    async def after_stop(self, loop: Any) -> None:
        await self.inner.after_stop(loop)

    def listening(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.ready.set()


@contextmanager
def serve(app: Any, driver: str = "asyncio") -> Iterator[str]:
    """Serve an app or a site in a thread of this process, on a port of the system's choice.

    Yields:
        Its URL, such as `http://127.0.0.1:40123`.

    Raises:
        AssertionError: it did not listen, or did not stop, in time.
        Exception: whatever the server itself raised.
    """
    announcing = _Announcing(app.lifespan())
    config = app.server_config(port=0, driver=driver, grace=5)
    server = Server(app.handle, config, lifespan=announcing, overdue=app.overdue)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            announcing.ready.set()

    # A server that hangs fails its test; it must not keep the whole run from ending as well.
    thread = threading.Thread(target=run, name=f"server on {driver}", daemon=True)
    thread.start()
    try:
        assert announcing.ready.wait(PATIENCE), "the server does not listen"
        if not failures:
            yield announcing.addresses[0]
    finally:
        server.stop()
        thread.join(PATIENCE)
    if failures:
        raise failures[0]
    assert not thread.is_alive(), "the server does not stop"
