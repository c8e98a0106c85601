"""Our pages in a browser, by keyboard, in both schemes, on a phone: inspector, site, the probe's report.

`make test-browser` runs this; it needs Chromium and playwright, which `make setup` does not install.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is missing: make test-browser installs it")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from streamcompat.inspector import Inspector, Recorder
from streamcompat_engine import Limits
from tests.support.clients import PATIENCE
from tests.support.commands import run_python, serve_command

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
MILLISECONDS = PATIENCE * 1000
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
APP = """
import asyncio
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text

app = Sanic("app")


@app.get("/download")
async def download(request):
    async def send(response):
        for _ in range(200):
            await response.write("x" * 20_000)

    return stream(send)


@app.post("/upload", stream=True)
async def upload(request):
    await asyncio.sleep(0.5)
    while await request.stream.get() is not None:
        pass
    return text("done")


@app.post("/json", stream=True)
async def cut(request):
    async def send(response):
        await response.write('{"a": [1')
        await response.write("]}")

    return stream(send)
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.exit("make test-browser needs Chromium: apt-get install chromium, or CHROMIUM=/path/to/it", 1)
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no script fails."""
    page = browser.new_page()
    page.set_default_timeout(MILLISECONDS)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda line: failures.append(line.text) if line.type in ("error", "warning") else None)
    yield page
    page.close()
    assert failures == []


class Inspected:
    """A served application, and the address of its inspector."""

    def __init__(self, url: str, said: str) -> None:
        self.url = url
        found = re.search(r"inspector on (\S+)", said)
        assert found is not None
        self.inspector = found[1]
        self.address = ("127.0.0.1", int(url.rpartition(":")[2]))

    def ask(self, request: bytes, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        sock.connect(self.address)
        sock.sendall(request)
        return sock


@pytest.fixture
def inspected(tmp_path: Path) -> Iterator[Inspected]:
    (tmp_path / "app.py").write_text(APP)
    with serve_command(str(tmp_path / "app.py"), "--inspect") as command:
        yield Inspected(command.url, command.said)


def violations(page: Page) -> list[tuple[str, Any]]:
    return [(one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]]


def check_looks(page: Page) -> None:
    """Nothing is wider than the window, and axe finds nothing, at each size and in each scheme."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (size, scheme)
            assert violations(page) == [], (size, scheme)


BROKEN = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("app")


@app.post("/a/rather/long/path/of/a/route/that/is/sound", stream=True)
async def sound(request):
    while await request.stream.get() is not None:
        pass
    return text("sound")


@app.post("/broken", stream=True)
async def broken(request):
    pieces = []
    while (piece := await request.stream.get()) is not None:
        pieces.append(piece.decode())
    return text("".join(pieces))
"""


def test_the_report_of_a_probe(page: Page, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BROKEN)
    done = run_python("-m", "streamcompat", "probe", str(tmp_path / "app.py"), "--report", "html")
    assert done.returncode == 1, done.stderr
    (tmp_path / "probe.html").write_text(done.stdout)
    page.goto((tmp_path / "probe.html").as_uri())
    first, second = page.locator("details").all()
    expect(first.locator("h2")).to_have_text("POST /broken")
    expect(first.get_by_text("To reproduce").first).to_be_visible()
    expect(second.get_by_text("Takes anything")).to_be_hidden()
    check_looks(page)
    second.locator("summary").press("Enter")
    expect(second.get_by_text("Takes anything")).to_be_visible()
    check_looks(page)
    if shots := os.environ.get("SCREENSHOTS"):
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=f"{shots}/report.png", full_page=True)


def test_the_pause_of_a_slow_reader_is_drawn_on_its_side(inspected: Inspected, page: Page) -> None:
    page.goto(inspected.inspector)
    with inspected.ask(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n", 8192) as client:
        box = page.locator("article")
        expect(box.locator(".pause.peer")).not_to_have_count(0)
        expect(box.get_by_text("it still does")).to_be_visible()
        expect(box.locator(".pause.app")).to_have_count(0)
        left = 200 * 20_000
        while left > 0:
            left -= len(client.recv(65536))
    expect(box.locator(".end")).to_have_text("complete")
    expect(box.get_by_text("the application waited for the client, which did not read")).to_be_visible()
    check_looks(page)


def test_the_pause_of_a_slow_application(inspected: Inspected, page: Page) -> None:
    page.goto(inspected.inspector)
    size = 2_000_000
    head = f"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
    with inspected.ask(head.encode() + bytes(size)) as client:
        assert client.recv(1000)
        box = page.locator("article")
        expect(box.locator(".end")).to_have_text("complete")
        expect(box.locator(".pause.app")).not_to_have_count(0)
        expect(box.locator(".pause.peer")).to_have_count(0)
        expect(box.get_by_text("the client waited for the application, which did not read")).to_be_visible()


def test_a_client_that_leaves(inspected: Inspected, page: Page) -> None:
    page.goto(inspected.inspector)
    with inspected.ask(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n", 8192):
        expect(page.locator("article .pause.peer")).not_to_have_count(0)
    expect(page.locator("article .end")).to_contain_text("the client left")


def test_by_keyboard_alone(inspected: Inspected, page: Page, tmp_path: Path) -> None:
    with inspected.ask(b"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") as client:
        assert client.recv(1000)
    page.goto(inspected.inspector)
    box = page.locator("article")
    expect(box.locator(".end")).to_have_text("complete")

    def tab_to(name: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            if name in page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.textContent"
            ):
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("How to read this page")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Back-pressure.")).to_be_visible()
    tab_to("look into the chunks")
    page.keyboard.press("Enter")
    expect(box.get_by_text("ends within a line, within a JSON value")).to_be_visible()
    page.keyboard.press("Enter")
    expect(box.get_by_text("chunk out, 2 bytes")).to_be_visible()
    expect(box.get_by_text("ends within")).to_have_count(0)  # the whole body ends there
    page.locator("#route").fill("nothing has this")
    expect(box).to_be_hidden()
    page.locator("#route").fill("JSON")
    expect(box).to_be_visible()
    check_looks(page)

    with page.expect_download() as download:
        page.locator("#save").press("Enter")
    saved = tmp_path / "saved.html"
    download.value.save_as(saved)
    page.goto(saved.as_uri())
    expect(page.locator("#state")).to_have_text("1 of 1 requests shown; a saved page")
    expect(page.locator("article h2")).to_have_text("POST /json")


def test_what_happens_while_it_is_frozen_comes_later(inspected: Inspected, page: Page) -> None:
    page.goto(inspected.inspector)
    expect(page.locator("#state")).to_contain_text("live")
    page.locator("#freeze").click()
    with inspected.ask(b"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") as client:
        assert client.recv(1000)
    expect(page.locator("#state")).to_have_text(
        re.compile(r"frozen, [1-9]\d* happenings wait"), timeout=MILLISECONDS
    )
    expect(page.locator("article")).to_have_count(0)
    page.locator("#freeze").click()
    expect(page.locator("article .end")).to_have_text("complete")


def test_a_frozen_page_stands_still_and_loses_nothing(inspected: Inspected, page: Page) -> None:
    page.goto(inspected.inspector)
    with inspected.ask(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n", 8192) as client:
        box = page.locator("article")
        expect(box.get_by_text("it still does")).to_be_visible()
        page.locator("#freeze").click()
        before = box.inner_text()
        left = 200 * 20_000
        while left > 0:
            left -= len(client.recv(65536))
    expect(page.locator("#state")).to_have_text(re.compile(r"frozen, [1-9]\d* happenings wait"))
    page.set_viewport_size({"width": 900, "height": 900})  # draws it again
    assert box.inner_text() == before
    page.locator("#freeze").click()
    expect(box.locator(".end")).to_have_text("complete")
    expect(box.get_by_text("200 chunks, 3.8 MiB written")).to_be_visible()


def test_what_runs_is_drawn_however_much_has_ended(inspected: Inspected, page: Page) -> None:
    """Also on a page that is opened later."""
    page.goto(inspected.inspector)
    with inspected.ask(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n", 8192):
        expect(page.locator("article .pause.peer")).not_to_have_count(0)
        with inspected.ask(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n" * 120) as other:
            received = b""
            while received.count(b"HTTP/1.1 404") < 120:
                received += other.recv(65536)
        expect(page.locator("article h2").first).to_have_text("GET /none")
        for _ in range(2):
            expect(page.locator("article")).to_have_count(100)
            expect(page.locator("article[data-number='1'] .end")).to_have_text("running")
            page.reload()


NASTY = "/</script><img/src=x/onerror=document.title=1>/<!--"


def test_a_path_is_text_and_never_a_script(inspected: Inspected, page: Page, tmp_path: Path) -> None:
    agent = "</script><script>document.title=2</script>"
    with inspected.ask(f"GET {NASTY} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n".encode()) as client:
        assert client.recv(1000)
    page.goto(inspected.inspector)
    for _ in range(2):  # the page, and the saved one
        expect(page.locator("article h2")).to_have_text(f"GET {NASTY}")
        expect(page.locator("article")).to_contain_text(agent)
        expect(page).to_have_title("Streams as they happen")
        with page.expect_download() as download:
            page.locator("#save").click()
        download.value.save_as(tmp_path / "saved.html")
        text = (tmp_path / "saved.html").read_text()
        assert inspected.inspector.split("/")[3] not in text, "the token"
        page.goto((tmp_path / "saved.html").as_uri())


def test_a_server_that_was_started_again(browser: Browser) -> None:
    """Its page has another address, which the old page cannot know."""
    recorder = Recorder()
    page = browser.new_page()
    first = Inspector(recorder, 0, Limits())
    with first.running():
        page.goto(first.url.rstrip("/"))  # somebody may copy it so
        expect(page.locator("#state")).to_contain_text("live")
    expect(page.locator("#state")).to_contain_text("not connected: trying again")
    with Inspector(Recorder(), int(first.url.split(":")[2].split("/")[0]), Limits()).running():
        expect(page.locator("#state")).to_contain_text("the server was started again")
    page.close()


def test_the_example_site_by_keyboard(page: Page, browser: Browser, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "upload").write_bytes(data)
    with serve_command("examples/side_by_side.py", "--inspect") as command:
        inspector = browser.new_page()
        inspector.goto(Inspected(command.url, command.said).inspector)
        page.goto(f"{command.url}/")
        page.locator("#upload input").set_input_files(tmp_path / "upload")
        page.get_by_role("button", name="Upload").press("Enter")
        expect(page.locator("#upload-result")).to_contain_text(hashlib.sha256(data).hexdigest())
        expect(inspector.locator("article h2").first).to_have_text("POST /sanic/digest")

        page.locator("#table-start").press("Enter")
        expect(page.locator("#table-result")).to_contain_text(" rows")
        page.keyboard.press("Enter")  # the focus is on Stop
        expect(page.locator("#table-result")).to_contain_text("; stopped")
        expect(page.locator("#table-start")).to_be_focused()

        page.get_by_role("button", name="Send").press("Enter")
        expect(page.locator("#echo-result li")).to_have_count(3)
        page.get_by_role("button", name="Listen").press("Space")
        expect(page.locator("#events-result")).to_contain_text('event 1: {"tick":1}')
        page.get_by_label("Message", exact=True).fill("hello")
        page.keyboard.press("Enter")
        expect(page.locator("#chat-result li")).to_have_text(["me: hello"])
        for name in ("Sanic", "Mach9", "ASGI"):
            page.get_by_role("button", name=f"Count down with {name}").press("Enter")
            expect(page.locator(f"[data-countdown={name.lower()}] + output")).to_have_text(
                "5\n4\n3\n2\n1\nlift off\n"
            )
        check_looks(page)
        if shots := os.environ.get("SCREENSHOTS"):
            page.set_viewport_size({"width": 1280, "height": 900})
            page.screenshot(path=f"{shots}/site.png", full_page=True)
            inspector.screenshot(path=f"{shots}/site-inspector.png")
        page.get_by_role("button", name="Listen").press("Space")
        page.goto("about:blank")
        inspector.close()


def test_the_example_site_with_others_and_without_its_server(browser: Browser) -> None:
    """Two people chat, one closes the page in the middle of a table, and then the server goes."""
    page, other, inspector = (browser.new_page() for _ in range(3))  # the console tells of a lost connection
    for each in (page, other, inspector):
        each.set_default_timeout(MILLISECONDS)
    with serve_command("examples/side_by_side.py", "--inspect") as command:
        inspector.goto(Inspected(command.url, command.said).inspector)
        for one in (page, other):
            one.goto(f"{command.url}/")
            one.locator("#chat input").focus()
        rooms = inspector.locator("article", has_text="GET /chat/room/page").locator("h2 + span")
        expect(rooms).to_have_text(["101", "101"])
        for sender, reader, text in ((page, other, "hello"), (other, page, "<b>hello</b>")):
            sender.get_by_label("Message", exact=True).fill(text)
            sender.keyboard.press("Enter")
            expect(sender.locator("#chat-result li").last).to_have_text(f"me: {text}")
            expect(reader.locator("#chat-result li").last).to_have_text(text)
        other.locator("#table-start").press("Enter")
        expect(other.locator("#table-result")).to_contain_text(" rows")
        other.close()
        table = inspector.locator("article", has_text="GET /streams/table.csv").locator(".end")
        expect(table).to_contain_text("the client left")
        inspector.close()
    expect(page.locator("#chat-result li").last).to_contain_text("the connection ended")
    page.evaluate("addEventListener('unhandledrejection', ({ reason }) => document.title = reason)")
    page.get_by_role("button", name="Send").press("Enter")
    expect(page.locator("#echo-result")).to_have_text("the connection failed")
    page.get_by_role("button", name="Count down with ASGI").press("Enter")
    expect(page.locator("[data-countdown=asgi] + output")).to_have_text("the connection failed")
    expect(page).to_have_title("Streams to try")
    page.close()
