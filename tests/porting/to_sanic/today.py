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
_HOST = [("host", "testserver")]
_COMPARED = {"content-type", "location", "set-cookie", "allow"}
_OWN_PAGES = re.compile('\xe2\x9a\xa0|Error: |{"description":|<!DOCTYPE')


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


def _own(said: Said) -> list[tuple[str, str]]:
    return [(name, value) for name, value in said.headers if name.lower() != "host"]


def today(apps: Sequence[tuple[Path, Sequence[Said]]]) -> list[dict[str, Any]]:
    """What each app answers on the real Sanic; or why it failed."""
    wanted = []
    for path, said in apps:
        requests = [
            [
                one.method,
                one.target,
                [*_HOST, *_own(one), *([("transfer-encoding", "chunked")] if one.chunks else [])],
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
            request = Request(one.method, one.target, tuple(_own(one)), body, chunks)
            response = await client.send(request)
            headers = sorted([name.lower(), value] for name, value in response.headers.items())
            found.append(
                {"status": response.status, "headers": headers, "body": response.body.decode("latin-1")}
            )
    return found


def seen(answer: dict[str, Any], other: dict[str, Any], without: Sequence[str] = ()) -> dict[str, Any]:
    """What is compared of an answer."""
    if answer["status"] >= 400 and any(_OWN_PAGES.match(one["body"]) for one in (answer, other)):
        return {"status": answer["status"]}
    fields = [
        [name, _cookie(value) if name == "set-cookie" else value]
        for name, value in answer["headers"]
        if (name in _COMPARED or name.startswith("x-")) and name not in without
    ]
    body = answer["body"]
    if ["content-type", "application/json"] in fields:
        body = json.loads(body)
    return {"status": answer["status"], "headers": sorted(fields, key=str), "body": body}


def _cookie(value: str) -> list[str]:
    """A cookie without the order of its attributes, and without the time at which a deleted one ends."""
    first, *rest = value.split("; ")
    return [
        re.sub(r'=""$', "=", first),
        *sorted(one.lower() for one in rest if not one.startswith("expires")),
    ]


def alike(
    path: Path,
    said: Sequence[Said],
    old: list[dict[str, Any]],
    new: dict[str, Any],
    without: Sequence[str] = (),
) -> None:
    """Raise AssertionError where the answers differ, apart from the header fields `without`."""
    assert "failed" not in new, f"{path}: {new['failed']}"
    found = []
    for one, first, second in zip(said, old, new["answers"], strict=True):
        ours, theirs = seen(first, second, without), seen(second, first, without)
        if ours != theirs:
            found.append(f"{path.name}: {one}\n  before: {ours}\n  after: {theirs}")
    assert not found, "\n".join(found)
