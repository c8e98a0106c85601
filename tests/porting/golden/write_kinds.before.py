from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


import json


def label() -> str:
    return "label"


@app.get("/kinds/<name>")
async def kinds(request, name):
    async def streaming(response):
        response.write("ascii")
        response.write("\xe9")
        response.write('caf\u00e9')
        response.write(r"raw\n")
        response.write("two " "parts")
        response.write(f"name {name}\n")
        response.write("%s\n" % name)
        response.write("{}\n".format(name))
        response.write("name: " + name)
        response.write(str(name))
        response.write(json.dumps({"name": name}))
        response.write(name.encode())
        response.write(b"bytes")
        response.write(b"bytes" + name.encode())
        response.write(12)
        response.write(len(name))
        response.write([1, 2])
        response.write(None)
        response.write(label())
        response.write(name)
        response.write(name.upper() if name else "none")
        response.write("a" if name else "b")
        response.write(("x" + name))
        for word in ("one", "two"):
            response.write(word)
        line = "line"
        line += "\n"
        response.write(line)
        data = name
        data = data.encode()
        response.write(data)
        response.write(str(name).encode())
        response.write(repr(name).encode("utf-8"))
        response.write(str.join("-", name))
        response.write(int.to_bytes(65, 1, "big"))
        response.write(("a", name))
        response.write((1))
        await response.write(
            "spread "
            + name
        )

    return stream(streaming)
