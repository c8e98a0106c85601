"""WebSockets: the handshake, messages, the end; in Sanic's words and in Mach9's."""

from tests.parity.originals.surface import flag
from tests.parity.originals.surface.cases import conversation, frame, handshake, request


def sanic(web):
    app = web.App("websockets")

    @app.websocket("/echo")
    async def echo(request, ws):
        while True:
            await ws.send(await ws.recv())

    @app.websocket("/says/<name>")
    async def says(request, ws, name):
        await ws.send("%s %s %s %s" % (name, request.args.get("a"), request.scheme, request.path))
        await ws.recv()

    @app.websocket("/returns")
    async def returns(request, ws):
        pass

    @app.websocket("/kinds")
    async def kinds(request, ws):
        for value in ("text", b"bytes", 5, ["list"], None):
            try:
                await ws.send(value)
            except TypeError:
                await ws.send("TypeError")

    @app.websocket("/closes")
    async def closes(request, ws):
        await ws.close(4000, "enough")

    @app.websocket("/closes-twice")
    async def closes_twice(request, ws):
        await ws.close()
        await ws.close(1001)

    _control_frames_and_ends(app, web)
    area = web.Blueprint("area", url_prefix="/area")

    @area.websocket("/echo")
    async def area_echo(request, ws):
        await ws.send(await ws.recv())

    app.blueprint(area)
    return app


def _control_frames_and_ends(app, web):
    @app.websocket("/pings")
    async def pings(request, ws):
        waiter = await ws.ping("one")
        await waiter
        await ws.send("answered")

    @app.websocket("/pongs")
    async def pongs(request, ws):
        await ws.pong("unasked")

    @app.websocket("/state")
    async def state(request, ws):
        await ws.send("%r %r %r" % (ws.open, ws.subprotocol, type(ws.remote_address).__name__))

    @app.websocket("/fails")
    async def fails(request, ws):
        raise web.exceptions.ServerError("x")

    @app.websocket("/subprotocols", **flag(app.websocket, subprotocols=["b", "c"]))
    async def subprotocols(request, ws):
        await ws.send(repr(ws.subprotocol))


def mach9(web):
    websocket = web.response.websocket
    app = web.App("websockets")

    @app.route("/echo", websocket=True)
    async def echo(request):
        async def serve(channel):
            while True:
                message = await request.stream.get()
                if message["channel"] == "websocket.disconnect":
                    break
                await channel.send(message["text"] or message["bytes"])

        return websocket(serve)

    @app.route("/says/<name>", websocket=True)
    async def says(request, name):
        async def serve(channel):
            await channel.send("%s %s %s %s" % (name, request.args.get("a"), request.scheme, request.path))
            await request.stream.get()

        return websocket(serve)

    return app


def app(web):
    return sanic(web) if web.name == "sanic" else mach9(web)


CLOSE = (frame(8, b"\x03\xe8bye"), 1)
ECHO = (handshake("/echo"), "head")
FRAGMENTS = frame(1, b"a", 0) + frame(0, b"b", 0) + frame(0, b"c")

BOTH = [
    ("text and bytes", [ECHO, (frame(1, b"one"), 1), (frame(2, b"\x00\xff"), 1), CLOSE]),
    ("in UTF-8", [ECHO, (frame(1, "ä\u20ac".encode()), 1), CLOSE]),
    ("long", [ECHO, (frame(1, b"x" * 300), 1), (frame(2, b"y" * 70000), 1), CLOSE]),
    ("in fragments", [ECHO, (FRAGMENTS, 1), CLOSE]),
    ("ping between fragments", [ECHO, (frame(1, b"a", 0) + frame(9, b"p"), 1), (frame(0, b"b"), 1), CLOSE]),
    ("ping", [ECHO, (frame(9, b"hello"), 1), CLOSE]),
    ("pong that nobody asked for", [ECHO, (frame(10, b"x") + frame(1, b"one"), 1), CLOSE]),
    ("close without a code", [ECHO, (frame(8, b""), 1)]),
    ("close with 3000", [ECHO, (frame(8, b"\x0b\xb8"), 1)]),
    ("parameters", [(handshake("/says/x?a=1"), 1), CLOSE]),
    ("handshake for nothing", [(handshake("/nowhere"), "response")]),
    ("handshake of POST", [(handshake("/echo").replace(b"GET", b"POST"), "response")]),
    ("frame that is not masked", [ECHO, (b"\x81\x01x", 1), (CLOSE[0], "end")]),
    ("unknown opcode", [ECHO, (frame(3, b"x"), 1), (CLOSE[0], "end")]),
    ("text that is not UTF-8", [ECHO, (frame(1, b"\xff"), 1), (CLOSE[0], "end")]),
    ("message beyond the limit", [ECHO, (frame(1, b"x" * (2**20 + 1)), 1), (CLOSE[0], "end")]),
]
SANIC = [
    ("empty", [ECHO, (frame(1, b""), 1), CLOSE]),
    ("returns", [(handshake("/returns"), 1), (CLOSE[0], "end")]),
    ("kinds", [(handshake("/kinds"), 6), (CLOSE[0], "end")]),
    ("closes", [(handshake("/closes"), 1), (frame(8, b"\x0f\xa0"), "end")]),
    ("closes twice", [(handshake("/closes-twice"), 1), (CLOSE[0], "end")]),
    ("pings", [(handshake("/pings"), 1), (frame(10, b"one"), 2), (CLOSE[0], "end")]),
    ("pongs", [(handshake("/pongs"), 2), (CLOSE[0], "end")]),
    ("state", [(handshake("/state"), 2), (CLOSE[0], "end")]),
    ("fails", [(handshake("/fails"), 1), (CLOSE[0], "end")]),
    ("no subprotocol", [(handshake("/subprotocols", "Sec-WebSocket-Protocol: a"), 2), (CLOSE[0], "end")]),
    ("of a blueprint", [(handshake("/area/echo"), "head"), (frame(1, b"x"), 2), (CLOSE[0], "end")]),
    ("no handshake", [(request("GET", "/echo"), "response")]),
    ("handshake without a key", [(handshake("/echo").replace(b"Sec-WebSocket-Key", b"X-Key"), "response")]),
    ("handshake of another version", [(handshake("/echo").replace(b"13", b"99"), "response")]),
]
CASES = [conversation(*one) for one in BOTH] + [conversation(*one, flavours=("sanic",)) for one in SANIC]
CASES += [
    conversation(
        "subprotocol",
        [(handshake("/subprotocols", "Sec-WebSocket-Protocol: a, c, b"), 2), (CLOSE[0], "end")],
        since="0.6.0",
        flavours=("sanic",),
    ),
]
