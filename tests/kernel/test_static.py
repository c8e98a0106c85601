from __future__ import annotations

import os
import threading

import httpx
import pytest

from streamcompat.kernel.response.files import OpenFile
from streamcompat.sanic_api import Blueprint
from streamcompat.sanic_api.exceptions import URLBuildError
from tests.support.exchanges import ask
from tests.support.servers import serve_app

BIG = bytes(range(256)) * 4096 * 2


@pytest.fixture
def folder(tmp_path):
    """A folder to serve, beside a secret."""
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    (folder / "a b.txt").write_text("spaced")
    (folder / "x.css").write_text("css")
    (folder / "sub" / "y.bin").write_bytes(b"0123456789")
    (folder / "big").write_bytes(BIG)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "served-too").write_text("secret")
    return folder


async def test_files_below_a_folder(flavour, folder):
    app, _, _ = flavour
    app.static("/files", str(folder))
    exchange = await ask(app, "GET", "/files/x.css")
    assert (exchange.status, exchange.text) == (200, "css")
    assert exchange.field("content-type") == "text/css"
    assert exchange.field("content-length") == "3"
    assert (await ask(app, "GET", "/files/sub/y.bin")).text == "0123456789"
    assert (await ask(app, "GET", "/files/a%20b.txt")).text == "spaced"


async def test_a_file(flavour, folder):
    app, _, _ = flavour
    app.static("style.css", str(folder / "x.css"), content_type="x/y")
    exchange = await ask(app, "GET", "/style.css")
    assert (exchange.text, exchange.field("content-type")) == ("css", "x/y")


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "%252e%252e%252fsecret",
        "..%2fsecret",
        "sub/../../secret",
        "..",
        "sub/..",
        "/../secret",
        "//secret",
        "-too",
        "",
        "sub",
        "none",
        "x.css%00",
        "x.css/",
        "x.css//",
        "x.css%2f",
        "x.css/.",
        "x.css/./.",
        "x.css/y/..",
        "%2fetc/passwd",
        "..\\secret",
        "x" * 300,
    ],
)
async def test_what_is_not_served(flavour, folder, path):
    app, _, _ = flavour
    app.static("/files", str(folder))
    app.static("/exact", str(folder), pattern="[a-z]+")
    for prefix in ("/files/", "/files", "/exact/"):
        exchange = await ask(app, "GET", prefix + path)
        assert exchange.status in (400, 404)
        assert "secret" not in exchange.text or "Requested URL" in exchange.text


async def test_an_absolute_path_stays_below(flavour, folder):
    app, _, _ = flavour
    app.static("/", str(folder))
    assert (await ask(app, "GET", "//etc/passwd")).status == 404
    assert (await ask(app, "GET", "/x.css")).text == "css"


async def test_a_version_that_the_client_has(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder)
    os.utime(folder / "x.css", (1_000_000_000, 1_000_000_000))
    first = await ask(app, "GET", "/files/x.css")
    when = first.field("last-modified")
    assert when == "Sun, 09 Sep 2001 01:46:40 GMT"
    second = await ask(app, "GET", "/files/x.css", headers={"If-Modified-Since": when})
    assert (second.status, second.text) == (304, "")
    other = {"If-Modified-Since": when, "If-None-Match": '"another"'}
    assert (await ask(app, "GET", "/files/x.css", headers=other)).status == 200
    app.static("/plain", folder, use_modified_since=False)
    assert (await ask(app, "GET", "/plain/x.css")).field("last-modified") is None


async def test_ranges(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    part = await ask(app, "GET", "/files/sub/y.bin", headers={"Range": "bytes=2-4"})
    assert (part.status, part.text) == (206, "234")
    assert part.field("content-range") == "bytes 2-4/10"
    whole = await ask(app, "GET", "/files/sub/y.bin")
    assert (whole.status, whole.field("accept-ranges")) == (200, "bytes")
    refused = await ask(app, "GET", "/files/sub/y.bin", headers={"Range": "bytes=10-"})
    assert (refused.status, refused.field("content-range")) == (416, "bytes */10")


@pytest.mark.parametrize(
    ("given", "status", "text"),
    [
        (f"2-{'9' * 5000}", 206, "23456789"),
        (f"{'0' * 5000}7-", 206, "789"),
        (f"-{'9' * 5000}", 206, "0123456789"),
        (f"{'9' * 5000}-", 416, None),
    ],
    ids=["last", "zeros", "suffix", "first"],
)
async def test_a_range_of_more_digits_than_python_takes(flavour, folder, given, status, text):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    exchange = await ask(app, "GET", "/files/sub/y.bin", headers={"Range": f"bytes={given}"})
    assert exchange.status == status
    assert text is None or exchange.text == text


async def test_a_range_is_of_the_file_that_the_client_has_a_part_of(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    app.static("/plain", folder, use_content_range=True, use_modified_since=False)
    when = (await ask(app, "GET", "/files/sub/y.bin")).field("last-modified")
    asked = {"Range": "bytes=2-4", "If-Range": when}
    part = await ask(app, "GET", "/files/sub/y.bin", headers=asked)
    assert (part.status, part.text) == (206, "234")
    for path, validator in (
        ("/files", "Sun, 09 Sep 2001 01:46:40 GMT"),
        ("/files", '"tag"'),
        ("/plain", when),
    ):
        changed = {"Range": "bytes=2-4", "If-Range": validator}
        whole = await ask(app, "GET", f"{path}/sub/y.bin", headers=changed)
        assert (whole.status, whole.text) == (200, "0123456789"), (path, validator)
        assert whole.field("content-range") is None


async def test_a_range_is_for_get_alone(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    for given in ("bytes=2-4", "bytes=10-", "bytes=x"):
        exchange = await ask(app, "HEAD", "/files/sub/y.bin", headers={"Range": given})
        assert (exchange.status, exchange.field("content-length")) == (200, "10")
        assert exchange.field("content-range") is None


async def test_head(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder)
    for path in ("x.css", "big"):
        exchange = await ask(app, "HEAD", f"/files/{path}")
        assert exchange.field("content-length") == str((folder / path).stat().st_size)
        assert (exchange.body, exchange.chunks) == (b"", [])


async def test_a_large_file_comes_in_pieces_with_its_length(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    exchange = await ask(app, "GET", "/files/big")
    assert b"".join(exchange.chunks) == BIG
    assert len(exchange.chunks) > 1
    assert exchange.field("content-length") == str(len(BIG))
    part = await ask(app, "GET", "/files/big", headers={"Range": "bytes=1-1500000"})
    assert b"".join(part.chunks) == BIG[1:1500001]
    app.static("/small", folder, stream_large_files=2)
    assert (await ask(app, "GET", "/small/x.css")).chunks == [b"css"]


def test_on_a_connection(app, folder, driver):
    app.static("/files", folder, use_content_range=True)
    with serve_app(app, driver) as url, httpx.Client(base_url=url) as client:
        for path, content in (("/files/x.css", b"css"), ("/files/big", BIG)):
            answer = client.get(path)
            assert (answer.content, answer.headers["content-length"]) == (content, str(len(content)))
            head = client.head(path)
            assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))
        part = client.get("/files/big", headers={"Range": "bytes=1-1500000"})
        assert (part.status_code, part.content) == (206, BIG[1:1500001])


async def test_another_method(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder)
    assert (await ask(app, "POST", "/files/x.css")).field("allow") == "GET, HEAD"


async def test_urls(app, folder):
    app.static("/files", folder)
    app.static("/uploads/", folder, name="uploads")
    app.static("/style.css", folder / "x.css", name="style")
    part = Blueprint("part", url_prefix="/part")
    part.static("/files", folder)
    app.blueprint(part)
    assert app.url_for("static", filename="a b.txt") == "/files/a%20b.txt"
    assert app.url_for("static", name="uploads", filename="/sub/y.bin") == "/uploads/sub/y.bin"
    assert app.url_for("static", name="style") == "/style.css"
    assert app.url_for("part.static", filename="x.css") == "/part/files/x.css"
    assert app.url_for("static", name="part.static", filename="x.css") == "/part/files/x.css"
    assert (await ask(app, "GET", "/part/files/x.css")).text == "css"
    app.remove_route("/style.css")
    with pytest.raises(URLBuildError, match="was not found"):
        app.url_for("static", name="style")


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("bytes=0-0,-1", [("0-0", "0"), ("9-9", "9")]),
        ("BYTES=7-8, 2-4,30-", [("7-8", "78"), ("2-4", "234")]),
    ],
)
@pytest.mark.parametrize("large", [1, 1000])
async def test_several_ranges(flavour, folder, field, parts, large):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True, stream_large_files=large)
    exchange = await ask(app, "GET", "/files/sub/y.bin", headers={"Range": field})
    assert exchange.status == 206 and exchange.field("content-range") is None
    kind, _, boundary = exchange.field("content-type").partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert exchange.field("content-length") == str(len(exchange.text))
    expected = "".join(
        f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Range: bytes {name}/10\r\n\r\n{content}"
        for name, content in parts
    )
    assert exchange.text == f"{expected}\r\n--{boundary}--\r\n"


@pytest.mark.parametrize(
    ("field", "status", "text"),
    [
        ("lines=1-2", 200, "0123456789"),
        ("bytes=1-2,x", 200, "0123456789"),
        ("bytes=0-,0-", 200, "0123456789"),
        ("bYtEs=1-2", 206, "12"),
        ("bytes=30-40,1-2", 206, "12"),
        ("bytes=30-40,50-", 416, None),
        ("bytes=x", 416, None),
    ],
)
async def test_a_range_is_refused_only_where_the_file_has_none_of_it(flavour, folder, field, status, text):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    exchange = await ask(app, "GET", "/files/sub/y.bin", headers={"Range": field})
    assert exchange.status == status
    assert exchange.field("content-range") == {200: None, 206: "bytes 1-2/10", 416: "bytes */10"}[status]
    assert text is None or exchange.text == text


@pytest.mark.parametrize("large", [1, 2**20])
@pytest.mark.parametrize("single", [True, False])
async def test_a_log_that_grows_between_the_look_and_the_reading(flavour, folder, large, single, monkeypatch):
    app, _, _ = flavour
    path = folder / "sub" / "y.bin"
    uri = "/y" if single else "/files/sub/y.bin"
    app.static("/y" if single else "/files", path if single else folder, stream_large_files=large)
    after_each_look(monkeypatch, lambda: append(path))
    for _ in range(3):
        size = path.stat().st_size
        exchange = await ask(app, "GET", uri)
        assert (exchange.status, exchange.aborted) == (200, False)
        assert exchange.field("content-length") == str(len(exchange.text))
        assert len(exchange.text) >= size


async def test_a_large_file_that_shrinks_is_cut(flavour, folder, monkeypatch):
    app, _, _ = flavour
    app.static("/files", folder)
    read = OpenFile.read

    def read_and_shrink(file, start, size):
        data = read(file, start, size)
        os.truncate(folder / "big", 100_000)
        return data

    monkeypatch.setattr(OpenFile, "read", read_and_shrink)
    exchange = await ask(app, "GET", "/files/big")
    assert exchange.field("content-length") == str(len(BIG))
    assert b"".join(exchange.chunks) == BIG[:100_000]
    assert exchange.aborted and not exchange.finished


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="there is no /proc")
async def test_a_file_without_a_size_is_sent_without_a_length(flavour, folder):
    app, _, _ = flavour
    (folder / "empty").touch()
    app.static("/cpuinfo", "/proc/cpuinfo", use_content_range=True)
    app.static("/empty", folder / "empty")
    for headers in ({}, {"Range": "bytes=0-1"}):
        exchange = await ask(app, "GET", "/cpuinfo", headers=headers)
        assert (exchange.status, exchange.field("content-length")) == (200, None)
        assert "processor" in exchange.text
    assert (await ask(app, "HEAD", "/cpuinfo")).field("content-length") is None
    empty = await ask(app, "GET", "/empty")
    assert (empty.text, empty.field("content-length")) == ("", "0")


async def test_links(flavour, folder, tmp_path):
    app, _, _ = flavour
    app.static("/files", folder)
    (folder / "relative").symlink_to("sub/y.bin")
    (folder / "absolute").symlink_to(folder / "sub" / "y.bin")
    (folder / "inner").symlink_to("sub")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    for path in ("relative", "absolute", "inner/y.bin"):
        assert (await ask(app, "GET", f"/files/{path}")).text == "0123456789"
    for path in ("out", "up/secret", "loop"):
        assert (await ask(app, "GET", f"/files/{path}")).status == 404
    (tmp_path / "link").symlink_to(folder)
    app.static("/linked", tmp_path / "link")
    assert (await ask(app, "GET", "/linked/x.css")).text == "css"


@pytest.mark.parametrize("swapped", ["file", "folder"])
async def test_a_swap_behind_the_check_leads_nowhere(flavour, folder, tmp_path, swapped, monkeypatch):
    """The path is swapped for a link that leads out once it has been resolved and found to lie inside."""
    app, _, _ = flavour
    app.static("/files", folder)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "y.bin").write_text("secret")
    victim = folder / "sub" if swapped == "folder" else folder / "sub" / "y.bin"
    target = tmp_path / "outside" if swapped == "folder" else tmp_path / "secret"
    realpath = os.path.realpath

    def resolved_then_swapped(path, **options):
        resolved = realpath(path, **options)
        if str(path).endswith("y.bin") and not victim.is_symlink():
            victim.rename(tmp_path / "moved")
            victim.symlink_to(target)
        return resolved

    monkeypatch.setattr(os.path, "realpath", resolved_then_swapped)
    exchange = await ask(app, "GET", "/files/sub/y.bin")
    assert victim.is_symlink()
    assert (exchange.status, "secret" in exchange.text) == (404, False)


@pytest.mark.parametrize("single", [True, False])
async def test_a_file_that_is_replaced_behind_the_look_is_one_or_the_other(
    flavour, folder, single, monkeypatch
):
    app, _, _ = flavour
    path = folder / "x.css"
    contents = ["a" * 10, "b" * 5000]
    app.static("/x" if single else "/files", path if single else folder)

    def replace():
        contents.reverse()
        other = folder / "other"
        other.write_text(contents[0])
        other.replace(path)

    replace()
    after_each_look(monkeypatch, replace)
    for _ in range(4):
        exchange = await ask(app, "GET", "/x" if single else "/files/x.css")
        assert (exchange.status, exchange.text in contents) == (200, True)
        assert exchange.field("content-length") == str(len(exchange.text))


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def after_each_look(monkeypatch, change):
    """Calls `change` whenever the size of a file has been taken, by its name or of a descriptor."""
    changing = threading.Lock()

    def looking(taken):
        def look(*arguments, **options):
            stats = taken(*arguments, **options)
            # What `change` looks at does not count.
            if changing.acquire(blocking=False):
                try:
                    change()
                finally:
                    changing.release()
            return stats

        return look

    for name in ("stat", "fstat"):
        monkeypatch.setattr(os, name, looking(getattr(os, name)))


async def test_what_is_no_file_is_not_waited_for(flavour, folder):
    app, _, _ = flavour
    os.mkfifo(folder / "fifo")
    app.static("/files", folder)
    assert (await ask(app, "GET", "/files/fifo")).status == 404


def open_below(folder):
    """What this process has open of the folder."""
    opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return [path for path in opened if path.startswith(str(folder))]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="there is no /proc")
async def test_no_descriptor_stays_open(flavour, folder):
    app, _, _ = flavour
    app.static("/files", folder, use_content_range=True)
    (folder / "out").symlink_to("../secret")
    when = (await ask(app, "GET", "/files/x.css")).field("last-modified")
    for path in ("x.css", "big", "sub", "none", "out", "sub/y.bin"):
        for method, headers in (
            ("GET", {}),
            ("HEAD", {}),
            ("GET", {"Range": "bytes=50-"}),
            ("GET", {"If-Modified-Since": when}),
        ):
            await ask(app, method, f"/files/{path}", headers=headers)
    assert open_below(folder) == []
