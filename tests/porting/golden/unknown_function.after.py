from mach9 import Mach9
from sanic.response import stream

app = Mach9(__name__, load_env=False)

from elsewhere import writer


@app.get("/a")
async def a(request):
    return stream(writer)
