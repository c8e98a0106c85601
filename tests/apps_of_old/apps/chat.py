import asyncio

from sanic import Sanic
from sanic.response import json, stream, text

app = Sanic("chat")
rooms = {}


@app.listener("before_server_start")
async def open_rooms(app, loop):
    app.arrived = asyncio.Condition()


@app.route("/rooms/<room>", methods=["POST"])
async def say(request, room):
    message = {"from": request.json["from"], "text": request.json["text"]}
    async with app.arrived:
        rooms.setdefault(room, []).append(message)
        app.arrived.notify_all()
    return json({"number": len(rooms[room])}, status=201)


@app.route("/rooms/<room>")
async def read(request, room):
    return json(rooms.get(room, []))


@app.route("/rooms/<room>/follow")
async def follow(request, room):
    """Sends `count` messages, and waits for those that are not there yet."""
    count = int(request.raw_args.get("count", 1))

    async def messages(response):
        for number in range(count):
            async with app.arrived:
                await app.arrived.wait_for(lambda: len(rooms.get(room, [])) > number)
            message = rooms[room][number]
            await response.write("{from}: {text}\n".format(**message))

    return stream(messages)


@app.route("/rooms/<room>", methods=["DELETE"])
async def close(request, room):
    rooms.pop(room, None)
    return text("closed")
