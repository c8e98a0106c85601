"""The flavours in one server: /mach9, /sanic, /asgi, and a page to try streams on; for curl, commands.

Serve it with `make run`, or with `streamcompat run examples/side_by_side.py`.
`python examples/side_by_side.py URL` only prints the commands for a site at URL.
"""

import inspect
import sys
from html import escape
from pathlib import Path

import asgi_app
import chat
import mach9_app
import sanic_app
import streams

from streamcompat.asgi_api import ASGIApp
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import html, text
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

PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
for module in (sanic_app, mach9_app, asgi_app):
    flavour = module.__name__.partition("_")[0].upper()
    PAGE = PAGE.replace(f"SOURCE-{flavour}", escape(inspect.getsource(module.countdown)))

index_app = Sanic("index")


@index_app.get("/")
async def index(request):
    if "text/html" in request.headers.get("accept", "") and "text" not in request.query_string:
        return html(PAGE)
    return text(TRY.format(url=f"http://{request.headers.get('host', '127.0.0.1:8000')}"))


site = Site()
site.mount(index_app, prefix="")
site.mount(mach9_app.app, prefix="/mach9")
site.mount(sanic_app.app, prefix="/sanic")
site.mount(ASGIApp(asgi_app.app), prefix="/asgi")
site.mount(streams.app, prefix="/streams")
site.mount(chat.app, prefix="/chat")

if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    print(f"When the server listens, try in another terminal (Ctrl-C stops it):\n\n{TRY.format(url=url)}")
