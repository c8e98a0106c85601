"""The page's table of servers is that of the matrix, which `make test-servers` proves."""

from __future__ import annotations

from tests.servers.checks import CHECKS
from tests.servers.known import KNOWN, PAGE, table
from tests.servers.running import KINDS


def test_the_page_has_the_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), "python -m tests.servers.known writes it"


def test_each_fault_is_of_a_check_and_a_server_that_are_there() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    for name, faults in KNOWN.items():
        assert set(faults) <= set(CHECKS.by_name)
        assert not (kinds[name].http2 and CHECKS.only_http1 & set(faults))


def test_a_flavour_has_61_checks_of_which_each_says_what_it_is() -> None:
    assert len(CHECKS.by_name) == 61
    assert "streamcompat" not in KNOWN
