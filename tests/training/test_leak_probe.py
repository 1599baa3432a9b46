import numpy as np
import pytest

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import NotEnoughData
from triptych.training.leak_probe import Probe, choose_cuts, run_probes


@pytest.fixture
def series() -> CandleSeries:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 400)))
    values = np.stack([close, close * 1.01, close * 0.99, close, np.ones(400)], axis=1)
    return CandleSeries(
        instrument=Instrument(symbol="X"),
        timeframe=Timeframe.parse("1h"),
        open_time_ms=np.arange(400, dtype=np.int64) * 3_600_000,
        values=values,
    )


def test_a_trailing_mean_does_not_peek(series: CandleSeries) -> None:
    def trailing(s, at):
        return np.array([s.close[t - 9 : t + 1].mean() for t in at])

    report = run_probes(series, [Probe(name="mean", compute=trailing)], np.array([100, 200, 399]), first=10)
    assert report.passed
    assert report.results[0].compared == 96


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("scaled by the maximum of all history", lambda s, at: s.close[at] / s.close.max()),
        ("mean centred on the candle", lambda s, at: np.array([s.close[max(0, t - 2) : t + 3].mean() for t in at])),
        ("next close", lambda s, at: np.append(s.close[1:], np.nan)[at]),
    ],
)
def test_what_peeks_is_caught(series: CandleSeries, name: str, compute) -> None:
    report = run_probes(series, [Probe(name=name, compute=compute)], np.array([100, 200, 300]), first=10)
    assert not report.passed
    assert report.sentence == f"PEEKING: {name} changed when the future was taken away."


def test_a_value_known_only_with_the_future_has_no_measurable_difference(series: CandleSeries) -> None:
    probe = Probe(name="next close", compute=lambda s, at: np.append(s.close[1:], np.nan)[at])
    result = run_probes(series, [probe], np.array([100]), rows=1, first=10).results[0]
    assert (result.differing, result.largest_difference, result.first_place) == (1, None, "1970-01-05 04:00:00")


def test_labels_are_compared_only_once_they_are_settled(series: CandleSeries) -> None:
    def forward(s, at):
        padded = np.append(s.close[5:], np.full(5, np.nan))
        return padded[at]

    probe = Probe(name="label", compute=forward, known_at=lambda s, at: at + 5)
    result = run_probes(series, [probe], np.array([100, 300]), rows=20, first=10).results[0]
    assert result.passed
    assert result.compared == 30


def test_a_probe_that_compared_nothing_does_not_pass(series: CandleSeries) -> None:
    probe = Probe(name="far label", compute=lambda s, at: s.close[at], known_at=lambda s, at: at + 1000)
    report = run_probes(series, [probe], np.array([100]), first=10)
    assert not report.passed
    assert report.sentence == "Nothing could be compared for far label: the history is too short for the cuts."


def test_cuts_are_spread_and_repeatable() -> None:
    cuts = choose_cuts(1000, 100, 8, seed=1)
    assert len(cuts) == 8
    assert cuts.min() >= 100
    assert cuts.max() < 1000
    assert np.array_equal(cuts, choose_cuts(1000, 100, 8, seed=1))


def test_too_short_a_history_is_an_error() -> None:
    with pytest.raises(
        NotEnoughData, match=r"^The leak probe needs more than 101 candles to cut, was given 90\. Bring"
    ):
        choose_cuts(90, 100, 4, seed=0)
