"""MJPEG: frames of a camera, each a part with its own head."""

import asyncio

from sanic import Sanic
from sanic.response import stream, html

app = Sanic("camera")

PAGE = "<img src='/video'>"


class Camera:
    def __init__(self):
        self.number = 0

    async def frame(self):
        await asyncio.sleep(0)
        self.number += 1
        return b"\xff\xd8" + bytes([self.number % 256]) + b"\xff\xd9"


async def send_part(response, frame, kind="image/jpeg"):
    response.write(b"--frame\r\n")
    response.write("Content-Type: " + kind + "\r\nContent-Length: %d\r\n\r\n" % len(frame))
    response.write(frame)
    response.write(b"\r\n")


@app.route("/")
async def index(request):
    return html(PAGE)


@app.route("/video")
async def video(request):
    camera = Camera()

    async def frames(response):
        for _ in range(3):
            await send_part(response, await camera.frame())

    return stream(frames, content_type="multipart/x-mixed-replace; boundary=frame")
