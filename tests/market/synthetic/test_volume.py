import numpy as np
import pytest

from triptych.market.synthetic.volume import Config, draw_turnover

ZERO = np.zeros(50_000)
STILL = Config(persistent_deviation=0.0, noise=0.0, range_power=1.0)


def test_without_chance_turnover_is_range_times_hour_times_lean():
    turnover = draw_turnover(
        STILL,
        1,
        "A",
        relative_range=np.array([1.9, 0.9]),
        log_season=np.array([0.0, np.log(2)]),
        lean=np.array([0.5, 0.0]),
    )
    assert turnover.tolist() == pytest.approx([2.0 * np.exp(0.5), 2.0])


def test_volume_remembers_itself():
    log_turnover = np.log(draw_turnover(Config(), 1, "A", relative_range=ZERO + 1, log_season=ZERO, lean=ZERO))
    assert log_turnover.std() == pytest.approx((0.3**2 + 0.25**2) ** 0.5, rel=0.05)
    assert 0.2 < np.corrcoef(log_turnover[:-40], log_turnover[40:])[0, 1] < 0.4


def test_a_candle_that_stood_still_was_traded():
    assert (draw_turnover(Config(), 1, "A", relative_range=ZERO, log_season=ZERO, lean=ZERO) > 0).all()
