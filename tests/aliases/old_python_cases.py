"""What programs of 2015 to 2021 do that Python refuses today: a function for each, executed by the tests.

`python old_python_cases.py` prints, as JSON, the error of each function that fails.
"""
# ruff: noqa

import asyncio
import json
import sys
import traceback


def abstract_classes():
    from collections import Iterable, Mapping, MutableMapping, Callable
    import collections

    assert isinstance({}, Mapping) and isinstance([], Iterable) and isinstance(len, collections.Callable)
    assert issubclass(dict, MutableMapping) and collections.OrderedDict


def argspec():
    import inspect
    from inspect import getargspec, ArgSpec

    def function(a, b=2, *c, **d):
        pass

    def annotated(a: int):
        pass

    assert getargspec(function) == (["a", "b"], "c", "d", (2,))
    assert isinstance(getargspec(function), ArgSpec) and getargspec(function).keywords == "d"
    assert inspect.formatargspec(*getargspec(function)) == "(a, b=2, *c, **d)"
    try:
        getargspec(annotated)
    except ValueError:
        return
    raise AssertionError("it took annotations")


def typing_modules():
    from typing.io import TextIO, IO
    from typing.re import Pattern
    import typing, re

    assert TextIO is typing.TextIO and isinstance(re.compile("x"), Pattern) and typing.io.IO is IO


def small_names():
    import base64, fractions, html.parser, os, platform, threading, time

    assert time.clock() >= 0 and fractions.gcd(4, 6) == 2 and os.errno.ENOENT == 2
    assert base64.decodestring(base64.encodestring(b"x")) == b"x"
    assert len(platform.linux_distribution()) == 3
    assert threading.current_thread().isAlive()
    assert html.parser.HTMLParser().unescape("&lt;") == "<"


def cgi_escape():
    import cgi

    assert cgi.escape("<'\">") == "&lt;'\"&gt;" and cgi.escape('"', quote=True) == "&quot;"


def json_encoding():
    assert json.loads(b'{"a": 1}', encoding="utf-8") == {"a": 1}


def c_element_tree():
    import xml.etree.cElementTree as ElementTree

    assert ElementTree.fromstring("<a/>").tag == "a"


def package_resources():
    import pkg_resources

    assert pkg_resources.get_distribution("h11>=0.1").version
    assert b"h11" in pkg_resources.resource_string("h11", "__init__.py")
    try:
        pkg_resources.get_distribution("there-is-no-such-thing")
    except pkg_resources.DistributionNotFound:
        return
    raise AssertionError("it was found")


def generators():
    @asyncio.coroutine
    def twice(x):
        yield from asyncio.sleep(0)
        return 2 * x

    @asyncio.coroutine
    def plain(x):
        return x

    @asyncio.coroutine
    def handing_on(x):
        return twice(x)

    def undecorated(x):
        return (yield from twice(x))

    class View:
        @asyncio.coroutine
        def method(self):
            return (yield from undecorated(5))

    @asyncio.coroutine
    def failing():
        yield from asyncio.sleep(0)
        raise KeyError("x")

    @asyncio.coroutine
    def catching():
        try:
            yield from failing()
        except KeyError:
            return "caught"

    async def native():
        return [await twice(1), await plain(2), await handing_on(3), await View().method(), await catching()]

    import inspect

    assert inspect.getargspec(twice).args == ["x"]
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(native()) == [2, 2, 6, 10, "caught"]
    assert loop.run_until_complete(twice(4)) == 8
    assert loop.run_until_complete(loop.create_task(plain(7))) == 7
    assert asyncio.iscoroutinefunction(twice) and asyncio.iscoroutine(handing_on(1))
    task = loop.create_task(twice(1))
    task.cancel()
    assert isinstance(loop.run_until_complete(asyncio.wait([task])), tuple) and task.cancelled()
    loop.close()


def loop_arguments():
    loop = asyncio.new_event_loop()

    async def one(x=1):
        return x

    made = [asyncio.Queue(loop=loop), asyncio.PriorityQueue(3, loop=loop), asyncio.LifoQueue(loop=None)]
    made += [asyncio.Lock(loop=loop), asyncio.Event(loop=loop), asyncio.Condition(loop=loop)]
    made += [asyncio.Semaphore(2, loop=loop), asyncio.BoundedSemaphore(value=2, loop=loop)]

    class Own(asyncio.Queue):
        def __init__(self, *, loop=None):
            super().__init__(5, loop=loop)

    async def main():
        await asyncio.sleep(0, loop=loop)
        assert await asyncio.sleep(0, "x", loop=loop) == "x"
        assert await asyncio.wait_for(one(), 5, loop=loop) == 1
        assert await asyncio.shield(one(), loop=loop) == 1
        assert await asyncio.gather(one(1), one(2), loop=loop) == [1, 2]
        assert {await x for x in asyncio.as_completed([one(1), one(2)], loop=loop, timeout=5)} == {1, 2}
        done, pending = await asyncio.wait([loop.create_task(one())], loop=loop, timeout=5)
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, loop=loop)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), loop=loop)
        assert await reader.read() == b""
        writer.close()
        server.close()
        process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "", loop=loop)
        assert await process.wait() == 0
        queue = Own(loop=loop)
        queue.put_nowait(1)
        return len(done), await queue.get()

    assert loop.run_until_complete(main()) == (1, 1)
    assert loop.run_until_complete(asyncio.gather(one(3), one(4), loop=loop)) == [3, 4]
    assert loop.run_until_complete(asyncio.gather(loop=loop)) == []
    loop.close()


def wait_of_coroutines():
    async def one(x):
        return x

    loop = asyncio.new_event_loop()
    done, pending = loop.run_until_complete(asyncio.wait([one(1), one(2)]))
    assert sorted(task.result() for task in done) == [1, 2] and not pending
    done, pending = loop.run_until_complete(asyncio.wait({one(1)}, timeout=5, return_when="FIRST_COMPLETED"))
    assert len(done) == 1
    loop.close()


def tasks():
    async def main():
        current = asyncio.Task.current_task()
        assert isinstance(current, asyncio.Task) and issubclass(type(current), asyncio.Task)
        assert current is asyncio.current_task() and asyncio.Task.all_tasks() == {current}
        assert asyncio.Task.all_tasks(loop=loop) == {current}
        return await asyncio.Task(asyncio.sleep(0, "slept"), loop=loop)

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(main()) == "slept"
    assert asyncio.Task.current_task(loop=loop) is None and asyncio.Task.current_task() is None
    assert not isinstance(asyncio.Future(loop=loop), asyncio.Task)
    loop.close()


def ensured():
    async def one():
        return 1

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(getattr(asyncio, "async")(one(), loop=loop)) == 1
    assert asyncio.JoinableQueue is asyncio.Queue
    loop.close()


def locks():
    @asyncio.coroutine
    def main():
        lock = asyncio.Lock()
        with (yield from lock):
            assert lock.locked()
        assert not lock.locked()
        limit = asyncio.Semaphore(1)
        with (yield from limit):
            assert limit.locked()
        assert not limit.locked()

    async def native():
        lock = asyncio.Lock()
        with await lock:
            assert lock.locked()
        return lock.locked()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    assert loop.run_until_complete(native()) is False
    loop.close()


def loop_of_the_main_thread():
    asyncio.run(asyncio.sleep(0))  # after it there is none
    loop = asyncio.get_event_loop()
    assert loop is asyncio.get_event_loop() and loop.run_until_complete(asyncio.sleep(0, 1)) == 1
    loop.close()
    asyncio.set_event_loop(None)


CASES = [
    abstract_classes,
    argspec,
    typing_modules,
    small_names,
    cgi_escape,
    json_encoding,
    c_element_tree,
    package_resources,
    generators,
    loop_arguments,
    wait_of_coroutines,
    tasks,
    ensured,
    locks,
    loop_of_the_main_thread,
]

if __name__ == "__main__":
    failed = {}
    for case in CASES:
        try:
            case()
        except Exception:
            failed[case.__name__] = traceback.format_exc()
    print(json.dumps(failed))
