import csv

from sanic import Sanic
from sanic.response import stream, text

app = Sanic()

ROWS = [("id", "name", "price")] + [(n, "item {}".format(n), n * 0.5) for n in range(1, 101)]


@app.route("/")
async def index(request):
    return text("see /export.csv")


@app.route("/export.csv")
async def export(request):
    limit = int(request.args.get("limit", 0))

    async def write_rows(response):
        writer = csv.writer(response)
        for row in ROWS[:limit + 1] if limit else ROWS:
            writer.writerow(row)

    return stream(
        write_rows,
        headers={"Content-Disposition": 'attachment; filename="export.csv"'},
        content_type="text/csv",
    )


@app.route("/numbers/<count:int>")
async def numbers(request, count):
    async def sample_streaming_fn(response):
        for number in range(count):
            response.write(number)
            response.write(b",")
        response.write("end")

    return stream(sample_streaming_fn, content_type="text/plain")
