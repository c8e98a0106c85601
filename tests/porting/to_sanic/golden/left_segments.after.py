from sanic import Sanic
from sanic.response import text

app = Sanic("segments")


@app.get("/from/<first>-<last>")
async def between(request, first, last):
    return text(first + last)
