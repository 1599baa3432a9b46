import numpy as np
import pytest

from triptych.trading.volatility import YEAR_MS, ReturnVolatility, average_true_range


def closes(values):
    return np.repeat(np.asarray(values, dtype=float)[:, None], 5, axis=1)


def test_steady_moves_give_their_own_size_per_year():
    volatility = ReturnVolatility(4)
    n = volatility.n_returns + 1
    assert n == 21
    prices = 100 * np.exp(0.01 * (np.arange(n) % 2))  # every log return is +-0.01
    times = (np.arange(n) * YEAR_MS / 400).astype(np.int64)
    assert volatility(closes(prices), times) == pytest.approx(0.01 * 20, rel=1e-6)


def test_recent_moves_weigh_more():
    volatility = ReturnVolatility(2)  # 10 returns, weights halve every 2
    times = (np.arange(11) * YEAR_MS).astype(np.int64)
    early, late = np.full(11, 100.0), np.full(11, 100.0)
    early[1:] *= np.exp(0.1)  # the oldest return
    late[10:] *= np.exp(0.1)  # the newest return
    assert volatility(closes(late), times) / volatility(closes(early), times) == pytest.approx(2 ** (9 / 4))


def test_a_gap_lowers_the_volatility_because_time_has_passed():
    volatility = ReturnVolatility(2)
    prices = 100 * np.exp(0.01 * (np.arange(11) % 2))
    even = (np.arange(11) * 3_600_000).astype(np.int64)
    gap = even + np.where(np.arange(11) > 5, 3_600_000 * 48, 0)
    assert volatility(closes(prices), gap) < volatility(closes(prices), even)


def test_the_true_range_reaches_to_the_previous_close():
    values = np.array([[10, 11, 9, 10, 1], [13, 14, 12, 13, 1], [12, 13, 11, 12, 1]], dtype=float)
    # max(14, 10) - min(12, 10) = 4; max(13, 13) - min(11, 13) = 2
    assert average_true_range(values) == 3.0
