from mach9 import Mach9
from mach9.response import stream, text
from streamcompat.ported import encoded

app = Mach9(__name__)


import json


def label() -> str:
    return "label"


@app.get("/kinds/<name>")
async def kinds(request, name):
    async def streaming(channel):
        await channel.send(b"ascii")
        await channel.send("\xe9".encode())
        await channel.send('caf\u00e9'.encode())
        await channel.send(br"raw\n")
        await channel.send(("two " "parts").encode())
        await channel.send(f"name {name}\n".encode())
        await channel.send(("%s\n" % name).encode())
        await channel.send("{}\n".format(name).encode())
        await channel.send(("name: " + name).encode())
        await channel.send(str(name).encode())
        await channel.send(json.dumps({"name": name}).encode())
        await channel.send(name.encode())
        await channel.send(b"bytes")
        await channel.send(b"bytes" + name.encode())
        await channel.send(str(12).encode())
        await channel.send(str(len(name)).encode())
        await channel.send(str([1, 2]).encode())
        await channel.send(str(None).encode())
        await channel.send(label().encode())
        await channel.send(encoded(name))
        await channel.send(encoded(name.upper() if name else "none"))
        await channel.send(("a" if name else "b").encode())
        await channel.send(("x" + name).encode())
        for word in ("one", "two"):
            await channel.send(word.encode())
        line = "line"
        line += "\n"
        await channel.send(line.encode())
        data = name
        data = data.encode()
        await channel.send(data)
        await channel.send(str(name).encode())
        await channel.send(repr(name).encode("utf-8"))
        await channel.send(encoded(str.join("-", name)))
        await channel.send(int.to_bytes(65, 1, "big"))
        await channel.send((str(("a", name)).encode()))
        await channel.send((str(1).encode()))
        await channel.send(
            ("spread "
            + name).encode()
        )

    return stream(streaming)
