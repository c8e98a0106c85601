"""What TLS costs: downloads, requests on kept connections, and handshakes, beside other servers.

``python -m benchmarks.tls``: our server beside uvicorn, hypercorn, granian and nginx, in turns, over TLS 1.3
with one certificate (ECDSA P-256); the table has the cipher that each chooses. nginx sends a file where the
others run an app. It writes ``results/tls.md`` and ``tls.json``, unless it was asked for a part.
"""

import argparse
import datetime
import json
import os
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

from benchmarks import environments, machine
from benchmarks.apps.payload import HELLO, piece
from benchmarks.client import wire
from benchmarks.client.wire import ResponseReader, WrongResponse
from benchmarks.figures import Cell, Round
from benchmarks.meter import Meter
from benchmarks.processes import RunningServer, terminated_like_interrupted
from benchmarks.runner import Results, Runner, say
from benchmarks.scale import FOLDER, raw
from benchmarks.servers import ASGI, Family, ServerSpec, granian, hypercorn, run, uvicorn
from benchmarks.tables import figure, markdown
from benchmarks.workloads import Plan, Workload

SIZE = 65536
PIECES = 512
"""A download: 32 MiB in pieces of 64 KiB."""
NGINX = """
daemon off; worker_processes 1;{user} pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.3;
        location = / {{ return 200 "{hello}"; }}
        location = /down/{size}/{pieces} {{ alias {folder}/body.bin; }}
    }}
}}
"""


def context() -> ssl.SSLContext:
    """A client's; it resumes no session, so each handshake is a whole one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


CONTEXT = context()


class OverTLS(Workload):
    """A workload on connections over TLS."""

    judged = False

    def connect(self, server: RunningServer) -> ssl.SSLSocket:
        connection = wire.connect(server.port, tls=CONTEXT)
        assert isinstance(connection, ssl.SSLSocket)
        return connection

    def verify(self, server: RunningServer) -> dict[str, Any]:
        with self.connect(server) as connection:
            connection.sendall(wire.get("/"))
            reader = ResponseReader(connection)
            if (response := reader.response()).status != 200 or response.body != HELLO:
                raise WrongResponse(f"status {response.status}, body {response.body[:40]!r}")
            connection.sendall(wire.get(f"/down/{SIZE}/{PIECES}"))
            if (response := reader.response()).body != piece(SIZE) * PIECES:
                raise WrongResponse(f"status {response.status}, {len(response.body)} bytes of body")
            cipher = connection.cipher()
        return {"cipher": cipher and cipher[0].removeprefix("TLS_")}

    def measured(self, plan: Plan, server: RunningServer, work: Callable[[], None]) -> tuple[Meter, int]:
        work()
        done = 0
        with Meter(server) as meter:
            while meter.elapsed < plan.seconds:
                work()
                done += 1
        return meter, done

    def round(self, meter: Meter, done: float) -> Round:
        """The rate, and the processor time of the server for each."""
        cpu = None if meter.server_share is None else meter.server_share * meter.seconds / done * 1e6
        return Round(
            done / meter.seconds, meter.seconds, meter.client_share, meter.server_share, {"cpu": cpu}
        )


class Download(OverTLS):
    key, title, unit = "tls-down", "download in pieces of 64 KiB", "MB/s"

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        buffer = bytearray(1 << 18)
        wanted, request = SIZE * PIECES, wire.get(f"/down/{SIZE}/{PIECES}")
        with self.connect(server) as connection:
            receive = connection.recv_into

            def work() -> None:
                connection.sendall(request)
                got = 0
                while got < wanted:
                    got += receive(buffer)
                # The framing is more than the body; what is left of it comes at once.
                connection.setblocking(False)
                try:
                    while receive(buffer):
                        pass
                except ssl.SSLWantReadError:
                    pass
                connection.settimeout(20.0)

            meter, done = self.measured(plan, server, work)
        return self.round(meter, done * wanted / 1e6)


class Get(OverTLS):
    key, title, unit = "tls-get", "GET on a kept connection", "req/s"

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        request = wire.get("/")
        with self.connect(server) as connection:
            reader = ResponseReader(connection)

            def work() -> None:
                connection.sendall(request)
                reader.response()

            return self.round(*self.measured(plan, server, work))


class Handshake(OverTLS):
    key, title, unit = "tls-handshake", "a connection with one GET", "connections/s"

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        request = wire.get("/")

        def work() -> None:
            with self.connect(server) as connection:
                connection.sendall(request)
                ResponseReader(connection).response()

        return self.round(*self.measured(plan, server, work))


def rows(folder: Path) -> list[ServerSpec]:
    """Every server with the certificate in a folder; nginx where it is installed."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    cert, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    (folder / "body.bin").write_bytes(piece(SIZE) * PIECES)

    usual = ["--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]
    of_hypercorn = ["--certfile", str(cert), "--keyfile", str(key)]
    of_granian = ["--ssl-certificate", str(cert), "--ssl-keyfile", str(key)]
    sanic = run("benchmarks/apps/sanic_flavour.py:app", "--no-access-log")
    found = [
        _row("ours", "streamcompat, Sanic API", sanic, usual),
        _row("ours-asgi", "streamcompat, bare ASGI app", run(ASGI, "--no-access-log"), usual),
        _row("uvicorn-h11", "uvicorn {version}, h11", uvicorn(ASGI, "h11"), usual, "uvicorn"),
        _row("uvicorn", "uvicorn {version}, httptools", uvicorn(ASGI, "httptools"), usual, "uvicorn"),
        _row("hypercorn", "hypercorn {version}", hypercorn(ASGI), of_hypercorn, "hypercorn"),
        _row("granian", "granian {version} (Rust)", granian(ASGI), of_granian, "granian"),
    ]
    if program := shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin"):
        found.append(_row("nginx", "nginx (C), a file", _nginx(program, folder), []))
    return found


def _row(
    key: str, title: str, plain: Callable[[int], list[str]], options: list[str], package: str | None = None
) -> ServerSpec:
    family = Family.PEER if package else Family.OURS
    return ServerSpec(
        f"tls-{key}", title, family, lambda port: [*plain(port), *options], package, tls=CONTEXT
    )


def _nginx(program: str, folder: Path) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        values = {"folder": folder, "port": port, "hello": HELLO.decode(), "size": SIZE, "pieces": PIECES}
        values["user"] = "" if os.geteuid() else " user root;"  # the folder is nobody else's
        (folder / "nginx.conf").write_text(NGINX.format_map(values))
        words = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        return ["-c", f"import os; os.execv({program!r}, {words!r})"]  # the runner starts what Python starts

    return arguments


def report(results: Results, versions: dict[str, str], minutes: float, apart: bool) -> str:
    """The table as Markdown."""
    box = machine.describe()
    place = "server and client on a core each" if apart else "server and client share their cores"
    titles = [(one.title, one.unit) for one in results.workloads]
    header = [
        "",
        "cipher",
        *(word for title, unit in titles for word in (f"{title}, {unit}", "µs of CPU each")),
    ]
    table = []
    for spec in results.servers:
        cells = [results.cell(spec, one) for one in results.workloads]
        values = [value for cell in cells for value in (cell.value, cell.extra("cpu"))]
        name = spec.title.replace("{version}", versions.get(spec.package or "", "of unknown version"))
        cipher = (cells[0].verified or {}).get("cipher", "–")
        table.append([name, cipher, *("–" if value is None else figure(value) for value in values)])
    about = (
        f"Measured on {datetime.date.today().isoformat()} in {minutes:.0f} minutes: {box['processor']}, "
        f"{box['cores']} cores, {box['memory']}, {box['system']}, {box['python']}, {ssl.OPENSSL_VERSION}; "
        f"{place}, one server process, loopback, one connection at a time. CPU is the server's, for a MB, a "
        "request or a connection."
    )
    failed = [f"- {key}: {reason}" for key, reason in results.missing.items()]
    failed += [f"- {key}, {name}: {cell.error}" for (key, name), cell in results.cells.items() if cell.error]
    parts = ["# What TLS costs", about, markdown(header, table)]
    return "\n\n".join(parts + (["## Not measured", "\n".join(failed)] if failed else []))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; no file is written")
    parser.add_argument("--servers", help="parts of keys, separated by commas: ours, nginx")
    options = parser.parse_args(arguments)
    plan = Plan(rounds=1, seconds=0.2) if options.quick else Plan(rounds=7, seconds=1.0)
    cores = machine.choose_cores()
    machine.run_on(cores.client)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, terminated_like_interrupted():
        specs = rows(Path(folder))
        if options.servers:
            wanted = options.servers.split(",")
            specs = [spec for spec in specs if any(word in spec.key for word in wanted)]
        environment = environments.peers()
        results = Results(specs, [Download(), Get(), Handshake()])
        Runner(plan, cores, {"peers": environment}, results).run()
    minutes = (time.monotonic() - begin) / 60
    text = report(results, environment.versions(), minutes, cores.apart)
    print(text)
    if not (options.quick or options.servers):
        (FOLDER / "tls.md").write_text(text + "\n")
        (FOLDER / "tls.json").write_text(json.dumps(raw(results), indent=1) + "\n")
        say(f"written to {FOLDER}, in {minutes:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
