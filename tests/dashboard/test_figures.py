from triptych.dashboard.figures import candle_figure, equity_figure

CHART = {
    "symbol": "BTCUSDT", "step_ms": 60_000, "candles": [[0, 1, 4, 1, 3, 9], [60_000, 3, 5, 2, 4, 9]],
    "fills": [{"time_ms": 0, "side": "buy", "price": 3.0, "quantity": 2.0, "reason": "order"},
              {"time_ms": 60_000, "side": "sell", "price": 2.5, "quantity": 2.0, "reason": "stop_loss"}],
    "stops": [[0, None], [60_000, 2.5], [120_000, 2.5], [180_000, 3.0]],
    "entry": 3.0, "venue_stop": 2.5, "venue_target": 90.0,
}  # fmt: skip


def test_trades_stand_on_the_candles_with_their_reasons():
    _, _, bought, sold = candle_figure(CHART)["data"]
    assert (bought["y"], bought["text"]) == ([3.0], ["bought 2 at 3.00000"])
    assert sold["text"] == ["sold 2 at 2.50000 (stop loss)"]


def test_a_stop_that_moves_is_drawn_in_pieces():
    stops = candle_figure(CHART)["data"][1]
    assert stops["y"] == [None, 2.5, 2.5, 2.5, None, 3.0]
    assert not stops["connectgaps"]


def test_stop_target_and_entry_are_named_and_far_ones_do_not_press_the_candles_flat():
    layout = candle_figure(CHART)["layout"]
    assert [note["text"] for note in layout["annotations"]] == [
        "stop at the venue 2.50000", "target 90.0000", "entry 3.00000",
    ]  # fmt: skip
    low, high = layout["yaxis"]["range"]
    assert 0.5 < low < 1
    assert 5 < high < 5.5


def test_figures_of_nothing_are_empty():
    empty = {**CHART, "candles": [], "fills": [], "stops": [], "entry": None, "venue_stop": None, "venue_target": None}
    assert candle_figure(empty)["data"][0]["x"] == []
    assert equity_figure([])["data"][0]["y"] == []


def test_equity_is_measured_against_its_start():
    figure = equity_figure([[0, 100.0], [60_000, 130.0]])
    assert figure["layout"]["shapes"][0]["y0"] == 100.0
    assert figure["data"][0]["x"] == ["1970-01-01T00:00:00.000Z", "1970-01-01T00:01:00.000Z"]
