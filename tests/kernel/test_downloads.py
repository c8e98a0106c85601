"""`download`: a file with progress, in each flavour."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import Exchange
from tests.kernel.itemflavours import SLOW, Flavour, answer_of, each_flavour, everywhere
from tests.support.implementations import ClientEnd


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "a b.csv"
    path.write_bytes(bytes(range(256)) * 600)
    return path


@everywhere
def test_a_download_tells_its_progress(implementation: str, flavour: Flavour, large: Path) -> None:
    told: list[tuple[int, int | None]] = []
    app = flavour.app(lambda helpers: helpers.download(large, lambda *sent: told.append(sent)))
    answer = answer_of(implementation, app)
    assert answer.body == large.read_bytes() and answer.complete
    assert answer.field(b"content-length") == [b"153600"]
    assert answer.field(b"content-type")[0].startswith(b"text/csv")
    assert answer.field(b"content-disposition") == [b'attachment; filename="a b.csv"']
    assert told == [(65536, 153600), (131072, 153600), (153600, 153600)]


@each_flavour
def test_a_progress_that_waits_and_an_empty_file(flavour: Flavour, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []

    async def progress(sent: int, size: int | None) -> None:
        await anyio.lowlevel.checkpoint()
        told.append((sent, size))

    (tmp_path / "empty").touch()
    answer = answer_of("memory", flavour.app(lambda helpers: helpers.download(tmp_path / "empty", progress)))
    assert (answer.body, answer.complete, told) == (b"", True, [(0, 0)])
    assert answer.field(b"content-type") == [b"application/octet-stream"]


@each_flavour
def test_a_download_whose_client_reads_nothing_or_leaves(flavour: Flavour, tmp_path: Path) -> None:
    """No piece is told for which there was no room, and nothing after the client has left."""
    path = tmp_path / "file"
    path.write_bytes(bytes(8 * 1024 * 1024))
    told: list[int] = []

    async def during(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.blocked:
            await anyio.lowlevel.checkpoint()
        blocked = len(told)
        assert told == [65536 * (number + 1) for number in range(blocked)] and told[-1] < 2 * 1024 * 1024
        await end.leave()

    app = flavour.app(lambda helpers: helpers.download(path, lambda sent, size: told.append(sent)))
    answer_of("memory", app, SLOW, during)
    assert told[-1] < 2 * 1024 * 1024


@each_flavour
def test_a_file_that_shrinks_while_it_is_downloaded_is_cut(flavour: Flavour, large: Path) -> None:
    app = flavour.app(lambda helpers: helpers.download(large, lambda sent, size: large.write_bytes(b"short")))
    answer = answer_of("memory", app, logged=("FileShrunk",))
    assert not answer.complete


@each_flavour
def test_a_file_that_is_not_there(flavour: Flavour, tmp_path: Path) -> None:
    app = flavour.app(lambda helpers: helpers.download(tmp_path / "none"))
    assert answer_of("memory", app, logged=("FileNotFoundError",)).status == 500
