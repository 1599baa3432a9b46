import numpy as np
import pytest
from tests.fakes.market import walk

from triptych.inference.base import AbstractView
from triptych.inference.inputs import Config, FactorRows
from triptych.inference.seen import SeenFactors

CONFIG = Config(names=("return_1", "rsi_14"), window=20, companions=("BBB",), periods=(1, 4))
SERIES, OTHER = walk(1500, seed=1, symbol="AAA"), walk(1500, seed=2, symbol="BBB")


class View(AbstractView):
    def __init__(self, *series):
        self._series = {one.symbol: one for one in series}

    def history(self, symbol, length):
        series = self._series.get(symbol)
        if series is None or len(series) < length:
            return None
        return series.between(len(series) - length, len(series))


def test_the_newest_row_is_that_of_the_whole_history_and_holds_the_own_factors_only():
    seen = SeenFactors(FactorRows(CONFIG))
    assert seen.names == ("return_1", "rsi_14")
    now = seen.now(View(SERIES, OTHER), "AAA")
    whole = seen.over(SERIES, np.array([len(SERIES) - 1]), {"BBB": OTHER})
    assert now == pytest.approx({name: float(values[0]) for name, values in whole.items()}, abs=1e-6)


def test_nothing_is_seen_while_candles_are_missing_or_of_a_model_that_reads_candles():
    seen = SeenFactors(FactorRows(CONFIG))
    assert seen.now(View(SERIES), "AAA") == {}
    assert seen.now(View(SERIES.between(0, 20), OTHER), "AAA") == {}
    for config in (Config(), Config(period=2)):
        candles = SeenFactors(FactorRows(config))
        assert candles.names == ()
        assert candles.now(View(SERIES), "AAA") == {}
        assert candles.over(SERIES, np.array([9])) == {}
