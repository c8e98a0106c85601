"""Serves ported apps on the real Sanic of today, in memory over ASGI, and prints what they answer.

Runs in a process of its own, where `import sanic` finds the real one. Standard input has a list of
`{"app": path, "requests": [[method, target, headers, chunks], ...]}` as JSON, standard output the answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
import sys
import traceback
from pathlib import Path
from urllib.parse import unquote

PATIENCE = 10.0
"""Seconds that one answer may take."""


async def answer(app, method, target, headers, chunks):
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    given = [chunk.encode("latin-1") for chunk in chunks]
    told = {"status": 0, "headers": [], "body": b""}

    async def receive():
        if given:
            return {"type": "http.request", "body": given.pop(0), "more_body": True}
        if given is not None and not receive.ended:
            receive.ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            told["status"] = message["status"]
            told["headers"] = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
            ]
        else:
            told["body"] += message.get("body", b"")

    receive.ended = False
    await asyncio.wait_for(app(scope, receive, send), PATIENCE)
    told["headers"] = sorted([name.lower(), value] for name, value in told["headers"])
    told["body"] = told["body"].decode("latin-1")
    return told


async def talk(app, requests):
    inbox = asyncio.Queue()
    started = asyncio.Event()

    async def send(message):
        if message["type"] == "lifespan.startup.failed":
            raise RuntimeError(message.get("message"))
        started.set()

    await inbox.put({"type": "lifespan.startup"})
    life = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, send))
    waits = asyncio.ensure_future(started.wait())
    await asyncio.wait([life, waits], return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        life.result()
    found = [await answer(app, *one) for one in requests]
    await inbox.put({"type": "lifespan.shutdown"})
    await asyncio.wait([life], timeout=PATIENCE)
    return found


def served(path, requests):
    known = set(sys.modules)
    root, parts = Path(path).parent, [Path(path).stem]
    while (root / "__init__.py").exists():
        root, parts = root.parent, [root.name, *parts]
    sys.path.insert(0, str(root))
    try:
        names = runpy.run_module(".".join(parts)) if len(parts) > 1 else runpy.run_path(path)
        return {"answers": asyncio.run(talk(names["app"], requests))}
    except BaseException:
        return {"failed": traceback.format_exc()}
    finally:
        sys.path.pop(0)
        for name in set(sys.modules) - known:
            if not name.startswith("sanic"):
                sys.modules.pop(name, None)


def main():
    import sanic

    sanic.Sanic.test_mode = True
    logging.disable(logging.CRITICAL)
    out = [served(one["app"], one["requests"]) for one in json.load(sys.stdin)]
    print(json.dumps({"release": sanic.__version__, "apps": out}), file=sys.__stdout__)


if __name__ == "__main__":
    main()
