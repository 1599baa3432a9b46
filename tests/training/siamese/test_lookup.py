import numpy as np
import pytest
from tests.fakes.windows import candles_of

from triptych.training.siamese.lookup import NEIGHBOURS, by_embedding, foretold_by_look_up, plain_ways

LENGTH, HORIZON = 8, 4
SERIES = candles_of(900, seed=3)
PAST = np.arange(LENGTH - 1, 880, 4)
ASKED = np.array([60, 400, 850])
FOLLOWED = np.random.default_rng(2).normal(size=(len(PAST), 2))


def look_up(ways, asked=ASKED, followed=FOLLOWED, past=PAST):
    return foretold_by_look_up(
        ways, past_ends=past, asked_ends=asked, followed=followed, length=LENGTH, horizon=HORIZON
    )


def test_only_windows_are_offered_whose_candles_and_outcome_lie_before():
    offered = {}

    def alike(i, there):
        offered[i] = PAST[there - 1]
        return np.arange(there, dtype=float)

    found = look_up({"latest": alike})
    assert all(offered[i] + LENGTH <= end < offered[i] + LENGTH + 4 for i, end in enumerate(ASKED))
    assert np.isnan(found["latest"][0]).all()  # ten windows without a common candle do not fit before candle 60
    # The latest first, each at least eight candles, that is two places, before the one picked before it.
    last = int(np.searchsorted(PAST, 400 - LENGTH, side="right")) - 1
    picked = FOLLOWED[last - 2 * np.arange(NEIGHBOURS)]
    assert found["latest"][1] == pytest.approx(picked.mean(axis=0))
    assert found["mean"][1] == pytest.approx(FOLLOWED[: last + 1].mean(axis=0))


def test_what_is_not_known_to_have_followed_is_not_looked_up():
    followed = FOLLOWED.copy()
    followed[::3, 1] = np.nan
    found = look_up(plain_ways(SERIES, PAST, ASKED, LENGTH, seed=1), followed=followed)
    assert all(np.isfinite(values[1:]).all() for values in found.values())


def test_a_likeness_that_knows_foretells_and_chance_does_not():
    random = np.random.default_rng(5)
    asked = np.arange(500, 880, 3)
    kind = random.integers(0, 2, len(SERIES)) * 2.0 - 1.0
    places = np.stack([kind, np.zeros(len(kind))], axis=1)
    ways = {"model": by_embedding(places[PAST], places[asked])} | plain_ways(SERIES, PAST, asked, LENGTH, seed=1)
    found = look_up(ways, asked=asked, followed=kind[PAST][:, None])
    assert (found["model"][:, 0] == kind[asked]).all()
    assert np.abs(np.corrcoef(found["random"][:, 0], kind[asked])[0, 1]) < 0.4


def test_plain_ways_find_the_shape_and_the_size_of_returns():
    values = SERIES.values.copy()
    steps = np.diff(np.log(values[:, 3]))
    steps[300 - LENGTH + 1 : 300] = 5 * steps[99 - LENGTH + 1 : 99]  # the window that ends at 99 once more, five-fold
    values[1:, 3] = values[0, 3] * np.exp(np.cumsum(steps))
    values[:, 0] = values[:, 3]
    values[:, 1], values[:, 2] = values[:, 3] * 1.01, values[:, 3] * 0.99
    series = type(SERIES)(
        instrument=SERIES.instrument, timeframe=SERIES.timeframe, open_time_ms=SERIES.open_time_ms, values=values
    )
    past, asked = np.arange(LENGTH - 1, 290), np.array([300])
    ways = plain_ways(series, past, asked, LENGTH, seed=1)
    by_returns, by_volatility = (ways[name](0, len(past)) for name in ("returns", "volatility"))
    assert past[by_returns.argmax()] == 99
    assert by_returns.max() == pytest.approx(1.0)
    wild = np.array([np.square(np.diff(np.log(series.close))[e - LENGTH + 1 : e]).sum() for e in (*past, 300)])
    assert past[by_volatility.argmax()] == past[np.abs(np.log(wild[:-1]) - np.log(wild[-1])).argmin()]


def test_what_comes_later_changes_nothing():
    values = SERIES.values.copy()
    values[620:] = candles_of(900, seed=8).values[620:]
    changed = type(SERIES)(
        instrument=SERIES.instrument, timeframe=SERIES.timeframe, open_time_ms=SERIES.open_time_ms, values=values
    )
    asked = np.arange(500, 610, 5)
    followed = FOLLOWED.copy()
    followed[PAST > 600] = 9.0
    ours = look_up(plain_ways(SERIES, PAST, asked, LENGTH, seed=1), asked=asked)
    theirs = look_up(plain_ways(changed, PAST, asked, LENGTH, seed=1), asked=asked, followed=followed)
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
