"""Small invented files in every format, and the real ones where they are."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pytest
from tests.fakes.booked_tape import booked_tape
from tests.fakes.served import BITCOIN

from triptych.domain.errors import ColumnError, DataError, NotEnoughData
from triptych.market.books import (
    BookStatus,
    detect,
    events_of,
    read_book_events,
    read_books,
    read_fi2010,
    read_trades,
    replay,
    sample_at,
    write_events,
)
from triptych.market.books.formats.bitstamp import read_orders
from triptych.market.tapes import About, TapeWriter

NAN = np.nan
BINANCE = [
    ("100", {"stream": "x", "data": {"e": "depthUpdate", "E": 1002, "T": 1001, "s": "TESTUSDT", "U": 1, "u": 5, "pu": 0,
                                     "b": [["99.0", "1"]], "a": []}}),
    ("200", {"lastUpdateId": 7, "E": 1005, "T": 1004, "bids": [["99.00", "2"], ["98.5", "3"]], "asks": [["100", "4"]]}),
    ("300", {"stream": "x", "data": {"e": "depthUpdate", "E": 1010, "T": 1009, "s": "TESTUSDT", "U": 6, "u": 8, "pu": 5,
                                     "b": [["99.0", "0"]], "a": [["99.9", "5"]]}}),
    ("301", {"stream": "x", "data": {"e": "trade", "T": 1010, "s": "TESTUSDT", "p": "99.9", "q": "2", "X": "MARKET",
                                     "m": True}}),
]  # fmt: skip


def capture(path, messages, prefix="17213470209{}00000", separator=" "):
    lines = [f"{prefix.format(stamp)}{separator}{json.dumps(message)}" for stamp, message in messages]
    text = "\n".join(lines).replace('": ', '":').replace(', "', ',"')
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["raw.txt", "raw.txt.gz"])
def test_a_binance_capture(tmp_path, name):
    path = capture(tmp_path / name, BINANCE)
    assert detect(path) == "binance capture"
    tape = read_books(path, levels=2)
    assert tape.symbol == "TESTUSDT"
    assert tape.time_ms.tolist() == [1_005, 1_010]
    np.testing.assert_array_equal(
        tape.rows(), [[99, 98.5, 2, 3, 100, NAN, 4, NAN], [98.5, NAN, 3, NAN, 99.9, 100, 5, 4]]
    )
    trades = read_trades(path)
    assert (trades.time_ms.tolist(), trades.price.tolist(), trades.side.tolist()) == ([1_010], [99.9], [-1])


def test_a_capture_whose_snapshot_lies_in_the_file_before(tmp_path):
    first = capture(tmp_path / "first.txt", BINANCE[:2])
    second = capture(tmp_path / "second.txt", BINANCE[2:])
    with pytest.raises(NotEnoughData) as caught:
        read_books(second)
    assert str(caught.value) == (
        "TESTUSDT: none of the 1 messages could be applied: the stream has no snapshot. "
        "Read it together with the file before it, which holds one: read_books([before, this])."
    )
    assert len(read_books([first, second])) == 2


def test_a_broken_line_is_named(tmp_path):
    path = capture(tmp_path / "raw.txt", BINANCE)
    path.write_text(path.read_text().replace('"pu":5', '"pv":5'))
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value) == (
        f"{path}, line 3: the message cannot be understood, the field 'pu' is missing. "
        "Cut the line out, or restore the file."
    )
    path.write_text(path.read_text()[:-300])  # inside the snapshot
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value).startswith(f"{path}, line 2: not JSON (")


def test_lines_that_are_no_messages_are_counted_and_told(tmp_path):
    path = capture(tmp_path / "raw.txt", BINANCE)
    whole = read_book_events(path)
    assert whole.n_unreadable_lines == 0
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([*lines[:2], "\x00\x00 garbage", lines[2], '1721347020930100000 {"stream":"x","da', lines[3]])
    )
    with pytest.warns(UserWarning, match="no messages") as told:
        events = read_book_events(path)
    assert [str(one.message) for one in told] == [
        f"{path}: 2 lines are no messages and were left out, the first is line 3."
    ]
    assert (events.n_unreadable_lines, len(events)) == (2, len(whole))
    assert replay(events, levels=1).n_unreadable_lines == 2
    with pytest.warns(UserWarning, match="2 lines are no messages"):
        assert len(read_trades(path)) == 1


def test_a_damaged_gzip_file(tmp_path):
    path = capture(tmp_path / "raw.txt.gz", BINANCE * 50)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"the gzip file is damaged \(.*\). Fetch it again\.$"):
        read_books(path)


BYBIT = [
    {"topic": "orderbook.50.TESTUSDT", "type": "snapshot", "ts": 1_000, "cts": 998,
     "data": {"s": "TESTUSDT", "b": [["99", "1"]], "a": [["100", "2"]], "u": 20, "seq": 9}},
    {"topic": "publicTrade.TESTUSDT", "type": "snapshot", "ts": 1_001,
     "data": [{"T": 1_001, "s": "TESTUSDT", "S": "Buy", "v": "3", "p": "100", "i": "x", "BT": False}]},
    {"topic": "orderbook.50.TESTUSDT", "type": "delta", "ts": 1_020,
     "data": {"s": "TESTUSDT", "b": [["99", "0"], ["98", "5"]], "a": [], "u": 21, "seq": 11}},
]  # fmt: skip


def test_bybit_messages_and_reply(tmp_path):
    lines = tmp_path / "frames.jsonl"
    lines.write_text("\n".join(json.dumps(message) for message in BYBIT))
    tape = read_books(lines, levels=1)
    assert tape.time_ms.tolist() == [1_000, 1_020]
    np.testing.assert_array_equal(tape.rows(), [[99, 1, 100, 2], [98, 5, 100, 2]])
    trades = read_trades(lines)
    assert (trades.price.tolist(), trades.side.tolist()) == ([100.0], [1])
    reply = tmp_path / "reply.json"
    reply.write_text(json.dumps({"retCode": 0, "result": {**BYBIT[0]["data"], "ts": 1_000, "cts": 998}}, indent=1))
    np.testing.assert_array_equal(read_books(reply, levels=1).rows(), [[99, 1, 100, 2]])


def test_a_bybit_v2_capture_of_two_instruments(tmp_path):
    def entry(symbol, price, side, size=None):
        known = {"price": price, "symbol": symbol, "id": 1, "side": side}
        return known if size is None else known | {"size": size}

    messages = []
    for number, symbol in enumerate(("AUSD", "BUSD")):
        book = [entry(symbol, "99.0", "Buy", 1), entry(symbol, "100.0", "Sell", 2.5)]
        delta = {
            "delete": [entry(symbol, "99.0", "Buy")],
            "update": [entry(symbol, "100.0", "Sell", 3)],
            "insert": [entry(symbol, "98.5", "Buy", 13.329999)],
        }
        topic = {"topic": f"orderBookL2_25.{symbol}"}
        snapshot = book if number else {"order_book": book}
        messages += [
            ("1", topic | {"type": "snapshot", "data": snapshot, "cross_seq": "5", "timestamp_e6": "1000000"}),
            ("2", topic | {"type": "delta", "data": delta, "cross_seq": 8, "timestamp_e6": 1_020_000}),
        ]
    path = capture(tmp_path / "v2.txt.gz", messages, prefix="161867778{}.5", separator=": ")
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value) == (
        f'{path} holds several instruments: AUSD, BUSD. Name one: symbol="AUSD", on the command line --symbol AUSD.'
    )
    for symbol in ("AUSD", "BUSD"):
        tape = read_books(path, symbol=symbol, levels=1)
        assert tape.time_ms.tolist() == [1_000, 1_020]
        np.testing.assert_array_equal(tape.rows(), [[99, 1, 100, 2.5], [98.5, 13.329999, 100, 3]])
    with pytest.raises(DataError) as caught:
        read_books(path, symbol="CUSD")
    assert str(caught.value) == f"{path} holds no books of CUSD. It holds: AUSD, BUSD."


def flat(path, rename=None, **changes):
    columns = {"timestamp": pl.Series([1_000, 1_100]).cast(pl.Datetime("ms", "UTC"))}
    for field, price in (("bid_price", 99.0), ("bid_size", 1.0), ("ask_price", 100.0), ("ask_size", 2.0)):
        step = {"bid_price": -1, "ask_price": 1}.get(field, 0)
        columns |= {f"{field}_{level}": [price + step * level, price + step * level + 0.5] for level in range(2)}
    table = pl.DataFrame(columns | changes)
    table.rename(rename or {}).write_parquet(path)
    return path


def test_sampled_books_counted_from_0_take_their_symbol_from_the_name(tmp_path):
    tape = read_books(flat(tmp_path / "binance_usdm_testusdt_20240718_book20_100ms.parquet"))
    assert (tape.symbol, tape.levels, tape.time_ms.tolist()) == ("TESTUSDT", 2, [1_000, 1_100])
    np.testing.assert_array_equal(tape.rows()[1], [99.5, 98.5, 1.5, 1.5, 100.5, 101.5, 2.5, 2.5])
    assert read_books(flat(tmp_path / "x.parquet"), symbol="OTHER", levels=1).rows(1).shape == (2, 4)


def test_a_missing_column_is_named(tmp_path):
    path = flat(tmp_path / "book.parquet", rename={"ask_size_1": "ask_volume_1"})
    with pytest.raises(ColumnError, match=r"book.parquet: column 'ask_size_1' is missing\. The file has: timestamp, "):
        read_books(path)


def test_a_row_that_cannot_be_is_named(tmp_path):
    path = flat(tmp_path / "XYZ_book.parquet", bid_price_0=[99.0, 100.5])
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value) == (
        "XYZ: row 1 (1970-01-01 00:00:01 UTC) of the books: crossed book, best bid 100.5 >= best ask 100.5."
    )


def test_tardis_snapshots_incremental_and_trades(tmp_path):
    books = tmp_path / "books.csv"
    books.write_text(
        "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,"
        "asks[1].price,asks[1].amount,bids[1].price,bids[1].amount\n"
        "x,TEST,1000000,1000100,100,1,99,2,101,3,98,4\nx,TEST,1000001,1000100,100,1,99,2,101,3,,\n"
    )
    tape = read_books(books)
    assert tape.time_ms.tolist() == [1_000, 1_001]
    np.testing.assert_array_equal(tape.rows(), [[99, 98, 2, 4, 100, 101, 1, 3], [99, NAN, 2, NAN, 100, 101, 1, 3]])
    changes = tmp_path / "changes.csv"
    changes.write_text(
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
        "x,TEST,1000000,1000100,true,ask,100.5,1\nx,TEST,1000000,1000100,true,bid,100,2\n"
        "x,TEST,1005000,1005100,false,bid,100,0\nx,TEST,1005000,1005100,false,bid,99,7\n"
        "x,TEST,1006000,1006100,false,ask,100.5,4\n"
    )
    np.testing.assert_array_equal(
        read_books(changes, levels=1).rows(), [[100, 2, 100.5, 1], [99, 7, 100.5, 1], [99, 7, 100.5, 4]]
    )
    trades = tmp_path / "trades.csv"
    trades.write_text("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\nx,TEST,1000001,9,a,sell,100,2\n")
    assert read_trades(trades).time_ms.tolist() == [1_001]
    with pytest.raises(DataError) as caught:
        read_books(trades)
    assert str(caught.value) == (
        f"{trades} (tardis trades) is not a stream of order-book messages. Read trades with `read_trades`."
    )
    changes.write_text(changes.read_text().replace("bid,99,7", "bid,99,seven"))
    with pytest.raises(DataError) as caught:
        read_books(changes)
    assert str(caught.value) == (
        f"{changes}, row 5, column 'amount': 'seven' is not a number of the kind expected. "
        "Correct the row or cut it out."
    )


def test_lobster_books_with_their_messages(tmp_path):
    books = tmp_path / "TEST_2012-06-21_34200000_57600000_orderbook_2.csv"
    messages = tmp_path / "TEST_2012-06-21_34200000_57600000_message_2.csv"
    books.write_text("5859400,200,5853300,18,5859800,300,-9999999999,0\n5859400,100,5853300,18,5859800,300,5853000,7\n")
    with pytest.raises(DataError) as caught:
        read_books(books)
    assert str(caught.value) == (
        f"{books}: the times of a LOBSTER order book stand in {messages.name}, which is not beside it. "
        "Put both files into one folder."
    )
    messages.write_text("34200.004241176,1,1,18,5853300,1\n34200.5,4,2,100,5859400,-1\n")
    tape = read_books(books)
    assert tape.symbol == "TEST"
    assert tape.time_ms.tolist() == [1_340_285_400_005, 1_340_285_400_500]  # 09:30 in New York is 13:30 UTC
    np.testing.assert_array_equal(
        tape.rows(),
        [[585.33, NAN, 18, NAN, 585.94, 585.98, 200, 300], [585.33, 585.3, 18, 7, 585.94, 585.98, 100, 300]],
    )
    trades = read_trades(messages)
    assert (trades.price.tolist(), trades.size.tolist(), trades.side.tolist()) == ([585.94], [100.0], [1])
    messages.write_text("34200.1,1,1,18,5853300,1\n")
    with pytest.raises(DataError) as caught:
        read_books(books)
    assert str(caught.value) == f"{books} has 2 rows, {messages.name} has 1. Use the two files of one download."


def orders(path, rows):
    times = [row[1] for row in rows]
    pl.DataFrame(
        {
            "id": [row[0] for row in rows],
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            "exchange_timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            "price": [row[2] for row in rows],
            "volume_1e8": [round(row[3] * 10**8) for row in rows],
            "action": [row[4] for row in rows],
            "direction": [row[5] for row in rows],
        }
    ).write_parquet(path)
    return path


ORDERS = [
    (1, 1_000, 99.0, 1.0, "created", "bid"),
    (2, 1_001, 99.0, 2.0, "created", "bid"),
    (3, 1_002, 100.0, 5.0, "created", "ask"),
    (9, 1_003, 101.0, 1.0, "deleted", "ask"),  # rested before the recording: unknown
    (4, 1_010, 100.0, 2.0, "created", "bid"),  # takes liquidity: crossed until the fills are told
    (3, 1_050, 100.0, 3.0, "changed", "ask"),
    (4, 1_051, 100.0, 0.0, "deleted", "bid"),
    (1, 1_060, 99.0, 0.25, "changed", "bid"),
]


def test_orders_are_added_up_to_levels_and_moments_of_matching_left_out(tmp_path):
    path = orders(tmp_path / "bitstamp_btcusd_orders.parquet", ORDERS)
    tape = read_books(path, levels=1)
    assert tape.symbol == "BTCUSD"
    assert tape.time_ms.tolist() == [1_000, 1_000, 1_001, 1_002, 1_051, 1_060]
    np.testing.assert_array_equal(
        tape.rows()[1:],
        [[99, 1, NAN, NAN], [99, 3, NAN, NAN], [99, 3, 100, 5], [99, 3, 100, 3], [99, 2.25, 100, 3]],
    )
    events, counts = read_orders(path)
    assert (counts.events, counts.unknown_orders, counts.stale_orders_removed) == (8, 1, 0)
    assert replay(events, clock="local").n_crossed_rows == 2


def test_an_order_whose_deletion_was_lost_is_taken_out(tmp_path):
    rows = [*ORDERS[:3], (5, 2_000, 100.5, 1.0, "created", "bid"), (6, 3_500, 98.0, 1.0, "created", "bid")]
    events, counts = read_orders(orders(tmp_path / "orders.parquet", rows))
    assert counts.stale_orders_removed == 1
    np.testing.assert_array_equal(replay(events, levels=1, clock="local").tape.rows()[-1], [100.5, 1, NAN, NAN])


def test_a_recording_is_read_through_the_same_door(tmp_path):
    path = capture(tmp_path / "raw.txt", BINANCE)
    folder = write_events(tmp_path / "stream", read_book_events(path))
    np.testing.assert_array_equal(read_books(folder).rows(), read_books(path).rows())


@pytest.mark.parametrize("content", ["", "hello\n", "time,open,high\n1,2,3\n", '{"a":1}', "1 2 3 4 5 6 7\n" * 9])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "file.txt"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value) == (
        f"{path} is no order-book file of a known format. Known are: flat, tardis snapshots, lobster orderbook, "
        "recording, data tape, bitstamp orders, tardis incremental, binance capture, bybit v2 capture, bybit v5."
    )


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(DataError) as caught:
        read_books(tmp_path / "none.csv")
    assert str(caught.value) == f"{tmp_path / 'none.csv'} does not exist. Check the name."


def fi2010(path, n=60, border=30):
    random = np.random.default_rng(0)
    features = random.normal(size=(144, n))
    mid = 0.3 + np.cumsum(random.choice([-0.001, 0.0, 0.001], n)) + np.where(np.arange(n) >= border, 5.0, 0.0)
    for level in range(10):
        features[4 * level] = mid + 0.0005 * (level + 1)
        features[4 * level + 2] = mid - 0.0005 * (level + 1)
    labels = random.integers(1, 4, (5, n))
    np.savetxt(path, np.vstack([features, labels]), fmt="%.7e")
    return features, labels


def test_the_layout_of_fi_2010(tmp_path):
    path = tmp_path / "Train_Dst_NoAuction_ZScore_CF_1.txt"
    features, labels = fi2010(path)
    data = read_fi2010(path)
    assert data.features.shape == (60, 144)
    assert data.rows.shape == (60, 40)
    np.testing.assert_allclose(data.rows[:, 0], features[2], atol=1e-6)  # best bid price
    np.testing.assert_allclose(data.rows[:, 10], features[3], atol=1e-6)  # its size
    np.testing.assert_allclose(data.rows[:, 29], features[36], atol=1e-6)  # tenth ask price
    # 1 is up, 3 is down; classes are sell, hold, buy.
    np.testing.assert_array_equal(data.labels, np.array([-1, 2, 1, 0])[labels.T])
    assert data.segment.tolist() == [0] * 30 + [1] * 30


def test_windows_and_labels_of_fi_2010_stay_in_their_stock_and_day(tmp_path):
    path = tmp_path / "fi.txt"
    fi2010(path)
    assert read_fi2010(path).window_ends(10, 5).tolist() == [*range(9, 25), *range(39, 55)]


def test_fi_2010_is_not_a_book_of_prices(tmp_path):
    path = tmp_path / "fi.txt"
    fi2010(path, n=200, border=100)
    with pytest.raises(DataError) as caught:
        read_books(path)
    assert str(caught.value) == (
        f"{path} (fi2010) is not a stream of order-book messages. "
        "Read it with `read_fi2010`: its prices are normalised."
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 2\n3 x\n", ", row 2, column 2: 'x' is not a number."),
        ("1 2\n3\n", ", row 2 has 1 columns, the rows before it have 2."),
        ("1 2\n", ": expected 149 rows, one column an event, was 1."),
        ("1 2.5\n" * 149, ", row 145, column 2: the label 2.5 is none of 1, 2, 3."),
        ("", " is empty."),
    ],
)
def test_a_file_that_is_not_fi_2010(tmp_path, text, problem):
    path = tmp_path / "fi.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_fi2010(path)
    assert str(caught.value) == f"{path}{problem} Use a file of the FI-2010 set as downloaded."


def test_the_published_100_ms_books_are_rebuilt_from_the_raw_messages(real):
    lob = real / "lob"
    published = read_books(lob / "binance_usdm_btcusdt_20240718_book20_100ms.parquet")
    raw = [lob / "raw" / f"binance_usdm_btcusdt_2024071{day}.txt.gz" for day in (8, 9)]
    replayed = replay(read_book_events(raw), levels=20)
    # The published rows hold what the venue had sent before their time, so a millisecond earlier in whole ones.
    rebuilt = sample_at(replayed.tape, published.time_ms - 1, max_age_ms=10_000)
    assert (rebuilt.tape.rows() == published.rows()).all(axis=1).sum() == 4_795 == len(published)
    assert replayed.counts == {BookStatus.WAITING: 6, BookStatus.RESET: 1, BookStatus.APPLIED: 9_016}
    assert replayed.n_crossed_rows == 0


@pytest.mark.parametrize(
    ("name", "symbol", "rows", "levels"),
    [
        ("lob/binance_usdm_ethusdt_20240718_book20_100ms.parquet", None, 4_794, 20),
        ("lob/AAPL_2012-06-21_orderbook_10.csv.gz", None, 999, 10),
        ("lob/tardis_binance-futures_book_snapshot_25_BTCUSDT.csv", None, 10, 25),
        ("lob/tardis_deribit_incremental_book_L2_BTC-PERPETUAL.csv", None, 1, 20),
        ("lob/raw/binance_usdm_btcusdt_20240718.txt.gz", None, 3_321, 20),
        ("lob/raw/bybit_linear_legacy_ws_20210417.txt.gz", "LTCUSDT", 647, 20),
        ("lob/raw/bybit_inverse_legacy_ws_20210417.txt.gz", "BTCUSD", 507, 20),
        ("lob/bitstamp_btcusd_orders_20150501.parquet", None, 49_218, 20),
        ("bybit/capture_orderbook500_XRPUSDT_20241201.jsonl", None, 50, 20),
        ("bybit/ws_orderbook_snapshot.json", None, 1, 20),
        ("bybit/http_get_orderbook.json", None, 1, 20),
    ],
)
def test_every_real_file_is_read_as_it_lies_there(real, name, symbol, rows, levels):
    tape = read_books(real / name, symbol=symbol)
    assert (len(tape), tape.levels) == (rows, levels)


@pytest.mark.parametrize(
    ("name", "symbol", "count"),
    [
        ("binance_usdm_btcusdt_20240718_trades.parquet", None, 10_701),
        ("raw/binance_usdm_btcusdt_20240719.txt.gz", None, 9_727),
        ("raw/bybit_inverse_legacy_ws_20210417.txt.gz", "BTCUSD", 131),
        ("tardis_bitmex_trades_XBTUSD.csv", None, 10),
        ("AAPL_2012-06-21_message_10.csv.gz", None, 159),
    ],
)
def test_every_real_file_of_trades(real, name, symbol, count):
    assert len(read_trades(real / "lob" / name, symbol=symbol)) == count


def test_the_whole_bybit_capture_replays_without_a_gap(real):
    updates = list(read_book_events(real / "bybit" / "capture_orderbook500_XRPUSDT_20241201.jsonl").updates())
    replayed = replay(events_of(updates, symbol="XRPUSDT", protocol="bybit"), levels=500)
    assert replayed.counts == {BookStatus.RESET: 1, BookStatus.APPLIED: 49}
    assert not np.isnan(replayed.tape.rows()).any()


def test_a_recorded_tape_is_read_as_the_stream_it_holds(tmp_path):
    series = booked_tape(tmp_path / "tape", 20, hole=7)
    tape = read_books(tmp_path / "tape", levels=5)
    assert detect(tmp_path / "tape") == "data tape"
    assert (tape.symbol, len(tape), tape.levels) == ("BTCUSDT", 19 * 5, 5)
    at_closes = read_books(tmp_path / "tape", levels=5, at_ms=series.close_time_ms)
    assert len(at_closes) == 19 + 1  # those of the closes, and the first message
    some, whole = (sample_at(one, series.close_time_ms, 5_000).tape.rows() for one in (at_closes, tape))
    np.testing.assert_array_equal(some, whole)
    with pytest.raises(DataError) as other:
        read_books(tmp_path / "tape", symbol="ETHUSDT")
    assert str(other.value) == f"{tmp_path / 'tape'} holds no order books of ETHUSDT. It holds BTCUSDT."


def test_a_tape_without_books_or_with_several_says_so(tmp_path):
    def begun(name, topics):
        about = About(venue="bybit", category="linear", topics=topics, timeframes=("1m",), instruments=(BITCOIN,))
        with TapeWriter(tmp_path / name, about):
            return tmp_path / name

    with pytest.raises(DataError) as none:
        read_books(begun("candles", ("kline.1.BTCUSDT",)))
    assert str(none.value) == (
        f"{tmp_path / 'candles'} holds no order books. Record them: `triptych data record --stream book`."
    )
    with pytest.raises(DataError) as several:
        read_books(begun("two", ("orderbook.50.BTCUSDT", "orderbook.50.ETHUSDT")))
    assert str(several.value) == f"{tmp_path / 'two'} holds order books of BTCUSDT, ETHUSDT. Say which: symbol=NAME."
    with pytest.raises(NotEnoughData) as empty:
        read_books(begun("empty", ("orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT")))
    assert str(empty.value) == (
        f"{tmp_path / 'empty'} holds no message of the order book of BTCUSDT yet. Record for longer."
    )
