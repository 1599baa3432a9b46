import numpy as np
import polars as pl
import pytest
from tests.fakes.candles import make_series
from tests.fakes.micro import micro_recipe

from triptych.bootstrap.candles import load_candles, with_absolute_path
from triptych.domain.errors import CandleError, ColumnError, DataError, NotEnoughData
from triptych.market import CandleStore, to_frame, to_panel

MINUTE_MS = 60_000
START_MS = 1_672_617_600_000  # 2023-01-02 00:00 UTC, a Monday


def history(n=120, *, symbol="AAA", timeframe="15m", minutes=15, seed=0):
    times = START_MS + np.arange(n) * minutes * MINUTE_MS
    return make_series(times, timeframe=timeframe, symbol=symbol, seed=seed)


def loaded(tmp_path, *overrides, **changes):
    return load_candles(micro_recipe(tmp_path, *overrides, **changes))


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "AAA_15m.csv"
    to_frame(history()).write_csv(path)
    return path


@pytest.fixture
def panel(tmp_path):
    path = tmp_path / "panel.parquet"
    to_panel([history(symbol="CCC", seed=1), history(symbol="BBB", seed=2)]).write_parquet(path)
    return path


def test_the_embedded_market_is_the_same_every_time(tmp_path):
    one, other = loaded(tmp_path), loaded(tmp_path)
    assert [len(series) for series in one.series] == [1000]
    assert one.hash == other.hash
    assert one.hash != loaded(tmp_path, "data.synthetic.seed=12").hash
    assert str(one.timeframe) == "15m"
    assert one.period == ("2024-01-01 00:00:00", "2024-01-11 10:00:00")


def test_a_file_is_read_with_symbol_and_timeframe_from_its_name(tmp_path, csv):
    candles = loaded(tmp_path, source="file", path=str(csv))
    (series,) = candles.series
    assert (series.symbol, str(series.timeframe), len(series)) == ("AAA", "15m", 120)
    np.testing.assert_array_equal(series.values, history().values)
    assert [report["symbol"] for report in candles.quality] == ["AAA"]


def test_the_place_of_a_file_does_not_count_but_its_candles_do(tmp_path, csv):
    first = loaded(tmp_path, source="file", path=str(csv)).hash
    (tmp_path / "elsewhere").mkdir()
    moved = csv.rename(tmp_path / "elsewhere" / csv.name)
    assert loaded(tmp_path, source="file", path=str(moved)).hash == first
    moved.write_text(moved.read_text().replace("100.0", "100.5", 1))
    assert loaded(tmp_path, "data.repair=true", source="file", path=str(moved)).hash != first


def test_a_panel_gives_its_instruments_in_order_of_their_symbols(tmp_path, panel):
    candles = loaded(tmp_path, source="file", path=str(panel))
    assert [series.symbol for series in candles.series] == ["BBB", "CCC"]


def test_some_instruments_of_a_panel_may_be_chosen(tmp_path, panel):
    assert [s.symbol for s in loaded(tmp_path, "data.symbols=['CCC']", source="file", path=str(panel)).series] == [
        "CCC"
    ]
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, "data.symbols=['BBB', 'ZZZ']", source="file", path=str(panel))
    assert str(caught.value) == "There are no candles of ZZZ. There are: CCC, BBB."


def test_an_instrument_that_the_embedded_market_lacks_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^There are no candles of NOPE\. There are: ALFA-USDT\.$"):
        loaded(tmp_path, "data.symbols=['NOPE']")


def test_candles_are_resampled_exactly_and_it_is_said(tmp_path, csv):
    candles = loaded(tmp_path, "data.timeframe=1h", source="file", path=str(csv))
    (series,) = candles.series
    fine = history()
    assert (len(series), str(series.timeframe)) == (30, "1h")
    assert series.values[0, :4].tolist() == [
        fine.values[0, 0], fine.values[:4, 1].max(), fine.values[:4, 2].min(), fine.values[3, 3],
    ]  # fmt: skip
    assert "resampled from 15m to 1h" in candles.notes


def test_candles_cannot_be_made_finer(tmp_path, csv):
    with pytest.raises(DataError, match=r"^AAA: 15m candles cannot be resampled to 5m, which is not a multiple\."):
        loaded(tmp_path, "data.timeframe=5m", source="file", path=str(csv))


def test_start_belongs_to_the_period_and_end_does_not(tmp_path, csv):
    candles = loaded(tmp_path, "data.start=2023-01-02T01:00", "data.end=2023-01-02T06:00", source="file", path=str(csv))
    assert candles.period == ("2023-01-02 01:00:00", "2023-01-02 06:00:00")
    assert len(candles.series[0]) == 20


def test_however_a_source_is_cut_or_resampled_it_is_the_same_history(tmp_path, csv):
    cuts = [(), ("data.start=2023-01-02T01:00",), ("data.timeframe=1h",), ("data.end=2023-01-02T16:00",)]
    marks = {loaded(tmp_path, *cut, source="file", path=str(csv)).history.mark for cut in cuts}
    assert len(marks) == 1
    assert loaded(tmp_path, "data.synthetic.seed=99").history.mark not in marks


def test_a_period_shorter_than_the_window_is_refused(tmp_path, csv):
    with pytest.raises(NotEnoughData) as caught:
        loaded(tmp_path, "data.start=2023-01-03", source="file", path=str(csv), end="2023-01-03T02:00")
    assert caught.value.message == "AAA: 8 candles are left, fewer than the window of 16."
    assert caught.value.remedy == (
        "Widen data.start and data.end, bring more candles, shorten window.length, or choose others by data.symbols."
    )


def test_a_period_that_ends_before_it_starts_holds_no_candles(tmp_path, csv):
    with pytest.raises(NotEnoughData, match=r"^AAA: 0 candles are left"):
        loaded(tmp_path, "data.start=2023-01-03", "data.end=2023-01-02", source="file", path=str(csv))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, source="file", path=str(tmp_path / "nope.csv"))
    assert caught.value.message == f"There is no file {tmp_path}/nope.csv."


def test_a_missing_column_is_named_with_the_key_of_the_recipe(tmp_path, csv):
    text = csv.read_text().replace("close", "letzter", 1)
    csv.write_text(text)
    with pytest.raises(ColumnError) as caught:
        loaded(tmp_path, source="file", path=str(csv))
    assert caught.value.message.startswith("AAA_15m.csv: no column for close among ")
    assert caught.value.remedy.endswith("In a recipe: data.columns = {ROLE = 'NAME'}.")
    assert len(loaded(tmp_path, "data.columns={close='letzter'}", source="file", path=str(csv)).series[0]) == 120


def test_a_bad_row_is_named_and_can_be_repaired_from_the_recipe(tmp_path, csv):
    lines = csv.read_text().splitlines()
    lines[7] = ",".join([lines[7].split(",")[0], "NaN", *lines[7].split(",")[2:]])
    csv.write_text("\n".join(lines) + "\n")
    with pytest.raises(CandleError) as caught:
        loaded(tmp_path, source="file", path=str(csv))
    assert caught.value.message.startswith("AAA_15m.csv: line 8, column open")
    assert caught.value.remedy.endswith("In a recipe: data.repair = true.")
    assert len(loaded(tmp_path, "data.repair=true", source="file", path=str(csv)).series[0]) == 119


def test_rows_that_contradict_one_another_are_refused_unless_the_recipe_says_which_to_take(tmp_path, csv):
    lines = csv.read_text().splitlines()
    twin = lines[5].split(",")
    twin[-1] = "7.25"
    csv.write_text("\n".join([*lines, ",".join(twin)]) + "\n")
    with pytest.raises(CandleError) as caught:
        loaded(tmp_path, source="file", path=str(csv))
    assert "both hold AAA at 2023-01-02 01:00:00 UTC, column volume" in caught.value.message
    assert caught.value.remedy.endswith("In a recipe: data.duplicates = 'first'.")
    taken = loaded(tmp_path, "data.duplicates=last", source="file", path=str(csv)).series[0]
    assert taken.values[4, 4] == 7.25


def test_times_without_a_zone_are_read_in_the_recipes(tmp_path, csv):
    frame = pl.read_csv(csv, try_parse_dates=True)
    local = frame.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"))
    local.write_csv(csv)
    east = loaded(tmp_path, "data.timezone=Asia/Tokyo", source="file", path=str(csv)).series[0]
    assert east.open_time_ms[0] == START_MS - 9 * 60 * MINUTE_MS


def test_candles_that_have_not_closed_yet_are_left_out(tmp_path):
    beyond = make_series(4_102_444_800_000 + np.arange(40) * 15 * MINUTE_MS, symbol="AAA")  # the year 2100
    both = pl.concat([to_frame(history()), to_frame(beyond)])
    both.write_parquet(tmp_path / "AAA_15m.parquet")
    candles = loaded(tmp_path, source="file", path=str(tmp_path / "AAA_15m.parquet"))
    assert len(candles.series[0]) == 120
    assert "dropped 40 candles that had not closed yet" in candles.notes


class TestStore:
    @pytest.fixture
    def store(self, tmp_path):
        store = CandleStore(tmp_path / "store")
        for series in (
            history(symbol="AAA"),
            history(400, symbol="AAA", timeframe="5m", minutes=5),
            history(symbol="BBB", seed=4),
        ):
            store.merge(series)
        return tmp_path / "store"

    def test_all_instruments_of_a_venue_are_loaded_in_the_wanted_timeframe(self, tmp_path, store):
        candles = loaded(tmp_path, "data.timeframe=15m", source="store", path=str(store))
        assert [(s.symbol, str(s.timeframe), len(s)) for s in candles.series] == [
            ("AAA", "15m", 120),
            ("BBB", "15m", 120),
        ]

    def test_without_a_timeframe_the_finest_is_taken(self, tmp_path, store):
        candles = loaded(tmp_path, "data.symbols=['AAA']", source="store", path=str(store))
        assert (str(candles.timeframe), len(candles.series[0])) == ("5m", 400)

    def test_what_is_not_stored_is_made_from_the_finest(self, tmp_path, store):
        candles = loaded(tmp_path, "data.symbols=['AAA']", "data.timeframe=30m", source="store", path=str(store))
        assert (str(candles.timeframe), len(candles.series[0])) == ("30m", 66)
        assert candles.notes == ("resampled from 5m to 30m",)

    def test_instruments_of_different_timeframes_are_refused(self, tmp_path, store):
        with pytest.raises(DataError) as caught:
            loaded(tmp_path, source="store", path=str(store))
        assert str(caught.value) == (
            "The instruments have different timeframes: 15m, 5m. Set data.timeframe to the coarsest of them."
        )

    def test_an_unknown_instrument_or_venue_is_named(self, tmp_path, store):
        with pytest.raises(DataError, match="holds no local ZZZ"):
            loaded(tmp_path, "data.symbols=['ZZZ']", source="store", path=str(store))
        with pytest.raises(DataError) as caught:
            loaded(tmp_path, source="store", path=str(store), venue="mars")
        assert str(caught.value) == f"The store {store} holds no candles of venue 'mars'. See `triptych data list`."


def test_the_recipe_says_how_much_leverage_there_is_where_no_venue_does(tmp_path, csv):
    (series,) = loaded(tmp_path, source="file", path=str(csv)).series
    assert series.instrument.maximum_leverage == 125


def test_a_relative_path_is_spelt_out_and_nothing_else_changes(tmp_path, monkeypatch):
    recipe = micro_recipe(tmp_path, source="file", path="x/../AAA.csv")
    monkeypatch.chdir(tmp_path)
    spelt = with_absolute_path(recipe)
    assert spelt.data.path == f"{tmp_path}/x/../AAA.csv"
    assert spelt.model_copy(update={"data": recipe.data}) == recipe
    assert with_absolute_path(spelt) == spelt
    assert with_absolute_path(micro_recipe(tmp_path)) == micro_recipe(tmp_path)
