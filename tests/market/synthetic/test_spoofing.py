import numpy as np

from triptych.market.synthetic.spoofing import KINDS, Config, simulate_spoofing


def test_the_seed_fixes_the_stream() -> None:
    first, again, other = (simulate_spoofing(Config(seed=seed, episodes=5)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.tape.bid_sizes, again.tape.bid_sizes)
    np.testing.assert_array_equal(first.trades.time_ms, again.trades.time_ms)
    assert first.episodes != other.episodes


def test_every_kind_is_planted_and_a_third_is_spoofing() -> None:
    made = simulate_spoofing(Config(episodes=90))
    kinds = [one.kind for one in made.episodes]
    assert set(kinds) == set(KINDS)
    assert 20 <= kinds.count("spoofing") <= 40


def test_the_layers_of_spoofing_stand_away_from_the_touch_and_are_gone_after_the_last_row() -> None:
    made = simulate_spoofing(Config(episodes=40, large=12.0))
    for one in made.episodes:
        if one.kind != "spoofing":
            continue
        sizes = made.tape.bid_sizes if one.side == 1 else made.tape.ask_sizes
        inside, after = sizes[one.first + 3 : one.last + 1], sizes[one.last + 1]
        assert inside[:, 2:].max(axis=1).min() > 2.0 * after.max() * 0.5
        assert (inside[:, 2:] > 4 * np.median(after)).any(axis=1).all()


def test_a_spoofer_lures_trades_against_the_other_side() -> None:
    made = simulate_spoofing(Config(episodes=200, seed=3))
    row = np.searchsorted(made.tape.time_ms, made.trades.time_ms)
    rates = {}
    for kind in ("spoofing", "lonely layers"):
        lured = rows = 0
        for one in made.episodes:
            if one.kind == kind:
                inside = (row > one.first) & (row <= one.last)
                lured += int((inside & (made.trades.side == one.side)).sum())
                rows += one.last - one.first
        rates[kind] = lured / rows
    assert rates["spoofing"] > 1.8 * rates["lonely layers"]


def test_a_patient_wall_is_reached_by_the_price() -> None:
    made = simulate_spoofing(Config(episodes=60))
    for one in made.episodes:
        if one.kind == "patient wall":
            best = made.tape.bid_prices[:, 0] if one.side == 1 else made.tape.ask_prices[:, 0]
            assert round((best[one.last + 1] - best[one.first]) * one.side / 0.1) <= -4
