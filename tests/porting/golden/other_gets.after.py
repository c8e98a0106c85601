from mach9 import Mach9
from mach9.response import stream, text
from streamcompat.ported import content

app = Mach9(__name__)


import asyncio

settings = {"size": 1}
jobs = asyncio.Queue()


@app.post("/told/apart", stream=True)
async def handler(request):
    job = await jobs.get()
    size = settings.get("size")
    body = content(await request.stream.receive())
    with open("/tmp/x", "wb") as response:
        response.write(body)
    return text(f"{job} {size}")
