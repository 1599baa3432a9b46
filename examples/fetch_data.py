"""Fetch candles of Bybit into a store, check and resample them: python fetch_data.py [ADDRESS]

ADDRESS is that of `triptych exchange serve`, such as 127.0.0.1:8765; without one, Bybit is asked. Stopped anywhere, the
same command goes on: only what the store lacks is asked for.
"""

import sys
from pathlib import Path

import triptych

SYMBOL, STORE = "BTCUSDT", Path("store")
address = sys.argv[1] if len(sys.argv) > 1 else ""
span = {"start": "2023-11-15", "end": "2023-11-16"} if address else {"start": "2024-01-01", "end": "2024-02-01"}

for attempt in ("first", "again"):
    (fetched,) = triptych.fetch_candles([SYMBOL], ["1m"], store=STORE, where=triptych.bybit_at(address), **span)
    print(f"{attempt}: {fetched.new:,} new candles, {fetched.already:,} were there")

series = triptych.CandleStore(STORE).load("bybit", SYMBOL, "1m")
print(f"{len(series):,} candles of 1m, last close {series.close[-1]:,.1f}")
print(triptych.check_quality(series).verdict)
hours = triptych.resample(series, "1h")
print(f"{len(hours)} candles of 1h, the last {hours.candle(len(hours) - 1)}")
