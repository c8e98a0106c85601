"""What is sent when: `Expect: 100-continue`, kept connections, and the times that a client and a handler have."""

import asyncio

from tests.parity.originals.surface.cases import conversation, get, post, request


def routes(web, app):
    text = web.response.text
    sanic = web.name == "sanic"

    @app.route("/quick", methods=["GET", "POST"])
    def quick(request):
        return text("quick %r" % request.body)

    @app.route("/slow")
    async def slow(request):
        await asyncio.sleep(60)
        return text("never")

    @app.route("/slow-stream")
    async def slow_stream(request):
        async def write(out):
            done = out.write("begun") if sanic else out.send(b"begun")
            if done is not None:
                await done
            await asyncio.sleep(2)
            done = out.write(" and done") if sanic else out.send(b" and done")
            if done is not None:
                await done

        return web.response.stream(write)

    if not web.old_arguments or not sanic:

        async def read(request):
            gathered = b""
            while True:
                if sanic:
                    piece = await request.stream.get()
                else:
                    message = await request.stream.receive()
                    piece = message["content"] if message["more_content"] else None
                if piece is None:
                    return text("read %r" % gathered)
                gathered += piece

        app.route("/read", methods=["POST"], stream=True)(read)

    return app


def app(web):
    return routes(web, web.App("times"))


def impatient(web):
    """An application whose times are short."""
    app = web.App("impatient")
    for name in ("REQUEST_TIMEOUT", "RESPONSE_TIMEOUT", "KEEP_ALIVE_TIMEOUT"):
        setattr(app.config, name, 1)
    # Where Mach9 keeps it.
    app.request_timeout = 1
    return routes(web, app)


def unkept(web):
    """An application that keeps no connection."""
    app = web.App("unkept")
    app.config.KEEP_ALIVE = False
    # Where Mach9 keeps it.
    app.keep_alive = False
    return routes(web, app)


EXPECTING = post("/quick", content_length="3", expect="100-continue")
READ = post("/read", content_length="3", expect="100-continue")
CASES = [
    conversation("expect, body at once", [(post("/quick", b"abc", expect="100-continue"), "response")]),
    conversation("expect, body when asked", [(EXPECTING, "head"), (b"abc", "response")]),
    conversation(
        "expect on a stream", [(READ, "head"), (b"abc", "response")], since="0.6.0", flavours=("sanic",)
    ),
    conversation("expect on a stream (Mach9)", [(READ, "head"), (b"abc", "response")], flavours=("mach9",)),
    conversation(
        "expect for nothing", [(post("/nowhere", content_length="3", expect="100-continue"), "response")]
    ),
    conversation("expect something else", [(post("/quick", b"abc", expect="a-miracle"), "response")]),
    conversation("kept", [(get("/quick"), "response"), (get("/quick"), "response")]),
    conversation("closed", [(get("/quick", connection="close"), "end")]),
    conversation("closed in HTTP/1.0", [(request("GET", "/quick", version="1.0"), "end")]),
    conversation("closed after a 404", [(get("/nowhere", connection="close"), "end")]),
    conversation("closed after a stream", [(get("/slow-stream", connection="close"), "end")]),
    conversation(
        "head in pieces", [(b"GET /quick HTTP/1.1\r\nHo", "nothing"), (b"st: a\r\n\r\n", "response")]
    ),
    conversation(
        "body in pieces",
        [(post("/quick", content_length="3"), "nothing"), (b"ab", "nothing"), (b"c", "response")],
    ),
]
UNKEPT = [
    conversation("asked once", [(get("/quick"), "end")]),
    conversation("asked to be kept", [(get("/quick", connection="keep-alive"), "end")]),
    conversation(
        "asked in HTTP/1.0", [(request("GET", "/quick", version="1.0", connection="keep-alive"), "end")]
    ),
    conversation("a 404", [(get("/nowhere"), "end")]),
    conversation("a stream", [(get("/slow-stream"), "end")]),
]
IMPATIENT = [
    conversation("nothing is sent", [(b"", "end")]),
    conversation("half a head", [(b"GET /quick HTTP/1.1\r\nHo", "end")]),
    conversation("half a body", [(post("/quick", content_length="3") + b"a", "end")]),
    conversation("idle after an answer", [(get("/quick"), "response"), (b"", "end")]),
    conversation("a slow handler", [(get("/slow"), "response")]),
    conversation("a slow stream", [(get("/slow-stream", connection="close"), "end")]),
]
