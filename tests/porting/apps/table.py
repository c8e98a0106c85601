"""A table as CSV: one export by hand, one through csv.writer, which stays as it is."""

import csv

from sanic import Sanic
from sanic.response import stream, text

app = Sanic("table")


def squares(rows):
    return ((number, number * number) for number in range(rows))


@app.get("/by_hand.csv")
async def by_hand(request):
    rows = int(request.args.get("rows", 3))

    async def lines(response):
        response.write("number,square\n")
        for number, square in squares(rows):
            response.write("%d,%d\n" % (number, square))

    return stream(lines, content_type="text/csv")


@app.get("/by_writer.csv")
async def by_writer(request):
    async def lines(response):
        writer = csv.writer(response)
        writer.writerow(["number", "square"])
        writer.writerows(squares(4))

    return stream(lines, content_type="text/csv")


@app.stream("/rows")
async def count_rows(request):
    rows = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        rows += body.count(b"\n")
    return text(str(rows))
