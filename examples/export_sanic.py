"""Streams a PostgreSQL query as CSV, with Sanic's API.

A cursor fetches a thousand rows at a time, and no faster than the client reads: a table of any size is
exported in constant memory. If the client disconnects, the query ends.

    createdb example
    psql example -f examples/readings.sql
    PGDATABASE=example streamcompat run examples/export_sanic.py
    curl 'http://127.0.0.1:8000/readings.csv?sensor=boiler'

asyncpg reads the usual environment variables: PGHOST, PGUSER, PGPASSWORD, PGDATABASE.
"""

import csv

import asyncpg

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream

QUERY = "SELECT taken, value FROM readings WHERE sensor = $1 ORDER BY taken"

app = Sanic("export_sanic")


@app.get("/readings.csv")
async def readings(request):
    sensor = request.args.get("sensor", "boiler")

    async def rows(response):
        connection = await asyncpg.connect()
        try:
            writer = csv.writer(response)
            writer.writerow(["taken", "value"])
            async with connection.transaction():
                async for record in connection.cursor(QUERY, sensor, prefetch=1000):
                    writer.writerow([record["taken"].isoformat(), record["value"]])
        finally:
            await connection.close()

    return stream(rows, content_type="text/csv; charset=utf-8")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8000)
