"""What is read of the calls by which an app would serve itself."""

from __future__ import annotations

import pytest

from streamcompat.serving.declared import declared_runs

GUARD = 'if __name__ == "__main__":\n    '
ORDER = ("host", "port", "debug", "ssl")


@pytest.mark.parametrize(
    ("source", "taken", "left"),
    [
        ("app.run()", {}, []),
        ("app.run('0.0.0.0', 9)", {"host": "0.0.0.0", "port": 9}, []),
        ("app.run(port=9, debug=True)", {"port": 9, "debug": True}, []),
        ("app.go_fast(port=9)", {"port": 9}, []),
        ("asyncio.run(app.create_server(port=9))", {"port": 9}, []),
        ("app.run(ssl={'cert': 'a', 'key': 'b'})", {"ssl": {"cert": "a", "key": "b"}}, []),
        ("app.run(ssl=context)", {}, ["ssl=context"]),
        ("app.run('::', int(port), True)", {"host": "::", "debug": True}, ["port=int(port)"]),
        ("app.run(1, 2, 3, 4, 5)", {"host": 1, "port": 2, "debug": 3, "ssl": 4}, ["5"]),
        ("app.run(*pair, port=9)", {"port": 9}, ["*pair"]),
        ("app.run(**options)", {}, ["**options"]),
        ("app.run(**{'port': 9})", {"port": 9}, []),
        ("PORT = 9; app.run(port=PORT)", {"port": 9}, []),
        ("SSL = {'cert': 'a'}; app.run(ssl=SSL)", {"ssl": {"cert": "a"}}, []),
        ("CERT = 'a'; app.run(ssl={'cert': CERT})", {"ssl": {"cert": "a"}}, []),
        ("OPTIONS = {'port': 9}; app.run(**OPTIONS)", {"port": 9}, []),
        ("OPTIONS = dict(port=9, host='a'); app.run(**OPTIONS)", {"port": 9, "host": "a"}, []),
        ("app.run(**dict(port=9, ssl=dict(cert='a')))", {"port": 9, "ssl": {"cert": "a"}}, []),
        ("app.run(**dict(pairs, port=9))", {}, ["**dict(pairs, port=9)"]),
        ("app.run(**dict(port=9, **more))", {}, ["**{'port': 9, **more}"]),
        ("serve = app.run; serve(port=9)", {"port": 9}, []),
        ("Thread(target=app.run, kwargs={'port': 9}).start()", {}, ["what Thread passes to it"]),
        ("functools.partial(app.run, port=9)()", {}, ["what functools.partial passes to it"]),
        ("PORT = 9; PORT = 8; app.run(port=PORT)", {}, ["port=PORT"]),
        ("PORT = 9; PORT += 1; app.run(port=PORT)", {}, ["port=PORT"]),
        ("import port as PORT; app.run(port=PORT)", {}, ["port=PORT"]),
        ("app.run(port=f'{9}', workers=2 * 2)", {}, ["port=f'{9}'", "workers=2 * 2"]),
        ("try: app.run(port=9)\n    except KeyboardInterrupt: pass", {"port": 9}, []),
        ("sys.exit(app.run(port=9))", {"port": 9}, []),
        ("server = app.run(port=9)", {"port": 9}, []),
    ],
)
def test_the_arguments_of_a_guarded_call(source: str, taken: dict[str, object], left: list[str]) -> None:
    (run,) = declared_runs(f"import asyncio, functools, sys\n{GUARD}{source}\n")
    assert run.options(ORDER) == (taken, left)
    assert (run.receiver, run.guarded) == ("app", True)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("app.run(port=9)", [(1, False)]),
        ("if True:\n    app.run(port=9)", [(2, False)]),
        ("if '__main__' == __name__:\n    app.run(port=9)", [(2, True)]),
        ("if __name__ == '__main__' and DEBUG:\n    app.run(port=9)", [(2, True)]),
        ("if not __name__ == '__main__':\n    pass\nelse:\n    app.run(port=9)", [(4, True)]),
        (
            "if not (__name__ == '__main__'):\n    app.run(port=8)\nelse:\n    app.run()",
            [(2, False), (4, True)],
        ),
        ("if __name__ != '__main__':\n    pass\nelif DEBUG:\n    app.run(port=9)", [(4, True)]),
        ("if __name__ != '__main__' or DEBUG:\n    app.run(port=9)", [(2, False)]),
        (
            f"{GUARD}for one in 1, 2:\n        if DEBUG: app.run()\n        else: app.run(port=9)",
            [(3, True), (4, True)],
        ),
        ("serve = app.run\nserve(port=9)", [(2, False)]),
        ("serve = app.run\nserve = None\nserve(port=9)", []),
        ("if __name__ == 'main':\n    pass\nelse:\n    app.run(port=9)", [(4, False)]),
        (f"def main():\n    app.run(port=9)\n{GUARD}main()", [(2, True)]),
        ("def main():\n    app.run(port=9)\nmain()", [(2, False)]),
        (
            f"import asyncio\nasync def main():\n    await app.create_server()\n{GUARD}asyncio.run(main())",
            [(3, True)],
        ),
        (f"def main():\n    serve()\ndef serve():\n    app.run(port=9)\n{GUARD}main()", [(4, True)]),
        (f"def main():\n    main()\n    app.run(port=9)\n{GUARD}main()", [(3, True)]),
        ("def main():\n    app.run(port=9)", []),
        ("class A:\n    def main(self):\n        app.run(port=9)", []),
        ("start = lambda: app.run(port=9)", []),
        (f"import uvicorn\n{GUARD}uvicorn.run(app, port=9)", []),
        (f"{GUARD}make().run(port=9)", []),
        (f"{GUARD}for one in (): one.run(port=9)", [(2, True)]),
        (f"{GUARD}app.run(port=9)\nelse:\n    app.run(port=8)", [(2, True), (4, False)]),
        ("match 1:\n    case 1:\n        app.run(port=9)", [(3, False)]),
    ],
)
def test_the_calls_that_count(source: str, found: list[tuple[int, bool]]) -> None:
    assert [(run.line, run.guarded) for run in declared_runs(source)] == found


def test_the_encoding_of_the_source_is_its_own() -> None:
    source = "# coding: latin-1\napp.run(host='é')\n".encode("latin-1")
    (run,) = declared_runs(source)
    assert run.options(ORDER) == ({"host": "é"}, [])
