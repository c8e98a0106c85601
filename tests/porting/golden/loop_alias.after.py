from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__)


@app.post("/count", stream=True)
async def count(request):
    body = request.stream
    total = 0
    while True:
        message = await body.receive()
        if message["closed"]:
            raise ClientDisconnected
        if message["more_content"] is False:
            break
        piece = message["content"]
        total += len(piece)
    return text(str(total))
