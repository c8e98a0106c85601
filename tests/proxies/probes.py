"""What the proxies of the page on deployment pass on: real HAProxy and nginx before real servers.

`make test-proxies` runs this; it needs haproxy and nginx, which `make setup` does not install. A probe says
whether something holds, and the page's table must say the same.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
import websockets.sync.client

from tests.proxies import fronts
from tests.proxies.fronts import ADDRESSES, BACKENDS, HAPROXY, PAGE, through, until
from tests.support.clients import PATIENCE, Client, get, post, post_chunks, request

PIECE = b"x" * 65536
LONG = 4096
"""Pieces of a request or a response that nobody takes whole: 256 MiB, as in `shop.py`."""
NO = 5.0
"""Seconds after which what has not come does not come."""
QUICK = 10.0
"""Seconds for a hundred parts there and back, which take 40 s where each is kept back for 200 ms."""
SETTLED = 1.0
"""Seconds without a step after which a side is taken to wait for the other."""
MOST = 64 * 1024 * 1024
"""Bytes that may be on their way where one side does not read: in sockets, a proxy and a server."""

Probe = Callable[[str, Path, str], bool]
PROBES: dict[str, Probe] = {}
"""By the words of the page; each gets the proxy, the folder of the application, and a name of its own."""

pytestmark = [
    pytest.mark.skipif(fronts.program(one) is None, reason=f"{one} is missing: apt-get install {package}")
    for one, package in (("haproxy", "haproxy"), ("nginx", "nginx-light"))
]


def probe(words: str) -> Callable[[Probe], Probe]:
    def add(one: Probe) -> Probe:
        PROBES[words] = one
        return one

    return add


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(method: str, target: str, *fields: str) -> bytes:
    return request(method, target, *fields)


def notes(folder: Path, name: str) -> int:
    """How often the application has noted something."""
    try:
        return os.stat(folder / name).st_size
    except FileNotFoundError:
        return 0


def settled(count: Callable[[], int]) -> int:
    """A count that has not changed for a while."""
    last, since = count(), time.monotonic()
    while time.monotonic() - since < SETTLED:
        time.sleep(0.05)
        if (now := count()) != last:
            last, since = now, time.monotonic()
    return last


def arrives(client: Client, wanted: bytes) -> bool:
    """Whether these bytes come before the connection ends, or nothing more comes."""
    client.socket.settimeout(NO)
    held = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while wanted not in held:
            if not (data := client.receive()):
                return False
            held += data
    return wanted in held


@probe("a request is passed on while it comes")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(head("POST", f"/upload/{own}", "Transfer-Encoding: chunked"))
        for number in range(1, 4):
            client.send(chunk(b"part"))
            until(lambda number=number: notes(folder, own) >= number, "a part of the request")
        client.send(b"0\r\n\r\n")
        return client.response().body.startswith(b"12 ")


@probe("a response is passed on while it comes (SSE)")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(get(f"/events/{own}"))
        for number in range(3):
            (folder / f"{own}-{number}").touch()
            if not arrives(client, b"data: %d\n\n" % number):
                return False
        return True


@probe("both at once, part by part (full duplex)")
def _(name: str, folder: Path, own: str) -> bool:
    began = time.monotonic()
    with through(name) as client:
        client.send(head("POST", "/echo", "Transfer-Encoding: chunked"))
        for number in range(100):
            client.send(chunk(b"part %d;" % number))
            if not arrives(client, b"part %d;" % number):
                return False
        return time.monotonic() - began < QUICK


@probe("a chunked echo of 50 MB")
def _(name: str, folder: Path, own: str) -> bool:
    body = chunk(PIECE) * 800 + b"0\r\n\r\n"
    with through(name) as client:

        def send() -> None:
            with contextlib.suppress(OSError):
                client.send(head("POST", "/echo", "Transfer-Encoding: chunked") + body)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            client.socket.settimeout(NO)
            response = client.response_or_cut("POST")
            return response.complete and len(response.body) == 800 * len(PIECE)
        except TimeoutError:
            return False
        finally:
            with contextlib.suppress(OSError):
                client.socket.shutdown(2)
            sender.join(PATIENCE)


@probe("413 before the body was sent")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(head("POST", "/buffered", "Content-Length: 100000000") + PIECE)
        return arrives(client, b"HTTP/1.1 413 ")


@probe("`Expect: 100-continue` answered by the server: no 100 before its 413")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(head("POST", "/buffered", "Content-Length: 5000000", "Expect: 100-continue"))
        status = client.receive().split(b" ")[1]
        assert status in (b"100", b"413")
        return status == b"413"


@probe("a client that does not read holds up the handler")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(get(f"/download/{own}"))
        until(lambda: notes(folder, own) > 0, "the download begins")
        return settled(lambda: notes(folder, own)) * len(PIECE) < MOST


@probe("a handler that does not read holds up the client")
def _(name: str, folder: Path, own: str) -> bool:
    sent = 0

    def send() -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            for _ in range(LONG):
                client.send(chunk(PIECE))
                sent += len(PIECE)

    with through(name) as client:
        client.send(head("POST", f"/unread/{own}", "Transfer-Encoding: chunked"))
        until(lambda: notes(folder, own) > 0, "the upload begins")
        sender = threading.Thread(target=send)
        sender.start()
        held = settled(lambda: sent) < MOST
        client.socket.shutdown(2)
        sender.join(PATIENCE)
    (folder / f"read-{own}").touch()
    return held


@probe("WebSockets")
def _(name: str, folder: Path, own: str) -> bool:
    host, port = ADDRESSES[name]
    url = f"ws://{host}:{port}/messages"
    with websockets.sync.client.connect(url, open_timeout=PATIENCE, proxy=None) as client:
        for message in ("one", b"two", "x" * 100_000):
            client.send(message)
            if client.recv(PATIENCE) != message:
                return False
    return True


@probe("a response that was cut is visibly unfinished")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(get("/cut"))
        response = client.response_or_cut()
        return response.status == 200 and not response.complete


@probe("the handler learns that its client has left")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        client.send(get(f"/watch/{own}"))
        until(lambda: notes(folder, f"here-{own}") > 0, "the handler runs")
    until(lambda: notes(folder, f"left-{own}") > 0, "the handler learns it")
    return True


@probe("who the client is, whatever it says itself")
def _(name: str, folder: Path, own: str) -> bool:
    host = "shop.example"
    lies = ["For: 203.0.113.9", "Host: evil.example", "Proto: https", "Port: 1", "Prefix: /evil"]
    fields = [f"X-Forwarded-{lie}" for lie in lies] + ["Forwarded: for=203.0.113.9;host=evil.example"]
    with through(name) as client:
        client.send(get("/client", *fields).replace(b"Host: test", f"Host: {host}".encode(), 1))
        return client.response().body.decode() == f"127.0.0.2 http {host}"


@probe("trailers of a request")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        sent = post_chunks([b"body"], "Trailer: X-Sum", target=f"/upload/{own}")
        client.send(sent.removesuffix(b"\r\n") + b"X-Sum: 4\r\n\r\n")
        return b"'x-sum': '4'" in client.response().body.lower()


@probe("a connection is kept, for 100 requests")
def _(name: str, folder: Path, own: str) -> bool:
    with through(name) as client:
        for number in range(50):
            client.send(get(f"/text/{number}"))
            assert client.response().body == b"%d" % number
            client.send(post(b"x" * number, target="/buffered"))
            assert client.response("POST").body == b"%d" % number
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shop")
    with contextlib.ExitStack() as stack:
        for number in range(len(BACKENDS)):
            stack.enter_context(fronts.served(folder, number))
        stack.enter_context(fronts.haproxy(folder))
        stack.enter_context(fronts.nginx(folder))
        yield folder


TABLE = {
    (words, name): said
    for line in PAGE.splitlines()
    if (row := re.fullmatch(r"\| (.+) \| (yes|no) \| (yes|no) \|", line))
    for words, name, said in ((row[1], "HAProxy", row[2]), (row[1], "nginx", row[3]))
}
_NUMBERS = itertools.count()


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("words", PROBES)
def test_the_page_says_what_the_proxy_does(folder: Path, name: str, words: str) -> None:
    found = PROBES[words](name, folder, f"probe{next(_NUMBERS)}")
    assert TABLE[words, name] == ("yes" if found else "no")


def test_the_page_has_every_probe() -> None:
    assert {words for words, _ in TABLE} == set(PROBES)


# One server, and ports beside those of the servers above.
ONE_SERVER = (
    re.sub(r" +server (two|three) .*\n", "", HAPROXY).replace(":8001", ":8004").replace(":8080", ":8083")
)
ITS_COMMAND = [one.replace("8001", "8004") for one in fronts.COMMANDS[0]]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: it speaks HTTP/2")
def test_haproxy_with_a_certificate(tmp_path: Path) -> None:
    """As the page says: the other `bind`. HTTP/2 comes in, and the server sees https."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "shop.pem"))
    told = re.findall(r"# With a certificate: (.*)", HAPROXY)[0].replace("/etc/haproxy", str(tmp_path))
    binds = told.replace("bind :443", "bind 127.0.0.1:8443")
    configuration = ONE_SERVER.replace("bind 127.0.0.1:8083", binds)
    with (
        fronts.served(tmp_path, 0, ITS_COMMAND),
        fronts.haproxy(tmp_path, configuration, ("127.0.0.1", 8443)),
    ):
        command = ["curl", "--silent", "--insecure", "--write-out", " %{http_version}"]
        for version, option in (("2", "--http2"), ("1.1", "--http1.1")):
            done = subprocess.run(
                [*command, option, "https://127.0.0.1:8443/client"],
                capture_output=True, text=True, timeout=PATIENCE, check=True,
            )  # fmt: skip
            assert done.stdout == f"127.0.0.1 https 127.0.0.1:8443 {version}"


@pytest.mark.parametrize("sends", ["send-proxy", "send-proxy-v2"])
def test_the_proxy_protocol_of_haproxy(tmp_path: Path, sends: str) -> None:
    """As the page says: another word for the servers, and another option."""
    command = [one.replace("--proxy-headers", "--proxy-protocol") for one in ITS_COMMAND]
    configuration = ONE_SERVER.replace("default-server check", f"default-server check {sends}")
    with fronts.served(tmp_path, 0, command), fronts.haproxy(tmp_path, configuration, ("127.0.0.1", 8083)):
        with contextlib.ExitStack() as stack:
            sources = [f"127.0.0.{number}" for number in range(2, 7)]
            clients = {
                source: stack.enter_context(through("HAProxy", ("127.0.0.1", 8083), source))
                for source in sources
            }
            for _ in range(10):  # no client has the connection of another one
                for source, client in clients.items():
                    client.send(get("/client"))
                    assert client.response().body.decode() == f"{source} http test"
