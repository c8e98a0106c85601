"""Each module of the product has a test file of its name, or a line here that says which suite holds it.

A mirror of `streamcompat.kernel.cookies` is a `test_cookies.py` below `tests/kernel/`, one of
`streamcompat_engine.http1.gate` a `test_gate.py` below `tests/engine/`. `python -m tests.test_mirror` prints
`HELD_BY` as a table in Markdown, for the contributor's guide.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"

HELD_BY = {
    "streamcompat.aliases.finder": "aliases/test_aliases.py",
    "streamcompat.aliases.removed": "aliases/test_old_python.py",
    "streamcompat.aliases.starts_with_old_python": "aliases/test_old_python.py",
    "streamcompat.application": "serving, asgi",
    "streamcompat.asgi": "asgi/test_asgi.py, asgi/test_asgi_clients.py, asgi/test_asgi_timeouts.py, "
    "asgi/test_asgi_websocket.py",
    "streamcompat.asgi_api.bodyfile": "asgi_api/test_extensions.py",
    "streamcompat.asgi_api.errors": "asgi_api/test_http.py",
    "streamcompat.asgi_api.messages": "asgi_api/test_http.py",
    "streamcompat.asgi_api.tls": "asgi_api/test_extensions.py",
    "streamcompat.checking": "cli/test_check.py",
    "streamcompat.cli": "cli/test_cli.py, testing/test_probe_command.py, testing/test_client_commands.py, "
    "porting/test_command.py",
    "streamcompat.kernel.dialect": "parity, kernel/test_binding.py",
    "streamcompat.kernel.registry": "kernel/test_app.py, kernel/test_blueprints.py",
    "streamcompat.kernel.response.itemmakers": "kernel/test_items.py",
    "streamcompat.kernel.response.makers": "kernel/test_response.py, parity",
    "streamcompat.kernel.routes.endpoints": "kernel/test_router.py, kernel/test_binding.py",
    "streamcompat.kernel.routes.index": "kernel/test_router.py",
    "streamcompat.kernel.routes.signatures": "kernel/test_registration.py",
    "streamcompat.kernel.statuses": "kernel/test_errors.py, parity",
    "streamcompat.kernel.tasks": "serving/test_serving.py, kernel/test_blueprints.py",
    "streamcompat.kernel.ujsontext": "kernel/test_jsontext.py, kernel/test_response.py",
    "streamcompat.kernel.websocket.connection": "kernel/test_websocket.py",
    "streamcompat.kernel.websocket.routes": "kernel/test_websocketroutes.py",
    "streamcompat.mach9_api": "parity, aliases/test_moved_names.py",
    "streamcompat.porting": "porting",
    "streamcompat.sanic_api": "parity, sanic_api/test_versions.py, aliases/test_moved_names.py",
    "streamcompat.serving": "serving/test_serving.py, cli/test_cli.py",
    "streamcompat.testing": "testing",
    "streamcompat.verification": "verification",
    "streamcompat_engine.drivers": "engine/scenario/test_drivers.py, engine/scenario/test_driver_parity.py",
    "streamcompat_engine.errors": "engine/unit/test_connection.py, engine/scenario/test_failing_apps.py",
    "streamcompat_engine.events": "engine/unit/test_connection.py",
    "streamcompat_engine.exchange.contract": "contract",
    "streamcompat_engine.limits": "engine/property/test_segmentation.py, conformance",
    "streamcompat_engine.server": "engine/scenario/test_server.py, serving/test_workers.py",
    "streamcompat_engine.websocket.codes": "engine/unit/test_websocket.py",
    "streamcompat_engine.websocket.protocol": "engine/unit/test_websocket.py, conformance/test_websockets.py",
}
"""A module, or a package for all of its modules without a mirror: the files or folders below `tests/`."""


def _modules() -> Iterator[tuple[str, Path]]:
    """The name of each module with code of its own, and the folder below which its mirror is looked for."""
    for root in (ROOT / "streamcompat", ROOT / "engine" / "streamcompat_engine"):
        for path in sorted(root.rglob("*.py")):
            if path.stem in ("__init__", "__main__"):
                continue
            name = ".".join(path.relative_to(root.parent).with_suffix("").parts)
            package, *folders, _ = name.split(".")
            yield name, TESTS / ("engine" if package == "streamcompat_engine" else "/".join(folders[:1]))


def _without_mirror() -> list[str]:
    return [name for name, below in _modules() if not any(below.rglob(f"test_{name.rpartition('.')[2]}.py"))]


def _held(name: str, by: str) -> bool:
    return name == by or name.startswith(f"{by}.")


def test_each_module_has_a_mirror_or_a_suite_that_holds_it() -> None:
    missing = [name for name in _without_mirror() if not any(_held(name, by) for by in HELD_BY)]
    assert not missing, "write their test files, or add to HELD_BY:\n" + "\n".join(
        f'    "{name}": "...",' for name in missing
    )


def test_no_line_is_left_over() -> None:
    without = _without_mirror()
    over = [by for by in HELD_BY if not any(_held(name, by) for name in without)]
    assert not over, f"these have mirrors, or are not there any more: {over}"


def test_the_suites_are_there() -> None:
    for by, suites in HELD_BY.items():
        for suite in suites.split(", "):
            assert (TESTS / suite).exists(), f"{by}: {suite}"


def table() -> list[str]:
    """`HELD_BY` as a table in Markdown."""
    rows = [
        f"| `{by}` | {', '.join(f'`tests/{one}`' for one in suites.split(', '))} |"
        for by, suites in HELD_BY.items()
    ]
    return ["| module or package | held by |", "|---|---|", *rows]


def test_the_contributors_guide_has_the_table() -> None:
    guide = [line.strip() for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()]
    begin = guide.index(table()[0])
    assert guide[begin : begin + len(table())] == table()


def test_every_place_that_the_contributors_guide_names_is_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for named in re.findall(r"`((?:engine|streamcompat|tests|docs)/[\w/…]+(?:\.\w+)?)`", guide):
        path = ROOT / named.replace("engine/…", "engine/streamcompat_engine")
        assert path.exists() or "NAME" in named, named


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
