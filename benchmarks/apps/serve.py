"""Serves one of our own apps: ``python -m benchmarks.apps.serve PORT MODULE DRIVER [WORKERS]``.

DRIVER is asyncio, uvloop (the asyncio driver on uvloop), anyio (the anyio driver on asyncio) or trio.
"""

import importlib
import sys

if __name__ == "__main__":
    port, module, driver = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    app = importlib.import_module(f"benchmarks.apps.{module}").app
    app.run(
        "127.0.0.1",
        port,
        driver="asyncio" if driver == "uvloop" else driver,
        uvloop=driver == "uvloop",
        access_log=False,
        workers=int(sys.argv[4]) if len(sys.argv) > 4 else 1,
        backlog=2048,
    )
