"""The arithmetic of the benchmark suite. No figure is judged here."""

import pytest

from benchmarks.figures import (
    Cell,
    Round,
    best,
    chunk_fate,
    is_client_bound,
    percentile,
    pieces_for,
    ratio,
)


def rounds(*values):
    return [Round(value, 1.0) for value in values]


def test_a_figure_is_the_median_of_its_rounds():
    assert Cell(rounds=rounds(3.0, 100.0, 5.0)).value == 5.0
    assert Cell().value is None


def test_spread_is_the_width_of_the_rounds_over_their_median():
    assert Cell(rounds=rounds(8.0, 10.0, 12.0)).spread == pytest.approx(0.4)
    assert Cell(rounds=rounds(8.0)).spread is None


@pytest.mark.parametrize(
    ("client", "server", "bound"),
    [(0.95, 0.5, True), (0.95, 0.95, False), (0.5, 0.5, False), (None, 0.5, False), (0.95, None, False)],
)
def test_the_client_is_the_limit_when_it_alone_is_busy(client, server, bound):
    assert is_client_bound(client, server) is bound


def test_a_cell_is_client_bound_when_half_of_its_rounds_are():
    busy, free = Round(1.0, 1.0, 0.95, 0.5), Round(1.0, 1.0, 0.5, 0.95)
    assert Cell(rounds=[busy, free]).client_bound
    assert not Cell(rounds=[busy, free, free]).client_bound
    assert not Cell().client_bound


def test_a_ratio_above_one_is_better_for_us_in_either_direction():
    assert ratio(200.0, 100.0, higher_is_better=True) == 2.0
    assert ratio(50.0, 100.0, higher_is_better=False) == 2.0
    assert ratio(None, 100.0, higher_is_better=True) is None
    assert ratio(0.0, 100.0, higher_is_better=False) is None


def test_the_best_depends_on_the_direction():
    assert best([1.0, None, 3.0], higher_is_better=True) == 3.0
    assert best([1.0, None, 3.0], higher_is_better=False) == 1.0
    assert best([None], higher_is_better=True) is None


def test_an_exchange_gets_as_many_pieces_as_fit_its_time():
    assert pieces_for(1000.0, 0.5, least=10, most=10_000) == 500
    assert pieces_for(1.0, 0.5, least=10, most=10_000) == 10
    assert pieces_for(1e9, 0.5, least=10, most=10_000) == 10_000


@pytest.mark.parametrize(
    ("written", "on_wire", "fate"),
    [
        ([5, 5], [5, 5], "kept"),
        ([5, 5], [10], "merged"),
        ([10], [5, 5], "split"),
        ([5, 5], [4, 6], "cut anew"),
    ],
)
def test_what_became_of_the_chunks(written, on_wire, fate):
    assert chunk_fate(written, on_wire) == fate


def test_percentiles_of_few_values():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([], 0.5) is None
