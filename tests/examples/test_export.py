"""The export examples against a real PostgreSQL: the query's own rows, in order, as they come."""

from __future__ import annotations

import csv
import io
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio
import asyncpg
import httpx
import pytest

from tests.support.commands import PATIENCE, ROOT, serve_command

FLAVOURS = pytest.mark.parametrize("flavour", ["mach9", "sanic"])
ROWS = 7 * 24 * 60  # of each sensor, in readings.sql


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """asyncpg knows asyncio only."""
    return "asyncio"


@pytest.fixture(scope="module")
async def database(postgres: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database that the examples read."""
    connection = await asyncpg.connect(
        host=postgres["PGHOST"], user=postgres["PGUSER"], database=postgres["PGDATABASE"]
    )
    await connection.execute((ROOT / "examples" / "readings.sql").read_text())
    yield connection
    await connection.execute("DROP TABLE readings")
    await connection.close()


async def other_backends(database: asyncpg.Connection) -> int:
    """How many clients the server has, other than the one that asks."""
    return await database.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


@FLAVOURS
async def test_the_export_is_what_the_query_gives(
    database: asyncpg.Connection, postgres: dict[str, str], flavour: str
) -> None:
    records = await database.fetch("SELECT taken, value FROM readings WHERE sensor = 'cellar' ORDER BY taken")
    assert len(records) == ROWS
    with serve_command(f"examples/export_{flavour}.py", env=postgres) as command:
        async with httpx.AsyncClient(base_url=command.url) as client:
            response = await client.get("/readings.csv", params={"sensor": "cellar"})
            nothing = await client.get("/readings.csv", params={"sensor": "'; DROP TABLE readings"})
    assert response.headers["transfer-encoding"] == "chunked"
    header, *lines = csv.reader(io.StringIO(response.text, newline=""))
    assert header == ["taken", "value"]
    assert lines == [[record["taken"].isoformat(), str(record["value"])] for record in records]
    assert nothing.text == "taken,value\r\n"


@FLAVOURS
async def test_a_client_that_goes_away_ends_the_query(
    database: asyncpg.Connection, postgres: dict[str, str], flavour: str
) -> None:
    # Enough rows that the export cannot have been written out before the client leaves.
    await database.execute(
        "INSERT INTO readings SELECT 'much', timestamptz '2026-01-01' + n * interval '1 second', n"
        " FROM generate_series(1, 1000000) AS n"
    )
    try:
        with serve_command(f"examples/export_{flavour}.py", env=postgres) as command:
            address = (urlsplit(command.url).hostname, urlsplit(command.url).port)
            connection = await anyio.to_thread.run_sync(lambda: socket.create_connection(address, PATIENCE))
            with connection:
                connection.sendall(b"GET /readings.csv?sensor=much HTTP/1.1\r\nHost: a\r\n\r\n")
                assert await anyio.to_thread.run_sync(connection.recv, 1000)
                assert await other_backends(database) == 1
            gone_by = time.monotonic() + PATIENCE
            while await other_backends(database):
                assert time.monotonic() < gone_by, "the query goes on without its client"
    finally:
        await database.execute("DELETE FROM readings WHERE sensor = 'much'")
