"""Weights by recent skill: they move with what is known by each close, and with nothing else."""

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.domain import CandleSeries
from triptych.features.targets import Config as TargetConfig
from triptych.features.targets import label
from triptych.inference import recent_skill
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.recent_skill import Heard, RecentSkill, outcomes_of, weights_of

MINUTE_15, HOUR = 900_000, 3_600_000
N, HORIZON = 500, 4
TARGET = TargetConfig(horizon=HORIZON, volatility_span=8)


def skill(**changes):
    settings = {
        "window": 120,
        "half_life_days": 0.5,
        "floor": 0.0,
        "timeframe_ms": MINUTE_15,
        "target": TARGET.model_dump(mode="json"),
    }
    return RecentSkill(**settings | changes)


def session_times(n):
    """Seven hours of every weekday, as a stock exchange has them."""
    hours = 1_672_617_600_000 + HOUR * np.arange(5 * n)  # from a Monday on
    open_at = (hours // HOUR % 24 >= 14) & (hours // HOUR % 24 < 21) & ((hours - hours[0]) // (24 * HOUR) % 7 < 5)
    return hours[open_at][:n]


def history(seed=0, n=N, times=None, timeframe="15m"):
    random = np.random.default_rng(seed)
    series = make_series(1_672_531_200_000 + MINUTE_15 * np.arange(n) if times is None else times, timeframe=timeframe)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.004, n)))
    values = series.values.copy()
    values[:, 0] = np.concatenate(([100.0], close[:-1]))
    values[:, 3] = close
    values[:, 1] = values[:, [0, 3]].max(axis=1) * 1.001
    values[:, 2] = values[:, [0, 3]].min(axis=1) * 0.999
    return CandleSeries(instrument=series.instrument, timeframe=series.timeframe, open_time_ms=series.open_time_ms,
                        values=values)  # fmt: skip


class Leaning(AbstractPredictor):
    """Leans where the last candle of its window went, or against it."""

    def __init__(self, sign, length=5):
        self.length, self.name, self._sign = length, "leaning", sign
        self.asked = 0

    def probabilities(self, windows):
        self.asked += len(windows)
        moved = self._sign * np.sign(windows[:, -1, 3] - windows[:, -2, 3])
        return np.stack([0.35 - 0.25 * moved, np.full(len(moved), 0.3), 0.35 + 0.25 * moved], axis=1).astype(np.float32)


def consensus(recent, **weights):
    members = {"with": Leaning(1), "against": Leaning(-1)}
    combiner = Combiner(
        method="skill", members=("with", "against"), weights=weights.get("weights", (0.5, 0.5)), regime_length=8,
        recent=recent,
    )  # fmt: skip
    return ConsensusPredictor(members, combiner, name="both")


class Known(AbstractView):
    """A history up to one close, of which no more than the session keeps is there."""

    def __init__(self, series):
        self.series = series

    def history(self, symbol, length):
        n = len(self.series)
        return self.series.between(n - length, n) if n >= length else None


def said(predictions):
    return np.array([(p.probability_sell, p.probability_hold, p.probability_buy) for p in predictions])


def test_an_outcome_is_that_of_the_label_and_is_known_when_the_label_is_settled():
    series, random = history(), np.random.default_rng(1)
    some = skill()
    times = series.close_time_ms[some.due(series.close_time_ms)]
    votes = random.dirichlet([1.0, 1.0, 1.0], (len(times), 2))
    found = outcomes_of(some, series, times, votes)
    places = np.searchsorted(series.close_time_ms, found.time_ms)
    np.testing.assert_array_equal(found.known_ms, series.close_time_ms[places + HORIZON])
    classes = label(series, TARGET).classes[places]  # over the whole history; the outcome knows a stretch of it
    truth = np.eye(3)[classes]
    told = votes[np.searchsorted(times, found.time_ms)]
    expected = 0.5 * np.square(told - truth[:, None]).sum(axis=2)
    assert np.isclose(found.losses, expected).all(axis=1).mean() > 0.99
    assert np.diff(found.time_ms).min() == HORIZON * MINUTE_15  # outcomes do not overlap


def test_votes_that_are_unknown_and_closes_that_are_not_there_have_no_outcome():
    series, some = history(), skill()
    times = series.close_time_ms[some.due(series.close_time_ms)][20:25]
    votes = np.full((5, 2, 3), 1 / 3)
    votes[2] = np.nan
    assert outcomes_of(some, series, times, votes).time_ms.tolist() == times[[0, 1, 3, 4]].tolist()
    assert len(outcomes_of(some, series, times + 1, votes).time_ms) == 0


def test_weights_move_to_whoever_was_right_lately_and_never_below_the_floor():
    counts = np.ones(40)
    right, wrong = np.full(40, 0.1), np.full(40, 0.6)
    early, late = weights_of(counts, np.stack([right, wrong], axis=1)), weights_of(counts, np.stack([wrong, right], 1))
    assert early[0] > 0.95
    np.testing.assert_allclose(early, late[::-1])
    assert weights_of(counts, np.stack([right, wrong], axis=1), 0.4)[1] == pytest.approx(0.2 + 0.6 * early[1])
    np.testing.assert_allclose(weights_of(counts, np.stack([right, wrong], axis=1), 1.0), [0.5, 0.5])


def test_weights_differ_from_close_to_close_and_know_nothing_of_what_comes():
    series, ends = history(), np.arange(300, N)
    predictor = consensus(skill())
    whole = predictor.weights_over(series, ends)
    assert whole.std(axis=0).min() > 0.02
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)
    for cut in (330, 401, 450):
        values = series.values.copy()
        values[cut + 1 :] *= np.linspace(1.0, 1.5, N - cut - 1)[:, None]
        other = CandleSeries(instrument=series.instrument, timeframe=series.timeframe,
                             open_time_ms=series.open_time_ms, values=values)  # fmt: skip
        known = ends[ends <= cut]
        np.testing.assert_array_equal(predictor.weights_over(series.head(cut + 1), known), whole[: len(known)])
        np.testing.assert_array_equal(predictor.weights_over(other, known), whole[: len(known)])
        assert not np.array_equal(predictor.weights_over(other, ends), whole)  # the test can fail


def test_an_outcome_moves_the_weights_at_the_close_that_settles_it_and_not_before():
    series, some = history(), skill(half_life_days=1e4)
    predictor = consensus(some)
    ends = np.arange(300, 340)
    moves = np.abs(np.diff(predictor.weights_over(series, ends), axis=0)).max(axis=1) > 1e-5
    settles = some.due(series.close_time_ms)[ends[1:] - HORIZON]
    assert moves[settles].sum() >= 5  # where nothing came both members lose alike, and nothing moves
    assert not moves[~settles].any()


@pytest.mark.parametrize("restart", [None, 350, 351])
def test_asked_close_by_close_it_says_what_it_says_of_a_history_also_after_a_restart(restart):
    series, ends = history(), np.arange(320, 380)
    heard_until = int(series.close_time_ms[290])
    times = series.close_time_ms[series.close_time_ms <= heard_until]
    times = times[skill().due(times)]
    random = np.random.default_rng(3)
    rows = random.dirichlet([1.0, 1.0, 1.0], (len(times), 2)).reshape(-1, 6).tolist()
    heard = Heard(time_ms=tuple(times.tolist()), votes=tuple(map(tuple, rows)))
    some = skill(heard_until_ms=heard_until, heard={series.symbol: heard})
    whole = said(consensus(some).predictions_over(series, ends))
    live, rows = consensus(some), []
    for end in ends:
        if end == restart:
            live = consensus(some)
        known = series.head(end + 1)
        close_ms = int(known.close_time_ms[-1])
        rows.append(live.predict_all(Known(known), {series.symbol: close_ms})[series.symbol])
    np.testing.assert_allclose(said(rows), whole, atol=1e-12)
    unheard = said(consensus(skill(heard_until_ms=heard_until)).predictions_over(series, ends))
    assert np.abs(unheard - whole).max() > 1e-3  # what was heard counts


def test_members_are_never_asked_about_the_time_before_their_segment():
    series, ends = history(), np.arange(320, 330)
    some = skill(heard_until_ms=int(series.close_time_ms[300]))
    predictor = consensus(some)
    members = predictor._members.values()
    predictor.weights_over(series, ends)
    asked = int(some.due(series.close_time_ms)[301:330].sum())
    assert [one.asked for one in members] == [asked, asked]


def test_where_nothing_is_known_of_an_instrument_the_weights_are_those_of_the_training():
    series = history()
    predictor = consensus(skill(heard_until_ms=int(series.close_time_ms[-1])), weights=(0.7, 0.3))
    np.testing.assert_array_equal(predictor.weights_over(series, np.array([400, 410])), [[0.7, 0.3]] * 2)


def test_it_waits_for_the_candles_that_its_window_takes():
    series, predictor = history(), consensus(skill())
    assert predictor.length == 9 + 120 + HORIZON + 4 * 8 + 1
    known = series.head(predictor.length - 1)
    closes = {series.symbol: int(known.close_time_ms[-1])}
    assert predictor.predict_all(Known(known), closes) == {series.symbol: None}


@pytest.fixture(scope="module")
def session():
    return history(times=session_times(N), timeframe="1h")


def session_skill(horizon=12, **changes):
    target = TargetConfig(horizon=horizon, volatility_span=8).model_dump(mode="json")
    return skill(timeframe_ms=HOUR, target=target, half_life_days=20.0, **changes)


@pytest.mark.parametrize("horizon", [1, 3, 4, 12])
def test_around_the_clock_every_horizon_th_close_is_due_and_counts_whole(horizon):
    some, closes = skill(target=TargetConfig(horizon=horizon).model_dump(mode="json")), history().close_time_ms
    due = some.due(closes)
    np.testing.assert_array_equal(due[1:], (closes // MINUTE_15 % horizon == 0)[1:])
    assert (some.shares(due)[due] == 1.0).all()


@pytest.mark.parametrize(("horizon", "a_day"), [(2, 4), (12, 1), (24, 1)])
def test_a_market_that_closes_at_night_is_asked_too_and_what_overlaps_counts_by_its_share(session, horizon, a_day):
    some = session_skill(horizon)
    due = some.due(session.close_time_ms)
    days = session.close_time_ms[due] // (24 * HOUR)
    assert set(np.unique(days, return_counts=True)[1][1:-1]) == {a_day}
    times = session.close_time_ms[due]
    found = outcomes_of(some, session, times, np.full((len(times), 2, 3), 1 / 3))
    assert found.shares[1:].max() <= 1.0
    places = np.searchsorted(session.close_time_ms, found.time_ms)
    assert found.shares[1:].sum() <= (places[-1] - places[0]) / horizon + 1e-9  # no more than do not overlap
    assert found.shares[1:].sum() > 0.8 * (places[-1] - places[0]) / horizon


def test_a_window_is_counted_in_candles_and_not_in_hours(session):
    some = session_skill()
    times = session.close_time_ms[some.due(session.close_time_ms)]
    found = outcomes_of(some, session, times, np.full((len(times), 2, 3), 1 / 3))
    for now in (300, 301, 306, N - 1):
        counts, _ = found.at(int(session.close_time_ms[now]), some)
        places = np.searchsorted(session.close_time_ms, found.time_ms)
        assert len(counts) == ((places > now - 120) & (places + 12 <= now)).sum() >= 14


@pytest.mark.parametrize("restart", [None, 420, 423])
def test_of_a_market_that_closes_at_night_it_knows_no_future_and_says_the_same_live(session, restart):
    some = session_skill()
    ends = np.arange(400, 430)
    whole = said(consensus(some).predictions_over(session, ends))
    weights = consensus(some).weights_over(session, ends)
    assert weights.std(axis=0).min() > 1e-3
    live, rows = consensus(some), []
    for end in ends:
        live = consensus(some) if end == restart else live
        known = session.head(end + 1)
        np.testing.assert_array_equal(live.weights_over(known, np.array([end])), weights[[end - 400]])
        rows.append(live.predict_all(Known(known), {known.symbol: int(known.close_time_ms[-1])})[known.symbol])
    np.testing.assert_allclose(said(rows), whole, atol=1e-12)


def test_weights_do_not_depend_on_where_the_history_begins(session):
    for series, some in ((history(), skill()), (session, session_skill())):
        predictor = consensus(some)
        whole = predictor.weights_over(series, np.arange(440, N))
        for begin in range(440 + 1 - predictor.length, 440 - predictor.length - 14, -1):
            shorter = series.between(begin, N)
            np.testing.assert_array_equal(predictor.weights_over(shorter, np.arange(440, N) - begin), whole)


def test_from_close_to_close_only_what_was_settled_last_is_labelled(monkeypatch):
    labelled = []
    honest = recent_skill._class

    def counted(target, warm_up, series, end):
        labelled.append(int(series.close_time_ms[end]))
        return honest(target, warm_up, series, end)

    monkeypatch.setattr(recent_skill, "_class", counted)
    series, live = history(), consensus(skill())
    for end in range(400, 440):
        known = series.head(end + 1)
        live.predict_all(Known(known), {series.symbol: int(known.close_time_ms[-1])})
        if end == 400:
            assert len(labelled) == 120 // HORIZON
            labelled.clear()
    settled = [at for at in labelled if at <= int(series.close_time_ms[439 - HORIZON])]
    assert len(set(settled)) == 40 // HORIZON
    assert max(settled.count(at) for at in settled) <= HORIZON + 1  # until it is settled, and not once more
