"""The benchmark of TLS: its client talks to a real server, and its table has every figure."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import tls
from benchmarks.client.wire import WrongResponse
from benchmarks.figures import Cell, Round
from benchmarks.runner import Results
from benchmarks.workloads import Plan
from streamcompat.serving.options import RunOptions
from tests.support.clients import parse_address
from tests.support.servers import serve_app

WORKLOADS = [tls.Download(), tls.Get(), tls.Handshake()]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """With a certificate, and a body that is not long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "PIECES", 2)
        folder = tmp_path_factory.mktemp("tls")
        tls.rows(folder)
        yield folder


@pytest.fixture(scope="module")
def server(folder):
    """As a workload sees a running server."""
    from benchmarks.apps.sanic_flavour import app

    given = RunOptions(ssl_certfile=str(folder / "cert.pem"), ssl_keyfile=str(folder / "key.pem")).of_front()
    with serve_app(app, **given) as url:
        port = parse_address(url.replace("https", "http"))[1][1]
        yield SimpleNamespace(port=port, cpu_seconds=lambda: 0.0, waiting_seconds=lambda: 0.0)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one.key)
def test_each_workload_verifies_and_measures(server, workload):
    assert workload.verify(server)["cipher"].startswith(("AES_", "CHACHA20_"))
    found = workload.measure(server, Plan(seconds=0.001), Cell())
    assert found.value > 0
    assert found.extra["cpu"] == 0


def test_a_wrong_body_is_no_figure(server, monkeypatch):
    monkeypatch.setattr(tls, "HELLO", b"other")
    with pytest.raises(WrongResponse, match="status 200"):
        tls.Get().verify(server)


def test_each_server_gets_the_certificate_and_a_port(tmp_path: Path):
    for spec in tls.rows(tmp_path):
        words = " ".join(spec.arguments(4711))
        assert spec.tls is tls.CONTEXT
        if spec.key == "tls-nginx":
            assert "listen 127.0.0.1:4711 ssl;" in (tmp_path / "nginx.conf").read_text()
        else:
            assert "4711" in words and "cert.pem" in words and "key.pem" in words


def test_the_table_has_every_figure(tmp_path: Path):
    results = Results(tls.rows(tmp_path)[:2], list(WORKLOADS))
    for number, spec in enumerate(results.servers):
        for one in WORKLOADS[: 2 + number]:
            cell = results.cell(spec, one)
            cell.verified = {"cipher": "AES_256_GCM_SHA384"}
            cell.rounds.append(Round(4321.0, 1.0, extra={"cpu": 56.0}))
    results.missing["tls-nginx"] = "exited at the start"
    text = tls.report(results, {}, 1.0, False)
    first, second = (line for line in text.splitlines() if line.startswith("| streamcompat"))
    assert (first.count("4,321"), second.count("4,321")) == (2, 3)
    assert "– |" in first and "–" not in second
    assert "- tls-nginx: exited at the start" in text
