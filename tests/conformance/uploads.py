"""Real clients and proxies that upload a body which the server refuses at once: what each of them is told.

`python -m tests.conformance.uploads [MIB ...]` prints a table. A client that is not installed is left out;
`CLIENTS_PYTHON` names a Python that has requests and aiohttp, and `CLIENTS_NGINX` an nginx.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streamcompat_engine import Exchange
from tests.support.servers import eventually, serve

MIB = 1024 * 1024
SIZES = (1, 3, 8, 64)
"""Of the bodies, in MiB."""
PATIENCE = 60

PYTHON = {
    "http.client": """
import http.client
connection = http.client.HTTPConnection(host, port, timeout=60)
connection.request("POST", "/", body)
print(connection.getresponse().status)
""",
    "http.client, chunked": """
import http.client
connection = http.client.HTTPConnection(host, port, timeout=60)
connection.request("POST", "/", iter([body[start:start + 65536] for start in range(0, size, 65536)]))
print(connection.getresponse().status)
""",
    "requests": """
import requests
print(requests.post(url, data=body, timeout=60).status_code)
""",
    "httpx.Client": """
import httpx
print(httpx.post(url, content=body, timeout=60).status_code)
""",
    "httpx.AsyncClient": """
import asyncio, httpx
async def main():
    async with httpx.AsyncClient(timeout=60) as client:
        print((await client.post(url, content=body)).status_code)
asyncio.run(main())
""",
    "aiohttp": """
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
        print(response.status)
asyncio.run(main())
""",
}
_GIVEN = "import sys; url, host, port, size = sys.argv[1], '127.0.0.1', int(sys.argv[2]), int(sys.argv[3])\n"
_BODY = "body = bytes(size)\n"
NODE = """
const [url, , size] = process.argv.slice(1);
const http = require("http");
const asked = http.request(url, {method: "POST", headers: {"Content-Length": size}}, (response) => {
    response.resume();
    console.log(response.statusCode);
    response.on("end", () => process.exit());
});
asked.on("error", (error) => { console.log(error.code); process.exit(); });
const piece = Buffer.alloc(65536);
let rest = size;
(function more() {
    while (rest > 0) {
        rest -= piece.length;
        if (!asked.write(piece)) return asked.once("drain", more);
    }
    asked.end();
})();
"""
JAVA = """
import java.net.*;
import java.net.http.*;

public class Upload {
    public static void main(String[] given) throws Exception {
        byte[] body = new byte[Integer.parseInt(given[2])];
        try {
            if (given[3].equals("URL")) {
                HttpURLConnection connection = (HttpURLConnection) new URL(given[0]).openConnection();
                connection.setRequestMethod("POST");
                connection.setDoOutput(true);
                connection.setFixedLengthStreamingMode(body.length);
                connection.getOutputStream().write(body);
                System.out.println(connection.getResponseCode());
            } else {
                HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
                HttpRequest request = HttpRequest.newBuilder(URI.create(given[0]))
                    .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
                System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
            }
        } catch (Exception error) {
            System.out.println(error);
        }
        System.exit(0);
    }
}
"""

QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""What makes a program that runs once start in half the processor time."""


def _run(command: list[str]) -> str:
    """The last line that a client prints: a status, or its error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit {done.returncode}"


@functools.cache
def _script(name: str, python: str) -> list[str] | None:
    library = name.partition(".")[0].partition(",")[0]
    if python == sys.executable:
        is_there = importlib.util.find_spec(library) is not None
    else:
        is_there = not subprocess.run([python, "-c", f"import {library}"], capture_output=True).returncode
    return [python, "-c", _GIVEN + _BODY + PYTHON[name]] if is_there else None


CLIENTS = [*PYTHON, "Node", "curl", "curl, chunked", "Java, HttpURLConnection", "Java, HttpClient"]
PROXIES = ["nginx", "nginx, unbuffered", "HAProxy"]


def commands(folder: Path) -> dict[str, list[str]]:
    """The clients that are installed: how to run each, before the URL, the port and the size."""
    python = os.environ.get("CLIENTS_PYTHON", sys.executable)
    found = {name: command for name in PYTHON if (command := _script(name, python)) is not None}
    if node := shutil.which("node"):
        found["Node"] = [node, "-e", NODE]
    if curl := shutil.which("curl"):
        script = 'head -c "$3" /dev/zero | "$0" -s -o /dev/null -w "%{http_code} %{errormsg}" -H Expect: '
        for name, option in (("curl", "--data-binary @-"), ("curl, chunked", "-X POST -T -")):
            found[name] = ["/bin/sh", "-c", f'{script} {option} "$1"', curl]
    if java := shutil.which("java"):
        source = folder / "Upload.java"
        source.write_text(JAVA)
        for kind in ("HttpURLConnection", "HttpClient"):
            option = "URL" if "URL" in kind else "Client"
            found[f"Java, {kind}"] = [
                "/bin/sh", "-c", f'exec "$0" {QUICK_JAVA} {source} "$1" "$2" "$3" {option}', java
            ]  # fmt: skip
    return found


def _nginx(program: str, folder: Path, port: int, upstream: int, buffering: str) -> list[str]:
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_max_body_size 0;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; {buffering} }}
    }}
}}
""")
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def _haproxy(program: str, folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    server one 127.0.0.1:{upstream}
""")
    return [program, "-db", "-f", str(folder / "haproxy.cfg")]


def proxies(folder: Path, upstream: int) -> dict[str, tuple[list[str], int]]:
    """The proxies that are installed: the command, and the port that each listens on."""
    found: dict[str, tuple[list[str], int]] = {}
    nginx = os.environ.get("CLIENTS_NGINX") or shutil.which("nginx")
    for name, extra in (
        ("nginx", ""),
        ("nginx, unbuffered", "proxy_request_buffering off; proxy_http_version 1.1;"),
    ):
        if nginx:
            own, port = Path(tempfile.mkdtemp(dir=folder)), _free_port()
            found[name] = (_nginx(nginx, own, port, upstream, extra), port)
    if haproxy := shutil.which("haproxy"):
        port = _free_port()
        found["HAProxy"] = (_haproxy(haproxy, folder, port, upstream), port)
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _listens(port), f"{command[0]} listens")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def refuse(exchange: Exchange) -> None:
    """Answer 413 at once, and read nothing."""
    exchange.respond(413, (), b"too large\n")


def told(command: list[str], port: int, size: int) -> str:
    """What a client is told that uploads so many MiB: a status, or its error."""
    return _run([*command, f"http://127.0.0.1:{port}/", str(port), str(size * MIB)])


def told_through(proxy: tuple[list[str], int], size: int) -> str:
    """The same for http.client behind a proxy."""
    command, port = proxy
    with _running(command, port):
        return told([sys.executable, "-c", _GIVEN + _BODY + PYTHON["http.client"]], port, size)


def main() -> None:
    sizes = [int(one) for one in sys.argv[1:]] or SIZES
    with tempfile.TemporaryDirectory() as name, serve(refuse, "asyncio") as served:
        folder, port = Path(name), served.address[1][1]
        rows: dict[str, list[str]] = {}
        for size in sizes:
            for client, command in commands(folder).items():
                rows.setdefault(client, []).append(told(command, port, size))
            for client, proxy in proxies(folder, port).items():
                rows.setdefault(client, []).append(told_through(proxy, size))
        table = [["client", *(f"{size} MiB" for size in sizes)], ["---"] * (len(sizes) + 1)]
        table += [[client, *answers] for client, answers in rows.items()]
        sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in table)


if __name__ == "__main__":
    main()
