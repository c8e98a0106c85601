"""Two revisions side by side: the copy of the other tree, the pairs of rows, the ratios and the verdict."""

import shutil
import subprocess

import pytest

from benchmarks import against, heavy, servers
from benchmarks.environments import ROOT, Environment, present
from benchmarks.figures import Cell, Round
from benchmarks.runner import Results
from benchmarks.workloads import Plan

REVISION = against.Revision("main (1234567)", ROOT, [])


def workload(key):
    return next(one for one in heavy.all_workloads(Plan()) if one.key == key)


def rounds(*values, cpu=None):
    return Cell(rounds=[Round(value, 1.0, server_cpu=cpu) for value in values])


@pytest.fixture
def pair():
    """One row and its twin in a workload where more is better and in one where less is."""
    spec = next(spec for spec in servers.ALL if spec.key == "ours-sanic-uvloop")
    rows = against.with_twins([spec], REVISION)
    return Results(rows, [workload("get"), workload("first-byte")])


def test_each_row_is_followed_by_the_same_one_at_the_other_revision(pair):
    ours, theirs = pair.servers
    assert (ours.root, theirs.root) == (None, ROOT)
    assert ours.arguments(80) == theirs.arguments(80)
    assert ours.key != theirs.key


def test_only_our_own_servers_have_another_revision():
    with pytest.raises(SystemExit, match="aiohttp"):
        against.with_twins(servers.chosen("aiohttp,ours-sanic-uvloop"), REVISION)


def test_a_ratio_is_that_of_two_neighbours():
    """A machine that is three times slower in one round says nothing about either of them."""
    ours, theirs = rounds(110.0, 33.0, 110.0), rounds(100.0, 30.0, 100.0)
    assert against.ratios(ours, theirs, workload("get")) == pytest.approx([1.1, 1.1, 1.1])
    assert against.ratios(ours, theirs, workload("first-byte")) == pytest.approx([1 / 1.1] * 3)


def test_the_work_of_a_cpu_second_tells_a_busy_machine_from_a_slow_server():
    ours, theirs = rounds(50.0, cpu=0.5), rounds(100.0, cpu=1.0)
    assert against.work_ratios(ours, theirs, workload("get")) == [1.0]
    assert against.work_ratios(ours, theirs, workload("first-byte")) == []


def test_the_report_names_what_is_slower_and_what_failed(pair):
    ours, theirs = pair.servers
    get, first = pair.workloads
    pair.cells = {
        (ours.key, get.key): rounds(97.0, 97.0),
        (theirs.key, get.key): rounds(100.0, 100.0),
        (ours.key, first.key): rounds(100.0, 100.0),
        (theirs.key, first.key): rounds(99.0, 99.0),
    }
    text = against.report([ours], pair, REVISION)
    assert "| GET c32 | req/s | 97.0 | 100 | 0.970 | 0.970 to 0.970 | – |" in text
    assert text.endswith("More than 2 % slower, or not measured: ours-sanic-uvloop in get (0.970).\n")

    pair.cells[ours.key, get.key] = Cell(error="status 500")
    text = against.report([ours], pair, REVISION)
    assert "| status 500 | 100 | – |" in text
    assert "ours-sanic-uvloop in get (–)" in text


@pytest.mark.parametrize(("waited", "told"), [(0.01, False), (0.2, True)])
def test_the_report_says_when_the_machine_was_not_quiet(pair, waited, told):
    spec, get = pair.servers[0], pair.workloads[0]
    pair.cells[spec.key, get.key] = Cell(rounds=[Round(1.0, 1.0, extra={"waited": waited})])
    assert ("up to 20% of the time" in against.report([spec], pair, REVISION)) is told


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository in the place of this one."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    root = tmp_path / "repository"
    apps = root / "benchmarks" / "apps"
    apps.mkdir(parents=True)
    monkeypatch.setattr(against, "ROOT", root)

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    apps.joinpath("app.py").write_text("old")
    git("init")
    git("add", ".")
    git("commit", "-m", "old")
    git("tag", "before")
    return apps


def test_the_other_tree_is_a_copy_that_goes_away_again(repository):
    repository.joinpath("app.py").write_text("new, not committed")
    with against.checked_out("before") as revision:
        assert (revision.root / "benchmarks" / "apps" / "app.py").read_text() == "old"
        assert revision.name.startswith("before (")
        assert revision.apps_differ == ["benchmarks/apps/app.py"]
    assert not revision.root.exists()


def test_a_revision_that_is_not_there(repository):
    with pytest.raises(against.NoRevision), against.checked_out("nowhere"):
        pass


def test_a_server_at_another_revision_imports_that_tree(tmp_path):
    assert isinstance(present(), Environment)
    path = present().variables(tmp_path)["PYTHONPATH"]
    assert path.split(":") == [str(tmp_path), str(tmp_path / "engine")]
