"""No peeking in order books: on a tape cut short everything that was known at the cut is what it was."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.bootstrap.books.test_training import TINY
from tests.fakes.books import leaning_tape

from triptych.bootstrap.books.explaining import explain_book
from triptych.bootstrap.books.training import train_books
from triptych.bootstrap.candle_books import beside
from triptych.inference import BookNeed
from triptych.inference.book_rows import NetworkConfig, open_book_network
from triptych.market.books import BookTape, Trades, book_features, candles_from_mids, read_books, write_tape
from triptych.market.books.spoofing import Config as SpoofingConfig
from triptych.market.books.spoofing import find_spoofing
from triptych.market.books.thinning import thinned
from triptych.market.books.walking import walk_cost
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import find_walls, usual_size
from triptych.market.synthetic.spoofing import Config as StreamConfig
from triptych.market.synthetic.spoofing import simulate_spoofing
from triptych.training.books import BookHistory, book_folds, fit_queue_rule, fit_threshold, history_of_tape
from triptych.training.books.impact import Config as ImpactConfig
from triptych.training.books.impact import buckets_of, flow_impact, walk_impact
from triptych.training.books.labels import Config as TargetConfig
from triptych.training.books.splits import Config as SplitConfig

CUTS = (40, 333, 600, 1201)
HORIZON = 10


@pytest.fixture(scope="module")
def stream():
    return simulate_spoofing(StreamConfig(seed=5, episodes=14, large=12.0, lure=5.0))


def cut_off(tape: BookTape, trades: Trades, cut: int) -> tuple[BookTape, Trades]:
    """The first `cut` books and the trades that had happened by then."""
    n = int(np.searchsorted(trades.time_ms, tape.time_ms[cut - 1], side="right"))
    fields = {name: getattr(trades, name)[:n] for name in ("time_ms", "price", "size", "side")}
    return tape.between(0, cut), Trades(symbol=trades.symbol, **fields)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("with_trades", [False, True])
@pytest.mark.parametrize("usual", ["place", "side"])
def test_no_wall_peeks(stream, cut, with_trades, usual):
    config = WallsConfig(multiple=4.0, usual=usual)
    tape, trades = cut_off(stream.tape, stream.trades, cut)
    whole = find_walls(stream.tape, config, trades=stream.trades if with_trades else None)
    short = find_walls(tape, config, trades=trades if with_trades else None)
    known = [repr(one) for one in whole if one.known_at < cut]
    ended = [repr(one) for one in short if one.ending != "cut off"]
    assert ended == known
    # Those that stand at the cut have the price, size, cluster and first row that they have in the end.
    seen = {(one.side, one.price, one.first, one.size, one.multiple, one.cluster) for one in whole}
    assert {(o.side, o.price, o.first, o.size, o.multiple, o.cluster) for o in short if o.ending == "cut off"} <= seen


@pytest.mark.parametrize("cut", CUTS)
def test_no_alarm_of_spoofing_peeks(stream, cut):
    config = SpoofingConfig(threshold=1e-6)
    whole = find_spoofing(stream.tape, stream.trades, config)
    short = find_spoofing(*cut_off(stream.tape, stream.trades, cut), config)
    assert [repr(one) for one in short] == [repr(one) for one in whole if one.known_at < cut]
    assert len(whole) > 4


@pytest.mark.parametrize("cut", CUTS)
def test_no_feature_of_a_book_no_bucket_and_no_cost_peeks(stream, cut):
    tape, short = stream.tape, stream.tape.between(0, cut)
    np.testing.assert_array_equal(book_features(short)[1], book_features(tape)[1][:cut])
    np.testing.assert_array_equal(
        usual_size(short.bid_sizes, short.segment, 50), usual_size(tape.bid_sizes, tape.segment, 50)[:cut]
    )
    sizes = np.array([1.0, 20.0])
    np.testing.assert_array_equal(walk_cost(short, sizes, 1), walk_cost(tape, sizes, 1)[:cut])
    for ours, theirs in zip(buckets_of(short, 7), buckets_of(tape, 7), strict=True):
        np.testing.assert_array_equal(ours, theirs[: len(ours)])


@pytest.mark.parametrize("every_ms", [200, 700, 1_000])
@pytest.mark.parametrize("cut", CUTS)
def test_no_book_of_a_thinned_recording_peeks(tmp_path, every_ms, cut):
    whole = leaning_tape(1300)
    files = [write_tape(tmp_path / f"{n}.parquet", whole.between(0, n)) for n in (len(whole), cut)]
    full, short = (read_books(file, every_ms=every_ms) for file in files)
    known = int(np.searchsorted(full.time_ms, whole.time_ms[cut - 1], side="right"))
    np.testing.assert_array_equal(short.time_ms, full.time_ms[:known])
    np.testing.assert_array_equal(short.rows(), full.rows()[:known])
    np.testing.assert_array_equal(short.segment, full.segment[:known])
    # Other books after the cut, at the same times, change nothing either.
    other = thinned(changed_after(whole, cut), every_ms)
    np.testing.assert_array_equal(other.rows()[:known], full.rows()[:known])
    assert (other.rows()[known:] != full.rows()[known:]).any(axis=1).all()


@pytest.mark.parametrize("cut", CUTS)
def test_no_label_of_a_book_peeks_beyond_its_horizon(cut):
    tape, target = leaning_tape(1300), TargetConfig(horizon=HORIZON)
    whole = history_of_tape(tape, target, levels=3)
    short = history_of_tape(tape.between(0, cut), target, levels=3)
    np.testing.assert_array_equal(short.moves_bp[: cut - HORIZON], whole.moves_bp[: cut - HORIZON])
    assert np.isnan(short.moves_bp[cut - HORIZON :]).all()
    np.testing.assert_array_equal(short.queue, whole.queue[:cut])
    np.testing.assert_array_equal(short.windows_end(20), whole.windows_end(20)[:cut])


def fitted(history: BookHistory) -> tuple[float, float, float]:
    """What is fitted of the first fold: threshold of the labels and quantiles of the rule."""
    (fold,) = book_folds([history], SplitConfig(), length=20, horizon=HORIZON)
    rows = fold.train[0]
    threshold = fit_threshold(history.moves_bp[rows], TargetConfig(horizon=HORIZON))
    rule = fit_queue_rule(history.queue[rows], history.classes(threshold)[rows])
    return threshold, rule.low, rule.high


def test_the_threshold_of_labels_and_the_rule_know_nothing_after_the_training_part():
    tape, target = leaning_tape(1300), TargetConfig(horizon=HORIZON)
    changed = changed_after(tape, 650)  # half of the rows are training
    assert fitted(history_of_tape(changed, target, levels=3)) == fitted(history_of_tape(tape, target, levels=3))


def changed_after(tape: BookTape, stop: int) -> BookTape:
    """The tape with other prices and sizes from a row on."""
    other = leaning_tape(len(tape), seed=8, levels=tape.levels)
    later = {name: getattr(tape, name).copy() for name in ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")}
    for name, values in later.items():
        values[stop:] = getattr(other, name)[stop:] * (2.0 if "price" in name else 3.0)
    return replace(tape, **later)


def test_the_fits_of_impact_know_nothing_after_the_training_part():
    tape, config = leaning_tape(1500, levels=10), ImpactConfig(rows=5, resamples=100)
    changed = changed_after(tape, 900)  # six tenths of the rows are training
    for ours, theirs in zip(flow_impact(tape, config), flow_impact(changed, config), strict=True):
        assert (ours.slope, ours.intercept, ours.train_r2) == (theirs.slope, theirs.intercept, theirs.train_r2)
        assert ours.test_r2 != theirs.test_r2
    for one, two in zip(walk_impact(tape, config), walk_impact(changed, config), strict=True):
        for name in ("intercept_bp", "scale", "power", "unit", "train_r2"):
            assert getattr(one, name) == getattr(two, name), name
        assert one.test_r2 != two.test_r2


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of order books, taught by the first two thirds of a tape with a book every 100 ms."""
    folder = tmp_path_factory.mktemp("network")
    tape = leaning_tape(900)
    recipe = TINY.model_copy(update={"training": TINY.training.model_copy(update={"epochs": 1})})
    train_books([write_tape(folder / "whole.parquet", tape)], recipe, folder / "run")
    return folder, tape


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_no_explanation_of_a_book_peeks(network, method):
    folder, tape = network
    for cut in (333, 860):
        cut_off = write_tape(folder / f"until_{cut}.parquet", tape.between(0, cut + 1))
        at = utc_of(tape.time_ms[cut])
        whole, known = (
            explain_book(folder / "run", [one], at=at, method=method) for one in (folder / "whole.parquet", cut_off)
        )
        assert known.time_ms == tape.time_ms[cut]
        np.testing.assert_array_equal(known.explanation.attribution, whole.explanation.attribution)
        assert known.to_dict() == whole.to_dict()


def test_no_factor_of_a_network_of_books_peeks(network):
    folder, tape = network
    need = BookNeed(levels=3, max_age_ms=1_000, readers=(open_book_network(NetworkConfig(folder=str(folder / "run"))),))
    series = candles_from_mids(tape, "1s")
    whole = beside(series, tape, need)
    for candles in (30, 70):
        head = series.head(candles)
        rows = int(np.searchsorted(tape.time_ms, head.close_time_ms[-1], side="right"))
        assert tape.time_ms[rows - 1] == head.close_time_ms[-1]
        known = beside(head, changed_after(tape, rows), need)
        for name, values in known.notes.items():
            np.testing.assert_array_equal(values, whole.notes[name][:candles])
            assert np.isfinite(values).sum() > 20
        short = beside(head, tape.between(0, rows), need)
        np.testing.assert_equal(short.notes, known.notes)
    assert set(known.notes) == {f"network:book_network_{name}" for name in ("sell", "hold", "buy")}


def utc_of(time_ms: int) -> str:
    return datetime.fromtimestamp(int(time_ms) / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "")
