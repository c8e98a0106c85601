"""One report in several formats, by functions that make the streaming function."""

from functools import partial

import sanic
from sanic import response
from sanic.response import redirect

app = sanic.Sanic("formats")

ROWS = [("a", 1), ("b", 2.5), ("c", None)]


def csv_line(row) -> str:
    return ",".join(str(value) for value in row) + "\n"


def maker(line):
    async def streaming(response):
        for row in ROWS:
            response.write(line(row))

    return streaming


async def as_values(separator, response):
    for name, value in ROWS:
        response.write(name)
        response.write(separator)
        response.write(value)
        response.write(separator)


@app.get("/report.csv")
async def as_csv(request):
    return response.stream(maker(csv_line), content_type="text/csv")


@app.get("/report.txt")
async def as_text(request):
    return response.stream(partial(as_values, " | "), headers={"X-Rows": str(len(ROWS))})


@app.get("/report")
async def report(request):
    return redirect("/report.csv")


@app.get("/report.bin")
async def as_bytes(request):
    async def streaming(response):
        row: bytes = b"row"
        response.write(row * 2)
        response.write(bytearray(b"array"))
        response.write(memoryview(b"view"))

    return response.stream(streaming, content_type="application/octet-stream")
