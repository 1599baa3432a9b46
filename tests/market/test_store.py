import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import filelock
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.candles import make_series

from triptych.domain import CandleSeries, Instrument
from triptych.domain.errors import CandleError, DataError, NotEnoughData, StorageError
from triptych.market import CandleStore, MergeReport, to_frame

QUARTER_MS = 900_000
JANUARY_2023_MS = 1_672_531_200_000


def _times(n: int, *, first: int = JANUARY_2023_MS, step: int = QUARTER_MS) -> np.ndarray:
    return first + step * np.arange(n)


def _snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def _changed(series: CandleSeries, row: int) -> CandleSeries:
    values = series.values.copy()
    values[row, 4] += 1
    return make_series(series.open_time_ms, values)


def test_what_is_merged_is_loaded_again(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(200))
    assert store.merge(series) == MergeReport(new=200)
    loaded = store.load("local", "BTCUSDT", "15m")
    assert loaded.fingerprint() == series.fingerprint()
    assert loaded.instrument == series.instrument


def test_merging_the_same_twice_changes_no_byte(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(200))
    store.merge(series)
    before = _snapshot(tmp_path)
    assert store.merge(series) == MergeReport(same=200)
    assert str(store.merge(series)) == "0 new, 0 changed, 200 already there"
    assert _snapshot(tmp_path) == before


def test_a_difference_is_kept_replaced_or_refused_as_asked(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(100))
    store.merge(series)
    other = _changed(series, 7)
    report = store.merge(other)
    assert report == MergeReport(same=99, kept=1)
    assert str(report) == "0 new, 0 changed, 99 already there, 1 different and kept as stored"
    assert store.load("local", "BTCUSDT", "15m").values[7, 4] == series.values[7, 4]
    with pytest.raises(CandleError) as caught:
        store.merge(other, on_conflict="error")
    assert str(caught.value) == (
        "BTCUSDT 15m: 1 candle differs from the stored history, first at 2023-01-01 01:45:00 UTC. Nothing was written. "
        "Merge with on_conflict='replace' to take the new candles, or 'keep' to leave the stored ones."
    )
    assert store.merge(other, on_conflict="replace") == MergeReport(same=99, changed=1)
    assert store.load("local", "BTCUSDT", "15m").fingerprint() == other.fingerprint()


def test_a_refused_merge_writes_nothing_in_any_period(tmp_path):
    store = CandleStore(tmp_path)
    december = make_series(_times(10, first=JANUARY_2023_MS - 10 * QUARTER_MS))
    store.merge(december)
    before = _snapshot(tmp_path)
    across = make_series(_times(20, first=JANUARY_2023_MS - 10 * QUARTER_MS), seed=5)
    with pytest.raises(CandleError):
        store.merge(across, on_conflict="error")
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("timeframe", "step", "names"),
    [
        ("1m", 60_000, ["2022-12.parquet", "2023-01.parquet"]),
        ("15m", QUARTER_MS, ["2022.parquet", "2023.parquet"]),
        ("1d", 86_400_000, ["all.parquet"]),
    ],
)
def test_histories_lie_in_files_by_period(tmp_path, timeframe, step, names):
    store = CandleStore(tmp_path)
    series = make_series(_times(20, first=JANUARY_2023_MS - 10 * step, step=step), timeframe=timeframe)
    store.merge(series)
    folder = tmp_path / "local" / "BTCUSDT" / timeframe
    assert sorted(path.name for path in folder.glob("*.parquet")) == names
    assert store.load("local", "BTCUSDT", timeframe).fingerprint() == series.fingerprint()


def test_a_merge_rewrites_only_the_periods_it_touches(tmp_path):
    store = CandleStore(tmp_path)
    store.merge(make_series(_times(20, first=JANUARY_2023_MS - 10 * QUARTER_MS)))
    folder = tmp_path / "local" / "BTCUSDT" / "15m"
    before = (folder / "2022.parquet").stat().st_mtime_ns
    store.merge(make_series(_times(5, first=JANUARY_2023_MS + 100 * QUARTER_MS)))
    assert (folder / "2022.parquet").stat().st_mtime_ns == before


def test_a_scan_takes_times_in_every_form_and_leaves_out_the_end(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(20, first=JANUARY_2023_MS - 10 * QUARTER_MS))
    store.merge(series)
    start = JANUARY_2023_MS
    dates = (date(2023, 1, 1), datetime(2023, 1, 1), datetime(2023, 1, 1, tzinfo=UTC))
    for moment in (start, "2023-01-01", "2023-01-01T00:00:00Z", *dates):
        frame = store.scan("local", "BTCUSDT", "15m", moment, start + 3 * QUARTER_MS).collect()
        assert frame.equals(to_frame(series.between(10, 13)))
    assert store.load("local", "BTCUSDT", "15m", end="2023-01-01").fingerprint() == series.head(10).fingerprint()
    with pytest.raises(DataError) as caught:
        store.scan("local", "BTCUSDT", "15m", "soon")
    assert str(caught.value) == "'soon' is not a time. Write it like 2023-01-31 or 2023-01-31T09:30."


def test_an_empty_stretch_says_what_is_stored(tmp_path):
    store = CandleStore(tmp_path)
    store.merge(make_series(_times(20)))
    with pytest.raises(NotEnoughData) as caught:
        store.load("local", "BTCUSDT", "15m", "2030-01-01")
    assert str(caught.value) == (
        "local BTCUSDT 15m: no candle in the time asked for. "
        "Stored from 2023-01-01 00:00:00 to 2023-01-01 04:45:00 UTC."
    )


def test_an_unknown_history_lists_the_known_ones(tmp_path):
    store = CandleStore(tmp_path)
    with pytest.raises(DataError) as caught:
        store.load("local", "BTCUSDT", "15m")
    assert str(caught.value) == f"The store {tmp_path} holds no local BTCUSDT 15m. It is empty."
    store.merge(make_series(_times(2)))
    with pytest.raises(DataError) as caught:
        store.scan("local", "ETHUSDT", "1h")
    assert str(caught.value) == f"The store {tmp_path} holds no local ETHUSDT 1h. It holds local BTCUSDT 15m."


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "BRK.B", "..", "CON", "^GSPC", "上证", "a%2Fb", ".hidden", "x."])
def test_every_symbol_can_be_stored_and_listed(tmp_path, symbol):
    store = CandleStore(tmp_path)
    store.merge(make_series(_times(3), symbol=symbol, venue="bybit/linear"))
    assert store.list()["symbol"].to_list() == [symbol]
    assert store.list()["venue"].to_list() == ["bybit/linear"]
    assert store.load("bybit/linear", symbol, "15m").symbol == symbol
    inside = list(tmp_path.rglob("*.parquet"))
    assert len(inside) == 1
    assert len(inside[0].relative_to(tmp_path).parts) == 4


def test_the_list_counts_rows_files_and_bytes(tmp_path):
    store = CandleStore(tmp_path)
    assert store.list().height == 0
    assert CandleStore(tmp_path / "none").list().columns == store.list().columns
    store.merge(make_series(_times(20, first=JANUARY_2023_MS - 10 * QUARTER_MS)))
    store.merge(make_series(_times(3, step=3_600_000), timeframe="1h", symbol="ETHUSDT"))
    listed = store.list()
    assert listed.select("venue", "symbol", "timeframe", "rows", "files").rows() == [
        ("local", "BTCUSDT", "15m", 20, 2),
        ("local", "ETHUSDT", "1h", 3, 1),
    ]
    assert listed["first"][0] == datetime(2022, 12, 31, 21, 30, tzinfo=UTC)
    assert listed["last"][0] == datetime(2023, 1, 1, 2, 15, tzinfo=UTC)
    assert listed["bytes"][1] == (tmp_path / "local/ETHUSDT/1h/2023.parquet").stat().st_size


def test_the_rules_of_an_instrument_are_kept_and_defaults_do_not_replace_them(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(3))
    rules = Instrument(symbol="BTCUSDT", price_step=Decimal("0.10"), maximum_leverage=Decimal(50))
    exact = CandleSeries(
        instrument=rules, timeframe=series.timeframe, open_time_ms=series.open_time_ms, values=series.values
    )
    store.merge(exact)
    store.merge(series)
    assert store.load("local", "BTCUSDT", "15m").instrument == rules
    assert "maximum_quantity" not in (tmp_path / "local/BTCUSDT/instrument.json").read_text()
    limited = replace(rules, maximum_quantity=Decimal(7), maximum_market_quantity=Decimal(3))
    store.merge(replace(series, instrument=limited))
    assert store.load("local", "BTCUSDT", "15m").instrument == limited
    (tmp_path / "local/BTCUSDT/instrument.json").write_text("{")
    with pytest.raises(StorageError, match=r"instrument.json is damaged: "):
        store.load("local", "BTCUSDT", "15m")


def test_leftovers_of_a_killed_process_are_harmless_and_removed(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(3))
    store.merge(series)
    leftover = tmp_path / "local/BTCUSDT/15m/.2023.parquet.17-4.tmp"
    leftover.write_bytes(b"half a file")
    assert len(store.load("local", "BTCUSDT", "15m")) == 3
    assert store.list()["rows"].to_list() == [3]
    store.merge(series)
    assert not leftover.exists()


def test_a_damaged_file_is_a_storage_error(tmp_path):
    store, series = CandleStore(tmp_path), make_series(_times(3))
    store.merge(series)
    (tmp_path / "local/BTCUSDT/15m/2023.parquet").write_bytes(b"PAR1 nonsense PAR1")
    for action in (lambda: store.merge(series), lambda: store.load("local", "BTCUSDT", "15m"), store.list):
        with pytest.raises(StorageError) as caught:
            action()
        assert caught.value.remedy == "Delete the damaged file and import its source again."


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StorageError) as caught:
        CandleStore(tmp_path / "store").merge(make_series(_times(3)))
    assert str(caught.value) == (
        f"{tmp_path / 'store/local/BTCUSDT/15m'} cannot be written: Not a directory. "
        "Check the permissions, or choose another folder."
    )


_FULL_DISK = """
import resource, sys
from tests.fakes.candles import make_series
from triptych.domain.errors import StorageError
from triptych.market import CandleStore
import numpy as np
times = 1_672_531_200_000 + 900_000 * np.arange(5000)
store = CandleStore(sys.argv[1])
store.merge(make_series(times[:100]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    store.merge(make_series(times))
except StorageError as error:
    print(error)
print(len(store.load("local", "BTCUSDT", "15m")))
"""


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=root, check=False, timeout=120
    )


def test_a_full_disk_is_a_storage_error_and_leaves_the_old_candles(tmp_path):
    done = _run(_FULL_DISK, str(tmp_path))
    assert done.stdout.splitlines() == [
        f"{tmp_path / 'local/BTCUSDT/15m/2023.parquet'} could not be written: File too large. "
        "Free some space or choose another folder.",
        "100",
    ], done.stderr
    assert list(tmp_path.rglob("*.tmp")) == []


_MERGE_MANY = """
import sys
from dataclasses import replace
from tests.fakes.candles import make_series
from triptych.market import CandleStore
import numpy as np
store = CandleStore(sys.argv[1])
whole = make_series(1_672_531_200_000 + 900_000 * np.arange(400))
for i in range(int(sys.argv[2]), 400, 40):
    store.merge(whole.between(i, i + 20))
"""


def test_two_processes_do_not_harm_one_another(tmp_path):
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", _MERGE_MANY, str(tmp_path), first], cwd=root) for first in ("0", "20")
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    expected = make_series(_times(400)).fingerprint()
    assert CandleStore(tmp_path).load("local", "BTCUSDT", "15m").fingerprint() == expected


_MERGE_UNTIL_KILLED = """
import sys
from dataclasses import replace
from tests.fakes.candles import make_series
from triptych.market import CandleStore
import numpy as np
store = CandleStore(sys.argv[1])
for i in range(100_000):
    store.merge(make_series(1_640_995_200_000 + 900_000 * np.arange(70_000), seed=i), on_conflict="replace")
    print(i, flush=True)
"""


def test_a_killed_merge_leaves_every_file_whole_and_can_be_repeated(tmp_path):
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _MERGE_UNTIL_KILLED, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    with process:
        for _ in range(3):
            process.stdout.readline()
        process.kill()
    store = CandleStore(tmp_path, lock_timeout_s=5)
    assert len(store.load("local", "BTCUSDT", "15m")) == 70_000
    series = make_series(1_640_995_200_000 + 900_000 * np.arange(70_000), seed=9)
    store.merge(series, on_conflict="replace")
    assert store.load("local", "BTCUSDT", "15m").fingerprint() == series.fingerprint()
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_lock_held_too_long_is_a_storage_error(tmp_path):
    folder = tmp_path / "local/BTCUSDT/15m"
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / ".lock"), pytest.raises(StorageError) as caught:
        CandleStore(tmp_path, lock_timeout_s=0.05).merge(make_series(_times(3)))
    assert str(caught.value) == (
        f"Another process has been writing to {folder} for more than 0.05 seconds. "
        "Wait until it has finished, or end it."
    )


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 30)), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_merges_does_not_matter(tmp_path_factory, cuts, order):
    whole = make_series(_times(60, first=JANUARY_2023_MS - 30 * QUARTER_MS))
    parts = [whole.between(start, start + length) for start, length in cuts]
    shuffled = parts.copy()
    order.shuffle(shuffled)
    frames = []
    for turn in (parts, shuffled):
        root = tmp_path_factory.mktemp("store")
        reports = [CandleStore(root).merge(part) for part in turn]
        frames.append((CandleStore(root).scan("local", "BTCUSDT", "15m").collect(), sum(r.new for r in reports)))
        bytes_of = {path.name: path.read_bytes() for path in root.rglob("*.parquet")}
        frames[-1] += (bytes_of,)
    assert frames[0][0].equals(frames[1][0])
    assert frames[0][1] == frames[1][1] == frames[0][0].height
    assert frames[0][2] == frames[1][2]
    rows = sorted({row for start, length in cuts for row in range(start, min(60, start + length))})
    assert frames[0][0]["timestamp"].cast(pl.Int64).to_list() == whole.open_time_ms[rows].tolist()
