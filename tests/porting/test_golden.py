"""Each rule, each form of the loop and each construct that stays: a file before, the file after, the report.

`golden/NAME.before.py` is ported alone. What changes on purpose is looked at and copied over the old file.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from streamcompat.porting import report
from streamcompat.porting.project import Ported, port

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name.removesuffix(".before.py") for path in GOLDEN.glob("*.before.py"))


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    before = (GOLDEN / f"{name}.before.py").read_bytes()
    result = port({f"{name}.py": before})
    ported = result.files[0]
    assert ported.after.decode() == (GOLDEN / f"{name}.after.py").read_text()
    assert report.as_text(result) == (GOLDEN / f"{name}.report.txt").read_text()
    ast.parse(ported.after)
    again = port({f"{name}.py": ported.after}).files[0]
    assert again.after == ported.after, "a second run changes it again"
    if name.startswith("noop"):
        assert ported.after == before


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
@pytest.mark.parametrize("name", ["names_kept", "constructor", "loop_break", "newer_respond", "write_kinds"])
def test_line_breaks_stay(name: str, ending: str) -> None:
    before = (GOLDEN / f"{name}.before.py").read_text()
    after = (GOLDEN / f"{name}.after.py").read_text()
    assert _ported(before.replace("\n", ending).encode()).after.decode() == after.replace("\n", ending)


def _ported(data: bytes) -> Ported:
    return port({"app.py": data}).files[0]


SOURCE = '# {declared}\nfrom sanic import Sanic\n\nSIGN = "{sign}"\napp = Sanic("ä", load_env=False)  # é\n'


@pytest.mark.parametrize(
    ("declared", "encoding", "sign"),
    [
        ("-*- coding: latin-1 -*-", "latin-1", "ÿ"),
        ("vim: set fileencoding=cp1251 :", "cp1251", "Ж"),
        ("plain", "utf-8", "😀"),
        ("with a mark", "utf-8-sig", "😀"),
    ],
)
def test_encodings_and_byte_order_marks_stay(declared: str, encoding: str, sign: str) -> None:
    source = SOURCE.format(declared=declared, sign=sign)
    if encoding == "cp1251":
        source = source.replace("ä", "д").replace("é", "ж")
    before = source.encode(encoding)
    after = source.replace("sanic import Sanic", "mach9 import Mach9").replace("= Sanic", "= Mach9")
    assert _ported(before).after == after.encode(encoding)


def test_odd_formatting_stays() -> None:
    source = (
        "from  sanic  import (Sanic , # the app\n\tBlueprint)\n"
        "app=Sanic (  'x' , load_env = False , is_request_stream = True , ) ;  part = Blueprint( 'p')\n"
        "\x0c\n@app . stream ( '/a' )\nasync def a ( request ) :\n"
        "\treturn  await  request . stream . get ( )\n"
    )
    assert _ported(source.encode()).after.decode() == (
        "from  mach9  import (Mach9 , # the app\n\tBlueprint)\n"
        "from streamcompat.ported import content\n"
        "app=Mach9 (  'x' , load_env = False , ) ;  part = Blueprint( 'p')\n"
        "\x0c\n@app . post ( '/a', stream=True )\nasync def a ( request ) :\n"
        "\treturn  content(await  request . stream . receive ( ))\n"
    )


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (b"from sanic import Sanic\nclass\n", 2, ""),
        (b"from sanic import Sanic\n# \xff\n", 2, "not utf-8"),
        (b"# coding: nothing\n", 1, "unknown encoding"),
        (b"print 'Python 2'\nimport sanic\n", 1, ""),
        (b"x = \n", 1, ""),
        (b"response = '\x00'\n", 1, ""),
    ],
)
def test_a_file_that_is_not_python_is_named_and_left(source: bytes, line: int, reason: str) -> None:
    ported = _ported(source)
    assert ported.after == source
    assert ported.error is not None
    assert ported.error[0] == line
    assert reason in ported.error[1]


def test_a_new_import_goes_below_what_has_to_be_first() -> None:
    head = "#!/usr/bin/env python\n# coding: latin-1\n\n"
    helper = "async def size(incoming):\n    return len(await incoming.get())  # ÿ\n"
    main = (
        "from helper import size\nfrom sanic import Sanic\nfrom sanic.response import text\n"
        "app = Sanic('a')\n@app.stream('/')\nasync def h(request):\n"
        "    return text(await size(request.stream))\n"
    )
    result = port({"main.py": main.encode(), "helper.py": (head + helper).encode("latin-1")})
    assert result.files[1].after.decode("latin-1") == (
        head
        + "from streamcompat.ported import content\n"
        + helper.replace("await", "content(await").replace(".get())", ".receive()))")
    )
