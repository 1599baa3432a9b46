"""`triptych exchange serve` as a program of its own, and the tape it makes of what is given."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest

from triptych.bootstrap import tape_for_serving
from triptych.domain.errors import DataError


def test_the_embedded_market_is_served_under_names_of_bybit():
    series = tape_for_serving(None, (), n_candles=200)
    assert all(re.fullmatch(r"[A-Z0-9]+", one.symbol) for one in series)
    assert {one.instrument.venue for one in series} == {"bybit"}
    assert all(one.instrument.maximum_leverage >= 100 for one in series)
    (chosen,) = tape_for_serving(None, [series[0].symbol], n_candles=200)
    assert chosen.symbol == series[0].symbol


def test_a_symbol_that_the_tape_does_not_have_is_named():
    with pytest.raises(DataError, match=r"There are no candles of XRPUSDT\. There are: "):
        tape_for_serving(None, ["XRPUSDT"], n_candles=200)


def test_the_program_serves_until_it_is_ended():
    program = "from triptych.cli import main; main(['exchange', 'serve', '--port', '0', '--pace', '0'])"
    with subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(5)]
            address = re.search(r"http://127\.0\.0\.1:\d+", said[1])
            assert address is not None
            with urllib.request.urlopen(f"{address[0]}/v5/market/instruments-info?category=linear") as reply:
                listed = json.load(reply)["result"]["list"]
            with urllib.request.urlopen(
                urllib.request.Request(f"{address[0]}/triptych/step", data=b'{"count": 2}', method="POST")
            ) as reply:
                assert json.load(reply) == {"stepped": 2}
        finally:
            process.terminate()
    assert [one["quoteCoin"] for one in listed] == ["USDT"] * len(listed)
    assert len(listed) > 1
