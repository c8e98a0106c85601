"""An application of old and what is said to it; `conversations` has them all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.parity.originals.surface.cases import Case, case, request

APPS_FOLDER = Path(__file__).parent / "apps"


JSON = "application/json"


SANIC = ("sanic-0.5.4", "sanic-0.6.0", "sanic-0.7.0", "sanic-0.8.3")


class OldApp(NamedTuple):
    """An application.

    Attributes:
        path: of the script that has `app`.
        releases: those that it runs on.
        said: the requests, in order.
        asyncio: it uses asyncio itself, so that it cannot run on trio.
        compat: the release that decides, where it is not 0.8.
        needs: packages beside the original, as requirements.
    """

    path: str
    releases: tuple[str, ...]
    said: list[Case]
    asyncio: bool = False
    compat: str = "0.8"
    needs: tuple[str, ...] = ()


def conversation(*said: bytes) -> list[Case]:
    return [case(str(number), sent) for number, sent in enumerate(said)]


def preflight(target: str, origin: str, method: str, fields: str | None = None) -> bytes:
    """What a browser asks before it sends a request from another origin."""
    asked = {} if fields is None else {"access_control_request_headers": fields}
    return request("OPTIONS", target, origin=origin, access_control_request_method=method, **asked)


def put(target: str, body: bytes, **headers: str) -> bytes:
    return request("PUT", target, body, **headers)
