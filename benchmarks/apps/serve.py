"""Serves one of our own apps: ``python -m benchmarks.apps.serve PORT MODULE DRIVER [WORKERS]``.

DRIVER is asyncio, uvloop (the asyncio driver on uvloop), anyio (the anyio driver on asyncio) or trio.
"""

import importlib
import sys


def main(arguments: list[str]) -> None:
    port, module, driver, *workers = arguments
    app = importlib.import_module(f"benchmarks.apps.{module}").app
    app.run(
        "127.0.0.1",
        int(port),
        driver="asyncio" if driver == "uvloop" else driver,
        uvloop=driver == "uvloop",
        access_log=False,
        workers=int(workers[0]) if workers else 1,
        backlog=2048,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
