import tarfile
import zipfile

from mach9 import Mach9
from mach9.response import text
from sanic.response import stream

app = Mach9(__name__, load_env=False)


@app.get("/tar")
async def as_tar(request):
    async def streaming(response):
        with tarfile.open(fileobj=response, mode="w|") as archive:
            archive.add("a")

    return stream(streaming)


@app.get("/zip")
async def as_zip(request):
    async def streaming(response):
        with zipfile.ZipFile(response, "w") as archive:
            archive.write("a")

    return stream(streaming)


@app.get("/print")
async def printed(request):
    async def streaming(response):
        print("a line", file=response)

    return stream(streaming)
