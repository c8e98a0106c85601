"""The countdown of the other two flavours as an ASGI application.

Serve it with `streamcompat run examples/asgi_app.py`.
"""


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    name, _, number = path.lstrip("/").partition("/")
    if name == "countdown" and number.isascii() and number.isdigit():
        await countdown(send, int(number))
    else:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"not found\n"})


async def countdown(send, number):
    text = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": text})
    for left in range(number, 0, -1):
        line = f"{left}\n".encode()
        await send({"type": "http.response.body", "body": line, "more_body": True})
    await send({"type": "http.response.body", "body": b"lift off\n"})
