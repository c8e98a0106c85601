"""The frames of all threads can be asked for at any time, whatever garbage there is."""

from __future__ import annotations

from tests.support.commands import run_python

PROGRAM = """
import gc, threading
from streamcompat_engine import current_frames

class Node:
    pass

def work(ready, done):
    ready.set()
    done.wait()

for turn in range(100):
    done, ready = threading.Event(), [threading.Event() for _ in range(3)]
    threads = [threading.Thread(target=work, args=(one, done), daemon=True) for one in ready]
    for thread, one in zip(threads, ready):
        thread.start()
        one.wait()
    gc.disable()
    for _ in range(5):
        node = Node()
        node.local, node.itself = threading.local(), node
        node.local.value = 1
    spare = {}
    del spare  # the call takes it for its result, and the first collection comes later
    gc.set_threshold(1, 1, 1)
    gc.enable()
    found = current_frames()
    assert {thread.ident for thread in threads} <= found.keys()
    assert gc.isenabled()
    gc.disable()
    current_frames()
    assert not gc.isenabled()
    gc.set_threshold(700, 10, 10)
    done.set()
    for thread in threads:
        thread.join()
print("done")
"""


def test_garbage_that_belongs_to_threads_does_not_stop_the_call() -> None:
    """On Python 3.11 the call itself stops the process within a few turns."""
    ended = run_python("-X", "faulthandler", "-c", PROGRAM)
    assert ended.stdout == "done\n", ended.stderr
