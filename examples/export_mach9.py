"""Streams a PostgreSQL query as CSV, with Mach9's API.

A cursor fetches a thousand rows at a time, and no faster than the client reads: a table of any size is
exported in constant memory. If the client disconnects, the query ends.

    createdb example
    psql example -f examples/readings.sql
    PGDATABASE=example streamcompat run examples/export_mach9.py
    curl 'http://127.0.0.1:8000/readings.csv?sensor=boiler'

asyncpg reads the usual environment variables: PGHOST, PGUSER, PGPASSWORD, PGDATABASE.
"""

import asyncpg

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream

QUERY = "SELECT taken, value FROM readings WHERE sensor = $1 ORDER BY taken"

app = Mach9("export_mach9")


@app.get("/readings.csv")
async def readings(request):
    sensor = request.args.get("sensor", "boiler")

    async def rows(channel):
        connection = await asyncpg.connect()
        try:
            await channel.send(b"taken,value\r\n")
            async with connection.transaction():
                async for record in connection.cursor(QUERY, sensor, prefetch=1000):
                    await channel.send(f"{record['taken'].isoformat()},{record['value']}\r\n".encode())
        finally:
            await connection.close()

    return stream(rows, content_type="text/csv; charset=utf-8")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
