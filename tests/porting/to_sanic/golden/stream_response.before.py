from sanic import Sanic
from sanic.response import stream

app = Sanic("stream_response", is_request_stream=True)


@app.get("/kinds/<count:int>")
async def kinds(request, count):
    async def streaming(response):
        response.write("text")
        await response.write(b" bytes ")
        response.write(count)
        response.write(None)
        response.write(12)
        response.write((1, 2))
        if count == 0:
            return
        for number in range(count):
            response.write("%d," % number)

    if count > 3:
        return stream(streaming, 202, {"X-Many": "yes"}, "text/csv")
    return stream(streaming)


@app.route("/sync")
def sync(request):
    async def streaming(response):
        response.write(request.args.get("word"))

    return stream(streaming, headers={"X-Sync": "1"}, content_type="text/plain")


def line(response, word):
    response.write(word)
    response.write("\n")


async def lines(response):
    line(response, "a")
    line(response, "b")


@app.route("/lines")
async def many(request):
    return stream(
        lines,  # in two lines
        status=203,
    )  # the end
