"""Predict at every close while the market runs, without a key: python realtime_prediction.py RUN [ADDRESS [CLOSES]]

RUN is the folder of a trained run. ADDRESS is that of `triptych exchange serve`; without one the candles are Bybit's.
It ends after so many CLOSES, or with Ctrl-C. Orders, with journal, limits and recovery, are for `triptych live`.
"""

import sys
from contextlib import closing
from itertools import islice

import triptych

run, address, closes = [*sys.argv[1:], "", ""][:3]
with closing(triptych.predict_live(run, ["BTCUSDT"], where=triptych.bybit_at(address))) as predictions:
    for number, at_close in enumerate(islice(predictions, int(closes) if closes else None), start=1):
        for symbol, said in at_close.items():
            if said is None:
                print(f"{number} {symbol}: the model has not candles enough yet")
                continue
            chances = (
                f"sell {said.probability_sell:.2f} hold {said.probability_hold:.2f} buy {said.probability_buy:.2f}"
            )
            print(f"{number} {symbol}, closed at {said.time_ms} ms UTC: {chances}")
