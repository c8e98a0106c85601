"""The run of many connections: its crowd talks to a real server, and its report has every figure."""

import pytest

from benchmarks import crowds, scale
from benchmarks.client.wire import WrongResponse
from benchmarks.figures import Round
from benchmarks.runner import Results
from benchmarks.servers import SCALE, chosen
from benchmarks.workloads import Plan
from streamcompat.asgi_api import ASGIApp
from tests.support.clients import parse_address
from tests.support.servers import serve_app

pytest.importorskip("starlette", reason="starlette is not installed")
from benchmarks.apps import crowds as apps


@pytest.fixture(params=["sanic_2", "starlette_2"])
def port(request):
    app = getattr(apps, request.param)
    with serve_app(ASGIApp(app) if request.param.startswith("starlette") else app) as url:
        yield parse_address(url)[1][1]


def test_each_message_of_a_crowd_comes_back(port):
    with crowds.crowd(port, "websocket", 3) as group:
        assert group.turn() > 0
        group.vanish()
    assert crowds.lag(port) >= 0


def test_a_crowd_without_a_server_says_so():
    with pytest.raises(WrongResponse, match="the crowd failed"):
        with crowds.crowd(1, "idle", 1):
            pass


def test_a_crowd_never_asks_for_more_than_is_allowed():
    every = scale.workloads(150, Plan())
    assert {one.count for one in every if isinstance(one, crowds.InCrowd)} == {100, 150}
    assert len({one.key for one in every}) == len(every)


def test_the_report_has_each_figure_and_each_failure():
    results = Results(SCALE, scale.workloads(20_000, Plan()))
    for number, spec in enumerate(results.servers, 1):
        for one in results.workloads:
            results.cell(spec, one).rounds = [Round(number, 1.0, extra={"vanish": 77.5, "message": 12.25})]
    results.missing["scale-uvicorn"] = "exited at the start"
    results.cell(SCALE[0], results.workloads[0]).error = "status 500"
    text = scale.report(results, {"uvicorn": "9.9"}, 1.0, 20_000, True)
    assert "| 10,000 WebSockets, streamcompat, Sanic API | 1.00 | 12.2 | 77.5 |" in text
    assert "| uvicorn 9.9, Starlette | 3.00 | 3.00 |" in text
    assert "- scale-uvicorn: exited at the start" in text
    assert "- scale-sanic, idle-100: status 500" in text


def test_a_shared_application_has_a_row_on_each_server():
    for app in ("asgi", "starlette"):
        assert len([spec for spec in chosen("asgi") if spec.shared == app]) == 5
