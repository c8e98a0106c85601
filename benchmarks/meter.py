"""Wall time, and the CPU time of client and server within it."""

import time
from types import TracebackType

from benchmarks.processes import RunningServer


class Meter:
    """Measures between ``start`` and ``stop``, or within a ``with`` block. Shares are of one core."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.seconds = 0.0
        self.client_share: float | None = None
        self.server_share: float | None = None
        self.waited: float | None = None  # share of the time that the server waited for its core

    def start(self) -> None:
        self._server = self.server.cpu_seconds()
        self._waits = self.server.waiting_seconds()
        self._client = time.process_time()
        self._begin = time.perf_counter()

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._begin
        self.client_share = (time.process_time() - self._client) / self.seconds
        after = self.server.cpu_seconds()
        if after is not None and self._server is not None:
            self.server_share = (after - self._server) / self.seconds
        waits = self.server.waiting_seconds()
        if waits is not None and self._waits is not None:
            self.waited = (waits - self._waits) / self.seconds

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._begin

    def __enter__(self) -> "Meter":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
