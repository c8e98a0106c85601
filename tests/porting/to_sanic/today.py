"""The real Sanic of today, which `make setup` puts beside the environment, and conversations with apps on it.

The rule: an app from before is served on our engine, the ported one on the real Sanic; both get the same
requests, and what a client can see is compared. The text of Sanic's own error pages is left out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streamcompat.testing import Client, Request
from streamcompat.verification import load

SANIC = Path(os.environ.get("STREAMCOMPAT_SANIC", Path(sys.prefix) / "sanic"))
needs_sanic = pytest.mark.skipif(
    not (SANIC / "sanic").is_dir(), reason="today's Sanic is not there: `make setup` installs it"
)
SCRIPT = Path(__file__).with_name("serve_today.py")
_COMPARED = {"content-type", "location", "set-cookie", "allow"}
_OWN_PAGE = "\u26a0".encode().decode("latin-1")


class Said(NamedTuple):
    """A request; the body in the chunks in which it is sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[str, ...] = ()


def read(text: str) -> list[Said]:
    """Requests from lines such as `POST /echo one|two; Accept: text/plain`."""
    found = []
    for line in text.splitlines():
        head, *fields = line.split("; ")
        method, target, *body = head.split(" ", 2)
        headers = tuple((name, value) for name, _, value in (one.partition(": ") for one in fields))
        found.append(Said(method, target, headers, tuple(body[0].split("|")) if body else ()))
    return found


def today(apps: Sequence[tuple[Path, Sequence[Said]]]) -> list[dict[str, Any]]:
    """What each app answers on the real Sanic; or why it failed."""
    wanted = []
    for path, said in apps:
        requests = [
            [
                one.method,
                one.target,
                [("host", "test"), *one.headers, *([("transfer-encoding", "chunked")] if one.chunks else [])],
                one.chunks,
            ]
            for one in said
        ]
        wanted.append({"app": str(path), "requests": requests})
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        input=json.dumps(wanted),
        env={**os.environ, "PYTHONPATH": str(SANIC)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["apps"]
    return told


async def before(path: Path, said: Sequence[Said]) -> list[dict[str, Any]]:
    """What an app answers on our engine, with `import sanic` finding the facade."""
    found = []
    async with Client(load(str(path))) as client:
        for one in said:
            body = "".join(one.chunks).encode("latin-1")
            ends = [len("".join(one.chunks[:at])) for at in range(1, len(one.chunks))]
            chunks = tuple(ends) if one.chunks else None
            response = await client.send(Request(one.method, one.target, one.headers, body, chunks))
            headers = sorted([name.lower(), value] for name, value in response.headers.items())
            found.append(
                {"status": response.status, "headers": headers, "body": response.body.decode("latin-1")}
            )
    return found


def seen(answer: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What is compared of an answer."""
    is_own = _OWN_PAGE in answer["body"] or _OWN_PAGE in other["body"]
    if is_own:
        return {"status": answer["status"]}
    fields = [
        [name, _cookie(value) if name == "set-cookie" else value]
        for name, value in answer["headers"]
        if name in _COMPARED or name.startswith("x-")
    ]
    return {**answer, "headers": fields}


def _cookie(value: str) -> list[str]:
    """A cookie without the order of its attributes, and without the time at which a deleted one ends."""
    first, *rest = value.split("; ")
    return [
        re.sub(r'=""$', "=", first),
        *sorted(one.lower() for one in rest if not one.startswith("expires")),
    ]


def alike(path: Path, said: Sequence[Said], old: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """Raise AssertionError where the answers differ."""
    assert "failed" not in new, f"{path}: {new['failed']}"
    for one, first, second in zip(said, old, new["answers"], strict=True):
        assert seen(first, second) == seen(second, first), f"{path.name}: {one}"
