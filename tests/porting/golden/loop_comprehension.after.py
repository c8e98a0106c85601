from mach9 import Mach9
from mach9.response import stream, text

app = Mach9(__name__)


@app.post("/join", stream=True)
async def join(request):
    return text(b"".join([piece async for piece in request.stream]).decode())
