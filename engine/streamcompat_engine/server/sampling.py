"""What a server holds, looked at about once a second for its observer.

The rule: nothing is counted while requests are served; what there is is counted when it is looked at, in
slices between which the loop goes on, and for at most a fiftieth of the time.
"""

from __future__ import annotations

import time
from typing import Final

import anyio
import anyio.lowlevel

from ..drivers.service import Service
from ..exchange.observer import Guarded, Levels

_STEP: Final = 0.1
"""Seconds between two looks at the clock, by which the lag of the loop is measured."""
_STEPS: Final = 10
"""Looks at the clock between two at the connections."""
_SLICE: Final = 200
"""Connections that are looked at without letting other tasks run: about a fifth of a millisecond."""
_SHARE: Final = 0.02
"""The part of the time that may be spent here."""


async def sample(service: Service, observer: Guarded) -> None:
    """Look, and tell the observer, until it is cancelled."""
    spent = 0.0
    while True:
        lag, seconds = 0.0, max(_STEPS * _STEP, spent / _SHARE)
        while seconds > 0:
            due = anyio.current_time() + _STEP
            await anyio.sleep_until(due)
            lag = max(lag, anyio.current_time() - due)
            seconds -= _STEP
        levels, spent = await look(service, observer, lag)
        observer.holds(levels)


async def look(service: Service, observer: Guarded, lag: float) -> tuple[Levels, float]:
    """What the server holds, and the seconds of work that it took to look."""
    exchanges = websockets = buffered_in = buffered_out = 0
    sessions = [*service.sessions, *service.outliving]
    spent = 0.0
    for first in range(0, len(sessions), _SLICE):
        begun = time.perf_counter()
        for session in sessions[first : first + _SLICE]:
            exchange, connection = session.exchange, session.connection
            if exchange is not None:
                exchanges += 1
                websockets += connection.websocket is not None
                if observer.tells_progress:
                    observer.progress(exchange)
            if connection.inbound is not None:
                buffered_in += connection.inbound.size
            buffered_out += session.unsent()
        spent += time.perf_counter() - begun
        await anyio.lowlevel.checkpoint()
    return Levels(len(sessions), exchanges, websockets, buffered_in, buffered_out, lag), spent
