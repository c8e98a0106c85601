"""Reads bodies; it knows nothing of any web framework."""


async def lines_of(request, limit=None):
    rest = b""
    count = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        *lines, rest = (rest + body).split(b"\n")
        for line in lines:
            count += 1
            yield line
    if rest:
        yield rest


async def whole(stream):
    found = b""
    body = await stream.get()
    while body is not None:
        found += body
        body = await stream.get()
    return found
