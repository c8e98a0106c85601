"""An application of 2017 as Python 3.5 and 3.6 let one write it: coroutines that are generators, `loop=`
arguments, the abstract classes of `collections`, a signature read by `getargspec`."""

import asyncio
import inspect
import json as json_module
from collections import Iterable, Mapping
from functools import wraps

from sanic import Sanic
from sanic.response import json, stream, text

app = Sanic(__name__)
counted = {}


def with_counter(handler):
    takes_name = "name" in inspect.getargspec(handler).args

    @wraps(handler)
    @asyncio.coroutine
    def counting(request, *args, **kwargs):
        with (yield from app.lock):
            counted[request.path] = counted.get(request.path, 0) + 1
        if takes_name:
            kwargs["name"] = kwargs["name"].title()
        return (yield from handler(request, *args, **kwargs))

    return counting


@app.listener("before_server_start")
def make(app, loop):
    app.lock = asyncio.Lock(loop=loop)
    app.queue = asyncio.Queue(maxsize=10, loop=loop)


@app.listener("after_server_start")
@asyncio.coroutine
def fill(app, loop):
    yield from asyncio.sleep(0, loop=loop)
    app.queue.put_nowait("first")


@app.middleware("response")
@asyncio.coroutine
def mark(request, response):
    yield from asyncio.sleep(0)
    response.headers["X-Task"] = str(asyncio.Task.current_task() in asyncio.Task.all_tasks()).lower()


@asyncio.coroutine
def double(number):
    yield from asyncio.sleep(0)
    return 2 * number


@app.route("/hello/<name>")
@with_counter
@asyncio.coroutine
def hello(request, name):
    yield from asyncio.sleep(0)
    return text("hello " + name)


@app.route("/counted")
async def show_counted(request):
    return json(counted)


@app.route("/queue")
@asyncio.coroutine
def queue(request):
    return text((yield from app.queue.get()))


@app.route("/doubles", methods=["POST"])
async def doubles(request):
    numbers = json_module.loads(request.body.decode(), encoding="utf-8")
    if isinstance(numbers, Mapping) or not isinstance(numbers, Iterable):
        return text("give a list", status=400)
    loop = asyncio.get_event_loop()
    done, _ = await asyncio.wait([double(number) for number in numbers], loop=loop)
    together = await asyncio.gather(*[double(number) for number in numbers], loop=loop)
    return json([sorted(task.result() for task in done), together])


@app.route("/rows")
async def rows(request):
    @asyncio.coroutine
    def write(response):
        for number in range(3):
            value = yield from asyncio.wait_for(double(number), 5, loop=asyncio.get_event_loop())
            response.write("%d\n" % value)

    return stream(write, content_type="text/csv")
