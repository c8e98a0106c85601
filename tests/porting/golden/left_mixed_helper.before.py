from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

async def drain(q):
    return await q.get()
@app.stream("/x")
async def x(request):
    jobs = asyncio.Queue()
    return text(str(await drain(request.stream)) + str(await drain(jobs)))
@app.get("/w")
async def w(request):
    async def s(response):
        emit(response, 1)
        emit(open("/dev/null", "w"), "x")
    return stream(s)
def emit(out, x):
    out.write(x)
