"""Both flavours in one server: /mach9, /sanic, and an index page with commands to try.

Serve it with `make run`, or with `streamcompat run examples/side_by_side.py`.
`python examples/side_by_side.py URL` only prints the commands for a site at URL.
"""

import sys

from mach9_app import app as mach9_app
from sanic_app import app as sanic_app

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.site import Site

TRY = """\
curl {url}/
curl {url}/mach9/countdown/3
curl {url}/sanic/countdown/3
curl --data 'stream me' {url}/mach9/upper
curl --data 'stream me' {url}/sanic/upper
curl --data-binary @LICENSE -H 'Transfer-Encoding: chunked' {url}/mach9/digest
curl --data-binary @LICENSE -H 'Transfer-Encoding: chunked' {url}/sanic/digest
curl '{url}/mach9/squares.csv?rows=3'
curl '{url}/sanic/squares.csv?rows=3'
"""

index_app = Sanic("index")


@index_app.get("/")
async def index(request):
    return text(TRY.format(url=f"http://{request.headers.get('host', '127.0.0.1:8000')}"))


site = Site()
site.mount(index_app, prefix="")
site.mount(mach9_app, prefix="/mach9")
site.mount(sanic_app, prefix="/sanic")

if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    print(f"When the server listens, try in another terminal (Ctrl-C stops it):\n\n{TRY.format(url=url)}")
