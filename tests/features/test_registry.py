import pytest

from triptych import features
from triptych.domain.errors import RecipeError
from triptych.features import registry


def test_the_names_are_in_order_of_their_families():
    families = [features.describe(name).family for name in features.available()]
    assert list(dict.fromkeys(families)) == [
        "price", "trend", "momentum", "volatility", "volume", "calendar", "pattern", "regime",
        "chart_pattern",
    ]  # fmt: skip
    assert families.count("pattern") == 61
    assert len(set(features.available())) == len(features.available())


def test_the_grid_has_56_factors_and_no_pattern():
    grid = features.resolve(["grid56"])
    assert len(grid) == 56
    assert {features.describe(name).family for name in grid} == {
        "price", "trend", "momentum", "volatility", "volume", "calendar",
    }  # fmt: skip


def test_the_order_of_the_grid_is_part_of_what_a_network_has_learnt():
    assert features.resolve(["grid56"]) == (
        "return_1", "gap", "body", "range", "upper_shadow", "lower_shadow", "close_location",
        "sma_10", "sma_20", "sma_50", "ema_26", "ema_50", "wma_20", "dema_20", "macd", "macd_signal", "macd_histogram",
        "adx", "plus_di", "minus_di", "aroon_up", "aroon_down", "linear_slope_14", "efficiency_20",
        "rsi_14", "stochastic_k", "stochastic_d", "stochastic_rsi", "williams_r", "roc_5", "roc_20", "roc_60",
        "momentum_10", "cci_20", "trix_15", "ultimate", "balance_of_power",
        "bollinger_b", "bollinger_width", "true_range", "atr_14", "volatility_20", "parkinson_20", "garman_klass_20",
        "rogers_satchell_20", "yang_zhang_20",
        "volume_sma_20", "volume_trend", "obv_20", "adosc", "mfi_14", "money_flow_20",
        "day_sine", "day_cosine", "week_sine", "week_cosine",
    )  # fmt: skip


def test_the_daily_grid_has_the_time_of_year_where_the_other_has_the_time_of_day():
    grid, daily = features.resolve(["grid56"]), features.resolve(["grid56_daily"])
    differing = [(a, b) for a, b in zip(grid, daily, strict=True) if a != b]
    assert differing == [("day_sine", "year_sine"), ("day_cosine", "year_cosine")]


def test_the_sets_of_the_consensus_share_no_factor():
    patterns, indicators = features.resolve(["patterns"]), features.resolve(["indicators"])
    assert len(patterns) == 6 + 16
    assert [features.describe(name).family for name in patterns].count("pattern") == 6
    assert len(indicators) == 5
    assert not set(patterns) & set(indicators)


def test_sets_and_names_mix_in_the_order_in_which_they_are_named():
    assert features.sets() == (
        "grid56", "grid56_daily", "patterns", "indicators", "regimes", "book", "book_orders", "book_network",
        "candle_patterns", "chart_patterns", "all",
    )  # fmt: skip
    assert features.resolve(["adx", "indicators", "doji"]) == (
        "adx", "rsi_14", "macd_histogram", "bollinger_b", "atr_14", "obv_20", "doji",
    )  # fmt: skip
    assert features.resolve(["all", "chart_patterns"]) == features.available()
    assert len(features.resolve(["chart_patterns"])) == 15 + 1
    assert len(features.resolve(["candle_patterns"])) == 61


def test_an_unknown_factor_is_refused_with_its_neighbours():
    with pytest.raises(RecipeError) as refused:
        features.resolve(["rsi_15"])
    assert str(refused.value) == (
        "Unknown factor 'rsi_15'. Close to it: rsi_14, trix_15, rsi_7. "
        "Known sets: grid56, grid56_daily, patterns, indicators, regimes, book, book_orders, book_network, "
        "candle_patterns, chart_patterns, all; "
        "`triptych.features.available()` lists the factors."
    )


def test_a_name_like_no_other_is_refused_as_well():
    with pytest.raises(RecipeError) as refused:
        features.describe("zzz")
    assert str(refused.value) == (
        "Unknown factor 'zzz'. Known sets: grid56, grid56_daily, patterns, indicators, regimes, book, book_orders, "
        "book_network, candle_patterns, chart_patterns, all; `triptych.features.available()` lists the factors."
    )


def test_a_factor_named_twice_is_refused():
    with pytest.raises(RecipeError) as refused:
        features.resolve(["rsi_14", "indicators"])
    assert str(refused.value) == "Factors named twice: rsi_14. Name each once, and none that a named set holds."


def test_no_factor_at_all_is_refused():
    with pytest.raises(RecipeError) as refused:
        features.resolve([])
    assert (
        str(refused.value) == "No factor is named. Name factors or a set: grid56, grid56_daily, patterns, indicators, "
        "regimes, book, book_orders, book_network, candle_patterns, chart_patterns, all."
    )


def test_the_grid_is_named_factor_by_factor():
    """What joins the registry must not widen the grid of a recipe or of a saved model."""
    assert len(features.resolve(["grid56"])) == 56
    assert registry._SETS["grid56"] is registry._GRID


def test_sets_that_share_a_factor_are_written_out_once_each():
    assert registry.without_repeats(("grid56",)) == ("grid56",)
    both = registry.without_repeats(("indicators", "rsi_14", "body"))
    assert len(both) == len(set(both))
    assert set(both) == {*registry.resolve(("indicators",)), "body"}
    assert registry.resolve(both) == both
