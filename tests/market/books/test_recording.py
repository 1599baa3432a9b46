from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError
from triptych.market.books import BookRecorder, BookStatus, events_of, read_events, replay, write_events


def update(number, *, size="1", price="100.25", snapshot=False):
    return BookUpdate(
        symbol="TEST", is_snapshot=snapshot, bids=((Decimal(price), Decimal(size)),), update_id=number,
        exchange_time_ns=number, local_time_ns=number + 5,
    )  # fmt: skip


UPDATES = [update(1, snapshot=True), update(2, size="0.5"), update(3, size="0"), update(4, price="100.3")]

whole = st.one_of(st.none(), st.integers(0, 2**62))
level = st.tuples(st.integers(1, 10**9), st.integers(0, 10**9))
side = st.lists(level, max_size=4).map(
    lambda pairs: tuple((Decimal(price).scaleb(-4), Decimal(size).scaleb(-6)) for price, size in pairs)
)
message = st.builds(
    BookUpdate, symbol=st.just("TEST"), is_snapshot=st.booleans(), bids=side, asks=side, update_id=whole,
    first_update_id=whole, previous_update_id=whole, sequence=whole, exchange_time_ns=whole, local_time_ns=whole,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(message, min_size=1, max_size=8), chunk=st.integers(1, 4))
def test_every_message_comes_back_as_it_was_recorded(tmp_path_factory, messages, chunk):
    folder = tmp_path_factory.mktemp("stream")
    with BookRecorder(folder, symbol="TEST", protocol="bybit", chunk_messages=chunk) as recorder:
        for one in messages:
            recorder.append(one)
    assert list(read_events(folder).updates()) == messages


def test_a_recorder_that_starts_again_goes_on_with_the_next_chunk(tmp_path):
    for part in (UPDATES[:2], UPDATES[2:]):
        with BookRecorder(tmp_path, symbol="TEST", protocol="bybit") as recorder:
            for one in part:
                recorder.append(one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events-00000000.parquet", "events-00000001.parquet"]
    assert list(read_events(tmp_path).updates()) == UPDATES


def test_columns_on_disk_are_typed_and_times_carry_their_unit(tmp_path):
    import pyarrow.parquet as pq

    write_events(tmp_path, events_of(UPDATES, symbol="TEST", protocol="bybit"))
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "events-00000000.parquet")}
    assert types == {
        "is_snapshot": "bool",
        "update_id": "int64",
        "first_update_id": "int64",
        "previous_update_id": "int64",
        "sequence": "int64",
        "exchange_time_ns": "int64",
        "local_time_ns": "int64",
        "bid_price_ticks": "list<element: int64>",
        "bid_sizes": "list<element: double>",
        "ask_price_ticks": "list<element: int64>",
        "ask_sizes": "list<element: double>",
    }


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_a_killed_process_leaves_chunks_that_can_be_read(tmp_path):
    program = f"""
import itertools
from decimal import Decimal
from pathlib import Path
from triptych.domain import BookUpdate
from triptych.market.books import BookRecorder
recorder = BookRecorder(Path({str(tmp_path)!r}), symbol="TEST", protocol="bybit", chunk_messages=5)
for number in itertools.count(1):
    recorder.append(BookUpdate(symbol="TEST", is_snapshot=number == 1, bids=((Decimal(100), Decimal(number)),),
                               update_id=number))
    if number == 12:
        print("recording", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "recording\n"
        process.send_signal(signal.SIGKILL)
    process.wait()
    numbers = read_events(tmp_path).update_id
    assert len(numbers) >= 10
    assert len(numbers) % 5 == 0
    np.testing.assert_array_equal(numbers, np.arange(1, len(numbers) + 1))
    BookRecorder(tmp_path, symbol="TEST", protocol="bybit")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_missing_chunk_is_noticed(tmp_path):
    with BookRecorder(tmp_path, symbol="TEST", protocol="bybit", chunk_messages=1) as recorder:
        for one in UPDATES:
            recorder.append(one)
    (tmp_path / "events-00000001.parquet").unlink()
    with pytest.raises(DataError) as caught:
        read_events(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected the chunk events-00000001.parquet, found events-00000002.parquet. "
        "Put the missing chunk back, or move the later ones elsewhere and renumber them."
    )


def test_a_folder_belongs_to_one_stream(tmp_path):
    with BookRecorder(tmp_path, symbol="TEST", protocol="bybit") as recorder:
        recorder.append(UPDATES[0])
    with pytest.raises(DataError) as caught:
        BookRecorder(tmp_path, symbol="OTHER", protocol="bybit")
    assert str(caught.value) == (
        f"{tmp_path} holds the stream of TEST (bybit), not of OTHER (bybit). "
        "Record every stream into a folder of its own."
    )


def test_a_price_finer_than_the_instrument_allows_is_refused():
    with pytest.raises(DataError) as caught:
        events_of(UPDATES, symbol="TEST", protocol="bybit", price_decimals=1)
    assert str(caught.value) == (
        "TEST: the price 100.25 cannot be kept with 1 decimals. "
        "Give `price_decimals` (at most 12) as the instrument has it."
    )


def test_chunks_of_different_precision_are_joined_exactly(tmp_path):
    with BookRecorder(tmp_path, symbol="TEST", protocol="bybit", chunk_messages=1) as recorder:
        recorder.append(update(1, price="100", snapshot=True))
        recorder.append(update(2, price="100.125"))
    events = read_events(tmp_path)
    assert events.price_decimals == 3
    assert events.price_ticks.tolist() == [100_000, 100_125]


def test_a_message_that_cannot_be_right_is_recorded_as_it_came(tmp_path):
    stream = [update(1, snapshot=True), update(2, size="-1"), update(3, price="NaN"), update(4, size="Infinity")]
    with BookRecorder(tmp_path, symbol="TEST", protocol="bybit") as recorder:
        for one in stream:
            recorder.append(one)
    events = read_events(tmp_path)
    assert events.price_ticks.tolist() == [10_025, 10_025, 0, 10_025]
    assert events.sizes.tolist() == [1.0, -1.0, 1.0, np.inf]
    assert replay(events).counts == {BookStatus.RESET: 1, BookStatus.INVALID: 3}


def test_a_negative_size_in_a_file_that_somebody_put_in_order_names_message_and_price():
    with pytest.raises(DataError) as caught:
        events_of([update(1), update(2, size="-1")], symbol="TEST", protocol="none")
    assert str(caught.value) == (
        "TEST: message 1 of the book stream holds a size of -1.0 at the price 100.25; sizes must be at least 0 and "
        "prices above 0. Remove the message from the file and read it again."
    )
