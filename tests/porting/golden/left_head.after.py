from mach9 import Mach9
from mach9.response import text
from sanic.response import stream

app = Mach9(__name__, load_env=False)


@app.get("/head")
async def head(request):
    async def streaming(response):
        response.headers["X"] = "y"
        response.write("a")

    return stream(streaming)
