"""The report: every choice of rows and columns gives a table, failures have their reason below it."""

import json
from xml.etree import ElementTree

import pytest

from benchmarks import chart, heavy, machine, report, servers, tables
from benchmarks.client.load import LoadClient
from benchmarks.figures import Cell, Round
from benchmarks.runner import Results
from benchmarks.workloads import Plan


def about(plan):
    return report.About(
        plan=plan,
        cores=machine.Cores(0, 1),
        machine=machine.describe(),
        versions={"peers": {"aiohttp": "9.9"}},
        date="2026-01-01",
        minutes=1.0,
    )


@pytest.fixture
def results():
    plan = Plan(load=LoadClient(None))
    found = Results(servers.chosen(None), heavy.all_workloads(plan))
    for number, spec in enumerate(found.servers, 1):
        for workload in found.workloads:
            found.cell(spec, workload).rounds = [Round(float(number), 1.0, 0.5, 0.95, {"waited": 0.01})]
    return found


def row(text, start):
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_a_whole_report_can_be_written_and_read(results):
    details = about(Plan(load=LoadClient(None)))
    text = report.Report(results, details).text(True)
    assert "aiohttp 9.9, uvloop" in text
    assert "{version}" not in text
    read = json.loads(json.dumps(report.as_json(results, details)))
    assert len(read["servers"]) == len(results.servers)


def test_a_failure_is_in_the_table_with_its_reason_below(results):
    spec, workload = results.servers[0], results.workloads[0]
    results.cells[spec.key, workload.key] = Cell(error="status 500")
    results.missing[results.servers[1].key] = "ended at the start"
    text = report.Report(results, about(Plan())).text(False)
    assert "(1)" in row(text, spec.title)
    assert "- (1) status 500" in text
    assert f"- {results.servers[1].title}: ended at the start" in text


def test_marks_of_a_busy_client_and_of_merged_chunks(results):
    spec = results.servers[0]
    by_key = {one.key: one for one in results.workloads}
    results.cell(spec, by_key["get"]).rounds = [Round(7.0, 1.0, 0.99, 0.2)]
    results.cell(spec, by_key["down-100"]).verified = {"chunks": "merged", "written": 2, "on_wire": 1}
    line = row(report.Report(results, about(Plan())).text(False), spec.title)
    assert "7.00†" in line
    assert "1.00‡" in line


@pytest.mark.parametrize("names", ["get", "first-byte", "get-c1", "idle", "big-up", "latency,many"])
def test_any_part_of_the_suite_has_a_report(results, names):
    results.workloads = heavy.chosen(Plan(), names)
    assert "| server |" in report.Report(results, about(Plan())).text(False)


def test_keys_are_unique_and_chosen_by_family():
    keys = [spec.key for spec in servers.ALL]
    assert len(keys) == len(set(keys))
    assert {spec.family for spec in servers.chosen("peers")} == {servers.Family.PEER}
    with pytest.raises(SystemExit, match="unknown server"):
        servers.chosen("nobody")
    with pytest.raises(SystemExit, match="unknown workload"):
        heavy.chosen(Plan(), "nothing")


def test_figures_in_tables():
    assert [tables.figure(value) for value in (1234567.0, 99.94, 9.999, 0.5)] == [
        "1,234,567",
        "99.9",
        "10.00",
        "0.50",
    ]
    assert tables.times(None) == "–"
    assert tables.markdown(["a", "b"], [["x|y", "1"]]).splitlines()[2] == "| x\\|y | 1 |"


def test_the_chart_has_six_panels_whose_best_row_is_first():
    data = {
        "workloads": [
            {"key": key, "unit": unit, "higher_is_better": unit != "µs"}
            for key, unit in (("get", "req/s"), ("echo-turn", "µs"), ("get-c1", "req/s"))
        ],
        "servers": [
            {"key": key, "results": {name: {"median": value} for name in ("get", "echo-turn", "get-c1")}}
            for key, value in (("bare-h11", 150.0), ("ours-sanic-uvloop", 41_000.0), ("without-lane-in", 9.0))
        ],
    }
    picture = ElementTree.fromstring(chart.chart(data))
    words = ["".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert words == [
        "GET, 32 connectionsreq/s",
        *("streamcompat, Sanic API", "41k", "h11 alone", "150"),
        "Echo, one chunk at a timeµs, less is better",
        *("h11 alone", "150", "streamcompat, Sanic API", "41k"),
    ]
    assert "prefers-color-scheme: dark" in chart.chart(data)
    assert len(chart.PANELS) <= 6
    assert set(chart.ROWS) <= {spec.key for spec in servers.ALL}
    assert {key for key, _ in chart.PANELS} <= {one.key for one in heavy.all_workloads(Plan())}
    assert chart.chart({"workloads": [], "servers": []}) is None
