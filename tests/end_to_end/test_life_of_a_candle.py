"""docs/life-of-a-candle.md, walked step by step, with every number checked by hand."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from torch import nn

from triptych.backtest import run_backtest
from triptych.backtest.tape import batches
from triptych.domain import Candle, CandleSeries, OrderDenied, OrderFilled, Prediction, Side, Signal, SubmitOrder
from triptych.domain.errors import CandleError
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated import SimulatedExchange
from triptych.features import targets
from triptych.images import create_encoding
from triptych.inference import TorchPredictor, WindowClassifier
from triptych.market import read_candles
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import ThresholdStrategy
from triptych.trading import execution as execution_
from triptych.trading import risk as risk_
from triptych.trading import sizing as sizing_
from triptych.trading.decision import Decision
from triptych.trading.engine import Engine
from triptych.training import splits

HOUR_MS = 3_600_000
START_MS = 1_672_617_600_000  # 2023-01-02 00:00 UTC
LENGTH = 4
CSV = """time,open,high,low,close,volume
2023-01-02 00:00,100,101,100,101,5
2023-01-02 01:00,101,102,101,102,5
2023-01-02 02:00,102,103,102,103,5
2023-01-02 03:00,103,104,103,104,5
2023-01-02 04:00,105,106,104,104.5,5
2023-01-02 05:00,104,104,100,101,5
2023-01-02 06:00,101,102,100,101,5
"""
SIZING = sizing_.Config(capital_fraction=0.5)
EXECUTION = execution_.Config(stop_loss=3.0, take_profit=10.0)
COSTS = Costs(taker_fee=0.001, half_spread_bp=10.0, slippage_bp=0.0)


class GreenOrRed(nn.Module):
    """A network simple enough to be checked by eye: the more green on the chart, the more it says buy."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        red, green, _ = ((image_BCHW.mean(dim=(2, 3)) + 1) / 2).unbind(1)
        return 10 * torch.stack([red, torch.zeros_like(red), green], dim=1)


@pytest.fixture
def series(tmp_path) -> CandleSeries:
    (tmp_path / "ABC_1h.csv").write_text(CSV)
    return read_candles(tmp_path / "ABC_1h.csv").one()


@pytest.fixture
def chart():
    return create_encoding("candlestick", LENGTH, up_color="#00ff00", down_color="#ff0000", volume=False)


@pytest.fixture
def predictor(chart) -> TorchPredictor:
    return TorchPredictor(WindowClassifier(chart, GreenOrRed()), length=LENGTH, name="green-or-red")


def engine_of(series, predictor, seen=None, risk=None) -> Engine:
    return Engine(
        name="life", instruments=[series.instrument], predictor=predictor, strategy=ThresholdStrategy(StrategyConfig()),
        initial_capital=Decimal(1000), sizing=SIZING, execution=EXECUTION, risk=risk,
        observer=None if seen is None else seen.append,
    )  # fmt: skip


def test_the_life_of_a_candle(tmp_path, series, chart, predictor):
    # 1. It arrives: closed candles in time order; a bad row would stop here, with file, row and column.
    assert (series.symbol, str(series.timeframe), len(series)) == ("ABC", "1h", 7)
    assert series.open_time_ms.tolist() == [START_MS + HOUR_MS * i for i in range(7)]
    assert series.values[3].tolist() == [103, 104, 103, 104, 5]
    (tmp_path / "bad_1h.csv").write_text(CSV.replace("103,104,103,104", "103,104,103,nan"))
    with pytest.raises(CandleError, match=r"^bad_1h\.csv: line 5, column close"):
        read_candles(tmp_path / "bad_1h.csv")

    # 2. It is replayed in the order in which candles close.
    tape = list(batches([series], START_MS, START_MS + 7 * HOUR_MS, lead=0))
    assert [time for time, _ in tape] == [START_MS + HOUR_MS * (i + 1) for i in range(7)]
    candles = [batch[0] for _, batch in tape]
    assert candles[3] == Candle(
        symbol="ABC", timeframe=series.timeframe, open_time_ms=START_MS + 3 * HOUR_MS,
        open=103, high=104, low=103, close=104, volume=5,
    )  # fmt: skip

    seen: list[Decision | OrderDenied] = []
    engine, venue = engine_of(series, predictor, seen), SimulatedExchange([series.instrument], COSTS, Decimal(1000))
    for candle in candles[:3]:
        assert venue.on_candle(candle) == []
        assert engine.on_candles([candle]) == []  # the window is not full yet
    assert seen == []

    # 3. The venue sees the candle first: nothing waits there, so nothing happens.
    assert venue.on_candle(candles[3]) == []

    # 4. The engine sees it closed: the window of four candles is full.
    (command,) = engine.on_candles([candles[3]])
    (decision,) = seen
    assert decision.time_ms == START_MS + 4 * HOUR_MS

    # 5. It is drawn and read. Four rising candles, each a full body: a stair of green, each step a quarter high.
    window = series.values[:4]
    image = chart(torch.tensor(window[None], dtype=torch.float32))[0]
    assert image.shape == (3, 64, 64)
    assert float(image[0].max()) == float(image[2].max()) == 0.0
    columns = image[1].sum(dim=0).round(decimals=4)
    assert set(columns.tolist()) == {0.0, 16.0}  # a gap between candles, or a quarter of 64 rows
    green = float(image[1].mean())
    buy = np.exp(10 * green) / (np.exp(10 * green) + 2)
    prediction = decision.prediction
    assert prediction == predictor.predict("ABC", window, START_MS + 4 * HOUR_MS)
    assert isinstance(prediction, Prediction)
    assert (prediction.symbol, prediction.model) == ("ABC", "green-or-red")
    assert prediction.probability_buy == pytest.approx(buy, abs=1e-6)
    assert prediction.probability_buy > 0.7 > 0.3 > prediction.probability_sell

    # 6. It becomes a wish: the exposure wanted, and why.
    signal = ThresholdStrategy(StrategyConfig()).decide(prediction, 0.0)
    reason = f"long: buy probability {buy:.3f} >= enter 0.45"
    assert signal == Signal(symbol="ABC", time_ms=START_MS + 4 * HOUR_MS, target=1.0, reason=reason)
    assert (decision.target, decision.reason.split(";")[0]) == (1.0, reason)

    # 7. It becomes an order: half of 1,000 at a close of 104, cut down to the step, with its stop and its target.
    assert decision.exposure == 0.5
    assert isinstance(command, SubmitOrder)
    assert (command.symbol, command.side, command.quantity) == ("ABC", Side.BUY, Decimal("4.80769230"))
    assert (command.stop_loss, command.take_profit) == (Decimal("100.88"), Decimal("114.4"))
    assert command.time_ms == START_MS + 4 * HOUR_MS

    # 8. It was held against the limits: a tighter one cuts it, and the decision says so.
    told: list[Decision | OrderDenied] = []
    cautious = engine_of(series, predictor, told, risk=risk_.Config(max_exposure=0.25))
    ((smaller,),) = (made for candle in candles[:4] if (made := cautious.on_candles([candle])))
    assert (smaller.order_id, smaller.quantity) == (command.order_id, Decimal("2.40384615"))
    assert told[-1].reason.endswith("; cut from 0.5 to 0.25 by max_exposure 0.25")

    # 9. It waits for the next candle, whose open is dearer, and is filled there: 105 and half a spread of 0.1 %, on
    # the grid of the file's prices, never to our favour.
    assert venue.submit(command) == []
    assert engine.portfolio.position("ABC").quantity == 0
    (fill,) = venue.on_candle(candles[4])
    assert isinstance(fill, OrderFilled)
    assert (fill.order_id, fill.price, fill.reference_price) == (command.order_id, Decimal("105.11"), Decimal(105))
    assert fill.quantity == Decimal("4.80769230")
    assert float(fill.fee) == pytest.approx(4.8076923 * 105.11 * 0.001)
    assert engine.portfolio.position("ABC").quantity == 0  # changed by fills and by nothing else
    engine.on_event(fill)
    assert engine.portfolio.position("ABC").quantity == Decimal("4.80769230")
    engine.on_candles([candles[4]])
    paid = 4.8076923 * (105.11 - 104.5) + float(fill.fee)
    assert engine.portfolio.equity() == pytest.approx(1000 - paid)

    # One candle later the stop of 100.88 is touched inside the candle, and taken there, with half the spread.
    (exit_,) = venue.on_candle(candles[5])
    assert isinstance(exit_, OrderFilled)
    assert (exit_.side, exit_.reason) == (Side.SELL, "stop_loss")
    assert exit_.price == Decimal("100.77")  # 100.88 * 0.999 = 100.779


def test_the_backtest_walks_the_same_path(series, predictor):
    result = run_backtest(
        [series], predictor, strategy=ThresholdStrategy(StrategyConfig()), sizing=SIZING, execution=EXECUTION,
        costs=COSTS, initial_capital=1000.0, name="life",
    )  # fmt: skip
    fills = result.fills.rows(named=True)
    assert [(fill["side"], fill["quantity"], fill["reason"]) for fill in fills][:2] == [
        ("buy", 4.8076923, "order"), ("sell", 4.8076923, "stop_loss"),
    ]  # fmt: skip
    assert [fill["price"] for fill in fills][:2] == [105.11, 100.77]
    first = result.decisions.row(0, named=True)
    assert first["time"].isoformat() == "2023-01-02T04:00:00+00:00"
    assert first["target"] == 1.0


def test_in_training_the_same_window_gets_a_label_that_stays_inside_its_segment(series, predictor):
    config = targets.Config(horizon=1, threshold="fixed", up=0.004, down=0.004)
    labelled = targets.label(series, config)
    # close to close: 101 102 103 104 104.5 101 101
    assert labelled.classes.tolist() == [2, 2, 2, 2, 0, 1, -1]
    assert labelled.latest_end.tolist() == [1, 2, 3, 4, 5, 6, -1]
    times = series.open_time_ms
    whole = CandleSeries(
        instrument=series.instrument, timeframe=series.timeframe, values=np.tile(series.values, (20, 1)),
        open_time_ms=times[0] + HOUR_MS * np.arange(140),
    )  # fmt: skip
    (fold,) = splits.split([whole], [targets.label(whole, config)], splits.Config(minimum_samples=5), length=LENGTH)
    # 140 candles: train 0 .. 97, validation 98 .. 118, test 119 .. 139.
    spans = [(segment.indices[0][0], segment.indices[0][-1]) for segment in fold.segments]
    assert spans == [(3, 96), (101, 117), (122, 138)]
